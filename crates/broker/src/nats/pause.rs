//! The pause before the next attempt to connect, and unique names.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use fanfare_failure::Backoff;

const BACKOFF: Backoff = Backoff { first: Duration::from_millis(20), longest: Duration::from_secs(3) };

/// The pause before an attempt to connect.
pub(super) fn pause(attempt: usize) -> Duration {
    BACKOFF.after(u32::try_from(attempt).unwrap_or(u32::MAX))
}

/// A unique name.
pub(super) fn random_name() -> String {
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(0u8), random.hash_one(1u8))
}
