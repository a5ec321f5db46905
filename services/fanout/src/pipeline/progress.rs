//! Logs how far reading back has come, every few seconds.

use std::time::{Duration, Instant};

use super::Pipeline;

/// How often it is logged.
const TELL: Duration = Duration::from_secs(3);

/// How much was read and how much there is.
pub(super) struct Progress {
    begun: Instant,
    told: Instant,
    read: u64,
    /// How many there are to read, as far as it is known: offsets have holes, and state is only counted as it comes.
    of: u64,
}

impl Progress {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { begun: now, told: now, read: 0, of: 0 }
    }

    /// So many more places lie ahead.
    pub(super) fn expect(&mut self, places: u64) {
        self.of = self.read + places;
    }

    /// One record more was read.
    pub(super) fn add(&mut self) {
        self.read += 1;
    }

    /// Logs the progress.
    pub(super) fn tell(&mut self, pipeline: &Pipeline) {
        pipeline.status.set_progress(self.read, self.of);
        pipeline.metrics.set_read_back(self.read, self.of.max(self.read));
        if self.told.elapsed() < TELL {
            return;
        }
        self.told = Instant::now();
        let rate = self.read as f64 / self.begun.elapsed().as_secs_f64();
        let (read, of, per_second) = (self.read, self.of.max(self.read), rate as u64);
        tracing::info!(read, of, percent = read * 100 / of.max(1), per_second, "reading back the log");
    }

    /// Logs that everything was read.
    pub(super) fn end(mut self, pipeline: &Pipeline) {
        self.tell(pipeline);
        let took_ms = self.begun.elapsed().as_millis() as u64;
        tracing::info!(records = self.read, took_ms, "the log is read back");
    }
}
