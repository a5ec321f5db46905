//! Many tabs that connect at once.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::Load;

/// How many tabs start to connect before sockets are polled again.
const STARTS_PER_TURN: usize = 64;

/// The result.
#[derive(Debug)]
pub(crate) struct Storm {
    /// The time until the last tab was open.
    pub(crate) took: Duration,
    /// How long each tab took, in nanoseconds.
    pub(crate) each: Vec<u64>,
    /// The number of tabs that failed.
    pub(crate) failures: usize,
    /// The reason of the first failure.
    pub(crate) reasons: Vec<String>,
}

impl Load {
    /// Connects the tabs of a range, this many concurrently, and waits until all are open or have failed.
    pub(crate) fn connect(
        &mut self,
        tabs: std::ops::Range<usize>,
        at_once: usize,
        deadline: Duration,
    ) -> Result<Storm> {
        let begun = Instant::now();
        let (mut next, end) = (tabs.start, tabs.end);
        self.tabs.opened.clear();
        self.tabs.reasons.clear();
        self.tabs.failed = 0;
        while self.tabs.opened.len() + self.tabs.failed < tabs.len() {
            let room = at_once.saturating_sub(self.tabs.opening).min(STARTS_PER_TURN).min(end - next);
            for _ in 0..room {
                self.tabs.start(next, self.poll.registry());
                next += 1;
            }
            let wait = if next < end && room > 0 { Duration::ZERO } else { Duration::from_millis(100) };
            self.turn(wait)?;
            let open = self.tabs.opened.len();
            ensure!(begun.elapsed() < deadline, "after {deadline:?} only {open} of {} tabs are open", tabs.len());
        }
        let storm = Storm {
            took: begun.elapsed(),
            each: std::mem::take(&mut self.tabs.opened),
            failures: std::mem::take(&mut self.tabs.failed),
            reasons: std::mem::take(&mut self.tabs.reasons),
        };
        self.tabs.check()?;
        Ok(storm)
    }

    /// Connects all tabs at a moderate pace; none may fail.
    pub(crate) fn connect_all(&mut self, at_once: usize) -> Result<()> {
        let storm = self.connect(0..self.tabs.all.len(), at_once, Duration::from_secs(60))?;
        ensure!(storm.failures == 0, "{} tabs cannot connect: {}", storm.failures, storm.reasons.join("; "));
        Ok(())
    }

    /// Closes all sockets of tabs at once, without a close frame.
    pub(crate) fn drop_all(&mut self) {
        for tab in &mut self.tabs.all {
            tab.close();
        }
    }
}
