//! Publishes that licenses have ended.

use super::store;
use crate::App;
use fanfare_event::Id;
use fanfare_event::vocabulary::license::LicenseExpired;
use fanfare_producer::{About, Error};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Licenses that are checked in one round.
const BATCH: i64 = 100;
/// The longest interval between rounds, in case another process changed a license.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Publishes `license.LicenseExpired`, once for each end that passes, until `shutdown`.
pub async fn run(app: App, shutdown: CancellationToken) {
    loop {
        let wait = match round(&app).await {
            Ok(wait) => wait,
            Err(error) => {
                tracing::warn!(error = error.with_causes(), "licenses could not be checked for their end");
                AFTER_ERROR
            }
        };
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = app.license_changed.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Publishes the ended licenses, and returns the time until the next one ends.
async fn round(app: &App) -> Result<Duration, Error> {
    let database = app.producer.database();
    loop {
        let ended = store::ended(database.reader(), database.now().await?, BATCH).await?;
        if ended.is_empty() {
            break;
        }
        for org in ended {
            expire(app, &org).await?;
        }
    }
    let Some(next) = store::next_end(database.reader()).await? else {
        return Ok(LONGEST_WAIT);
    };
    let left = next.0.saturating_sub(database.now().await?.0).max(0);
    Ok(Duration::from_millis(left.unsigned_abs()).min(LONGEST_WAIT))
}

async fn expire(app: &App, org: &str) -> Result<(), Error> {
    let mut change = app.producer.begin().await?;
    // The terms may have changed since they were read.
    let Some((plan, expired_at)) = store::mark_ended(&mut change, org).await? else {
        return Ok(());
    };
    let org = Id::parse(org).map_err(Error::internal)?;
    let event = LicenseExpired { org: org.clone(), plan, expired_at };
    change.publish(About::org(&org, "license"), &event).await?;
    change.commit().await
}
