//! Periodic tasks.

use crate::App;
use crate::session::store;
use fanfare_producer::Error;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The interval; after it, this process knows a key that another process made current.
pub const EVERY: Duration = Duration::from_secs(30);

/// Rotates keys that are due and deletes sessions that have ended, until `shutdown`.
pub async fn run(app: App, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = round(&app).await {
            tracing::warn!(error = error.with_causes(), "housekeeping failed and will be tried again");
        }
    }
}

/// One round.
///
/// # Errors
/// If the database fails.
pub async fn round(app: &App) -> Result<(), Error> {
    app.keyring.rotate_if_due().await?;
    let mut change = app.producer.begin().await?;
    store::forget_expired(&mut change).await?;
    change.commit().await
}
