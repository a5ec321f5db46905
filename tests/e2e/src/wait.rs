//! Waiting for a condition, with a deadline that fails the test.

use std::time::Duration;

use tokio::time::Instant;

/// How long a test waits for anything before it fails: far more than an idle machine needs, and enough for one that
/// builds at the same time.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// How long a test waits to see that something does not arrive, if no later message can prove it.
pub const SILENCE: Duration = Duration::from_millis(300);

const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// The remaining time of a wait.
#[derive(Debug)]
pub struct Deadline {
    what: String,
    at: Instant,
}

impl Deadline {
    /// [`PATIENCE`] from now on.
    pub fn new(what: &str) -> Self {
        Self { what: what.to_owned(), at: Instant::now() + PATIENCE }
    }

    /// A deadline this much later: for something that cannot happen before a fault is over.
    #[must_use]
    pub fn after(mut self, time: Duration) -> Self {
        self.at += time;
        self
    }

    /// A pause between two checks.
    ///
    /// # Panics
    /// If no time is left.
    pub async fn pause(&self) {
        self.pause_after("").await;
    }

    /// The same after a check with another result, which is reported if no time is left.
    ///
    /// # Panics
    /// If no time is left.
    pub async fn pause_after(&self, met: &str) {
        assert!(Instant::now() < self.at, "waited in vain for {}; last met: {met:?}", self.what);
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// Checks repeatedly until there is a result.
///
/// # Panics
/// If there is none within [`PATIENCE`].
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Deadline::new(what);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        deadline.pause().await;
    }
}

/// Waits for a future.
///
/// # Panics
/// If it is not ready within [`PATIENCE`].
pub async fn at_most<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(done) => done,
        Err(_) => panic!("waited in vain for {what}"),
    }
}
