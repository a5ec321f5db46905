//! Pauses that grow and are jittered, and names that nobody else has.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The pause before the second try to connect; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// The pause before a try to connect: between half and all of a value that doubles, so that nodes that lost their
/// server at the same moment do not come back at the same moment.
pub(super) fn pause(attempt: usize) -> Duration {
    if attempt <= 1 {
        return FIRST_PAUSE.mul_f64(random_share());
    }
    let doublings = u32::try_from(attempt - 1).unwrap_or(u32::MAX).min(16);
    let longest = FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE);
    longest.mul_f64(0.5 + random_share() / 2.0)
}

/// A number from 0 to 1.
fn random_share() -> f64 {
    let random = RandomState::new().hash_one(0u8);
    (random >> 11) as f64 / (1u64 << 53) as f64
}

/// A name that nobody else has.
pub(super) fn random_name() -> String {
    let random = RandomState::new();
    format!("{:016x}{:016x}", random.hash_one(0u8), random.hash_one(1u8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_differ() {
        for attempt in [0, 1, 2, 5, 9, 50, usize::MAX] {
            let pauses: Vec<_> = (0..20).map(|_| pause(attempt)).collect();
            assert!(pauses.iter().all(|pause| *pause <= LONGEST_PAUSE), "{pauses:?}");
            assert!(pauses.iter().any(|pause| pause != &pauses[0]), "{pauses:?}");
        }
        assert!(pause(50) >= LONGEST_PAUSE / 2);
    }
}
