//! How a limit of memory is divided, and what a node gives up when little is left.

use thiserror::Error;

/// Kept for the program itself, in bytes: code, threads, the schemas, buffers of the broker's client.
const OWN: u64 = 64 << 20;

/// The bounds of a node whose memory has no limit.
const UNLIMITED: MemoryBounds = MemoryBounds { retained: 2 << 30, waiting: 256 << 20, resumes: 64 << 20 };

/// The memory for what is kept beside the connections themselves, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryBounds {
    /// The retained values, about.
    pub retained: usize,
    /// What waits for slow connections.
    pub waiting: usize,
    /// The newest records, for resumes.
    pub resumes: usize,
}

/// The configured values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AskedMemory {
    /// The retained values.
    pub retained: Option<usize>,
    /// What waits for slow connections.
    pub waiting: Option<usize>,
    /// The newest records.
    pub resumes: Option<usize>,
}

/// There is too little memory for what the configuration asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "retained_bytes, waiting_bytes and resume_memory_bytes of [limits] come to {} MiB, and this process may take {} MiB of \
     which {} MiB are its own: raise the limit of memory, ask for less, or leave them out, and they are set by the limit",
    .asked >> 20, .limit >> 20, OWN >> 20
)]
pub struct TooLittleMemory {
    asked: u64,
    limit: u64,
}

impl MemoryBounds {
    /// The bounds under a limit of memory. Values that are not configured are a share of it; connections take the rest.
    ///
    /// # Errors
    /// [`TooLittleMemory`] if more is asked for than there is.
    pub fn of(limit: Option<u64>, asked: AskedMemory) -> Result<Self, TooLittleMemory> {
        let usable = limit.map(|limit| limit.saturating_sub(OWN));
        let share = |percent: u64, most: usize| {
            let share = usable.map(|usable| usize::try_from(usable / 100 * percent).unwrap_or(usize::MAX));
            share.map_or(most, |share| share.min(most))
        };
        let bounds = Self {
            retained: asked.retained.unwrap_or_else(|| share(40, UNLIMITED.retained)),
            waiting: asked.waiting.unwrap_or_else(|| share(20, UNLIMITED.waiting)),
            resumes: asked.resumes.unwrap_or_else(|| share(10, UNLIMITED.resumes)),
        };
        let all = [bounds.retained, bounds.waiting, bounds.resumes].map(|bytes| bytes as u64).iter().sum();
        match (limit, usable) {
            (Some(limit), Some(usable)) if all > usable => Err(TooLittleMemory { asked: all, limit }),
            _ => Ok(bounds),
        }
    }
}

/// How close a process is to its limit of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Pressure {
    /// There is enough.
    #[default]
    None,
    /// The newest records are dropped: resumes read the broker.
    High,
    /// New connections are refused too.
    Critical,
}

/// From how many percent of the limit on there is pressure of each kind, and how much less ends it: what is given up must
/// not be taken again at once.
const HIGH: u64 = 80;
const CRITICAL: u64 = 90;
const BACK: u64 = 5;

impl Pressure {
    /// The pressure when so much of a limit is used.
    #[must_use]
    pub fn next(self, resident: u64, limit: u64) -> Self {
        let percent = resident.saturating_mul(100) / limit.max(1);
        let holds = |level: Self, from: u64| percent >= if self >= level { from - BACK } else { from };
        if holds(Self::Critical, CRITICAL) {
            Self::Critical
        } else if holds(Self::High, HIGH) {
            Self::High
        } else {
            Self::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn what_is_not_set_is_a_share_of_the_limit() {
        assert_eq!(MemoryBounds::of(None, AskedMemory::default()), Ok(UNLIMITED));
        assert_eq!(MemoryBounds::of(Some(64 << 30), AskedMemory::default()), Ok(UNLIMITED));
        for limit in [32 << 20, 128 << 20, 512 << 20, 1 << 30, 4_u64 << 30] {
            let bounds = MemoryBounds::of(Some(limit), AskedMemory::default()).expect("a share fits");
            let all = (bounds.retained + bounds.waiting + bounds.resumes) as u64;
            assert!(all <= limit.saturating_sub(OWN) / 100 * 70, "connections have the rest of {limit}");
        }
        let of_a_pod = MemoryBounds::of(Some(1 << 30), AskedMemory::default()).expect("a share fits");
        assert_eq!((of_a_pod.retained / MIB, of_a_pod.waiting / MIB, of_a_pod.resumes / MIB), (383, 191, 64));
    }

    #[test]
    fn what_is_asked_for_is_taken_or_refused_with_what_would_be_right() {
        let asked = AskedMemory { retained: Some(600 * MIB), waiting: None, resumes: Some(0) };
        let bounds = MemoryBounds::of(Some(1 << 30), asked).expect("it fits");
        assert_eq!((bounds.retained, bounds.resumes), (600 * MIB, 0));
        let refused = MemoryBounds::of(Some(512 << 20), asked).expect_err("too much").to_string();
        assert!(refused.contains("come to 689 MiB, and this process may take 512 MiB of which 64 MiB"), "{refused}");
        assert!(MemoryBounds::of(None, asked).is_ok());
    }

    #[test]
    fn memory_pressure_changes_in_steps_with_hysteresis() {
        let mut pressure = Pressure::None;
        for (percent, wanted) in [
            (79, Pressure::None),
            (80, Pressure::High),
            (76, Pressure::High),
            (89, Pressure::High),
            (90, Pressure::Critical),
            (86, Pressure::Critical),
            (84, Pressure::High),
            (74, Pressure::None),
            (95, Pressure::Critical),
            (50, Pressure::None),
        ] {
            pressure = pressure.next(percent, 100);
            assert_eq!(pressure, wanted, "{percent}");
        }
    }
}
