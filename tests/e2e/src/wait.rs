//! Waiting for a condition, with a deadline that fails the test.

use std::time::Duration;

use tokio::time::Instant;

/// How long a test waits for anything before it fails: far more than is needed on a machine that does nothing else, and
/// enough on one that builds at the same time.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// How long a test listens for what must not come, where no later message could tell that it did not.
pub const SILENCE: Duration = Duration::from_millis(300);

const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

/// The time that is left to wait for something.
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

    /// So much later: for what cannot come before a fault is over.
    #[must_use]
    pub fn after(mut self, time: Duration) -> Self {
        self.at += time;
        self
    }

    /// A moment between two looks.
    ///
    /// # Panics
    /// If no time is left.
    pub async fn pause(&self) {
        self.pause_after("").await;
    }

    /// The same after a look that came to something else; what that was is told if no time is left.
    ///
    /// # Panics
    /// If no time is left.
    pub async fn pause_after(&self, met: &str) {
        assert!(Instant::now() < self.at, "waited in vain for {}; last met: {met:?}", self.what);
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
}

/// Looks again and again until there is something.
///
/// # Panics
/// If there is nothing within [`PATIENCE`].
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
/// If it is not done within [`PATIENCE`].
pub async fn at_most<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(done) => done,
        Err(_) => panic!("waited in vain for {what}"),
    }
}
