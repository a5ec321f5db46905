//! A database pool for the outbox.

use std::sync::Once;

use sqlx::AnyPool;
use sqlx::any::AnyPoolOptions;

use crate::error::OutboxError;

/// Opens a pool on `sqlite://file?mode=rwc` or, with the feature `postgres`, on `postgres://...`.
pub async fn connect(url: &str, max_connections: u32) -> Result<AnyPool, OutboxError> {
    static DRIVERS: Once = Once::new();
    DRIVERS.call_once(sqlx::any::install_default_drivers);
    Ok(AnyPoolOptions::new().max_connections(max_connections).connect(url).await?)
}
