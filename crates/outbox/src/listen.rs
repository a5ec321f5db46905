//! PostgreSQL notifies of new rows, so that they need not wait for the next poll.

use std::time::Duration;

use fanfare_failure::Backoff;
use sqlx::postgres::PgListener;

use crate::outbox::Outbox;

const BACKOFF: Backoff = Backoff { first: Duration::from_secs(1), longest: Duration::from_secs(30) };

/// Wakes the relay on each notification of the channel. Never ends: while the database is unreachable it retries, and
/// the relay polls.
pub async fn wake_on_notify(outbox: Outbox, url: String, channel: String) {
    let mut failures = 0;
    loop {
        match listen(&outbox, &url, &channel, &mut failures).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "PostgreSQL does not tell of new rows; they wait for the next poll"),
        }
        failures += 1;
        tokio::time::sleep(BACKOFF.after(failures)).await;
    }
}

async fn listen(outbox: &Outbox, url: &str, channel: &str, failures: &mut u32) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect(url).await?;
    listener.listen(channel).await?;
    *failures = 0;
    loop {
        // Rows that were committed before, or while this did not listen, were not notified.
        outbox.wake();
        if listener.try_recv().await?.is_none() {
            return Ok(());
        }
    }
}
