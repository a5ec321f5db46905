//! PostgreSQL tells of new rows, so that they need not wait for the next poll.

use std::time::Duration;

use sqlx::postgres::PgListener;

use crate::outbox::Outbox;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Wakes the relay whenever something is said on the channel. Never ends: while the database is away it tries again,
/// and the relay polls.
pub async fn wake_on_notify(outbox: Outbox, url: String, channel: String) {
    let mut pause = FIRST_PAUSE;
    loop {
        match listen(&outbox, &url, &channel, &mut pause).await {
            Ok(()) => {}
            Err(error) => tracing::warn!(%error, "PostgreSQL does not tell of new rows; they wait for the next poll"),
        }
        tokio::time::sleep(pause).await;
        pause = (2 * pause).min(LONGEST_PAUSE);
    }
}

async fn listen(outbox: &Outbox, url: &str, channel: &str, pause: &mut Duration) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect(url).await?;
    listener.listen(channel).await?;
    *pause = FIRST_PAUSE;
    loop {
        // What was committed before, or while nobody listened, was told to nobody.
        outbox.wake();
        if listener.try_recv().await?.is_none() {
            return Ok(());
        }
    }
}
