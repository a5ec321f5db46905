//! Where broker time comes from.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

type Wall = Arc<dyn Fn() -> i64 + Send + Sync>;

type Steady = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Returns the time in milliseconds since the epoch, and how long the clock has run. Tests bring their own.
#[derive(Clone)]
pub struct Clock {
    wall: Wall,
    steady: Steady,
}

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        let begun = Instant::now();
        Self {
            wall: Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, milliseconds)),
            steady: Arc::new(move || begun.elapsed()),
        }
    }

    /// A clock that calls a function and is never wrong: its elapsed time follows its time.
    pub fn from_fn(now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        let wall: Wall = Arc::new(now);
        let (furthest, time) = (AtomicI64::new(0), Arc::clone(&wall));
        let steady = move || {
            let now = time();
            let furthest = furthest.fetch_max(now, Ordering::Relaxed).max(now);
            Duration::from_millis(u64::try_from(furthest).unwrap_or(0))
        };
        Self { wall, steady: Arc::new(steady) }
    }

    /// A clock that calls two functions: one for the time, which may jump, and one for the elapsed time.
    pub fn from_fns(
        now: impl Fn() -> i64 + Send + Sync + 'static,
        elapsed: impl Fn() -> Duration + Send + Sync + 'static,
    ) -> Self {
        Self { wall: Arc::new(now), steady: Arc::new(elapsed) }
    }

    pub(super) fn now(&self) -> i64 {
        (self.wall)()
    }

    /// How long the clock has run; never jumps.
    pub(super) fn elapsed(&self) -> Duration {
        (self.steady)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

pub(super) fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
