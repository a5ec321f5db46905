//! Reading back: what a node must know before it can follow.

use std::time::{Duration, Instant};

use fanfare_broker::{BrokerError, Position, Reader};

use super::Pipeline;
use super::dispatch::Mode;
use super::reader::{distance, reached};
use crate::projection::{Consequence, Projection};

/// How often progress is logged.
const TELL: Duration = Duration::from_secs(3);

impl Pipeline {
    /// Reads the compacted state and the window, so that the node knows what the others know; the reader goes on
    /// from there.
    pub(super) async fn catch_up(&self) -> Result<Box<dyn Reader>, BrokerError> {
        let begun = Instant::now();
        let head = self.broker.head().await?;
        self.read_well();
        let mut progress = Progress::new(self);
        // The window first: what is published while the state is read lies in it.
        let start = self.broker.window(self.window.age, self.window.records).await?;
        self.read_state(&mut progress).await?;
        progress.expect(distance(&start, &head));
        self.groups.fold(|known| known.continue_from(start.clone()));
        let mut reader = self.broker.read(&start).await?;
        self.recent.begin(&start);
        while !reached(&self.read_position(), &head) {
            let batch = reader.next().await?;
            let records = batch.len();
            self.handle_all(batch, reader.position(), Mode::CatchingUp).await;
            progress.add(records);
        }
        self.groups.pass(&self.read_position());
        self.status.set_learnt(self.read_position());
        self.status.set_caught_up(true);
        self.read_well();
        self.tell_sizes();
        let took_ms = begun.elapsed().as_millis() as u64;
        tracing::info!(records = progress.read, took_ms, "the log is read back");
        Ok(reader)
    }

    /// Opens the window of a new stream to all connections; with the stream's end just now.
    ///
    /// What was published to the new stream before this node noticed is news to every tab. What both streams hold
    /// is known by its id and dropped.
    pub(super) async fn renew(&self) -> Result<(Box<dyn Reader>, Position), BrokerError> {
        let head = self.broker.head().await?;
        let start = self.broker.window(self.window.age, self.window.records).await?;
        let stored = self.broker.window(Duration::MAX, u64::MAX).await?;
        let reader = self.broker.read(&start).await?;
        self.groups.fold(|known| known.renew(start.clone(), stored.offsets() == start.offsets()));
        self.groups.apply(Consequence::Renewed(start.clone())).await;
        self.groups.pass(&start);
        Ok((reader, head))
    }

    /// Goes on behind records that were lost. Flags, roles and logouts may be among them, so all state is read again.
    ///
    /// The open tabs have missed what was lost, and the cursors that they are given from now on would lie behind it. So
    /// they are closed, and checked against the new state as they come back, with cursors from before it, which are
    /// answered with `complete: false`. Nobody is let in meanwhile.
    pub(super) async fn relearn(&self, after: &Position) -> Result<(), BrokerError> {
        self.status.set_caught_up(false);
        let mut progress = Progress::new(self);
        self.read_state(&mut progress).await?;
        self.groups.fold(|known| known.continue_from(after.clone()));
        self.groups.apply(Consequence::Gap).await;
        // Only now: a tab that was told this place before it is closed would come back as if it had missed nothing.
        self.groups.fold(Projection::settle);
        self.groups.pass(after);
        self.status.set_caught_up(true);
        Ok(())
    }

    /// Learns the state of a new stream once its window was told. Not before it: what was learnt is told to nobody.
    ///
    /// It may say what lies before the window: logouts, withdrawals, flags. So the open tabs come back and are checked
    /// against it.
    pub(super) async fn learn_state(&self) -> Result<(), BrokerError> {
        let state = self.broker.state().await?;
        self.learn_from(state, &mut Progress::new(self)).await?;
        self.groups.apply(Consequence::Gap).await;
        self.groups.fold(Projection::settle);
        Ok(())
    }

    async fn read_state(&self, progress: &mut Progress<'_>) -> Result<(), BrokerError> {
        let state = self.broker.state().await?;
        // Places of what is read ahead belong to the stream as it is now. In the same stream the node stays where it is:
        // a connection that was let in a moment ago must not take itself for live from the beginning.
        let start = Position::start(state.position().incarnation());
        self.groups.fold(|known| {
            if known.position().incarnation() != start.incarnation() {
                known.continue_from(start);
            }
        });
        self.learn_from(state, progress).await
    }

    async fn learn_from(&self, mut state: Box<dyn Reader>, progress: &mut Progress<'_>) -> Result<(), BrokerError> {
        loop {
            let batch = state.next().await?;
            if batch.is_empty() {
                return Ok(());
            }
            for record in &batch {
                self.handle(record, Mode::State).await;
            }
            progress.add(batch.len());
        }
    }

    pub(super) fn tell_sizes(&self) {
        let sizes = self.groups.read(|known| known.sizes());
        self.metrics.set_retained_values(sizes.retained);
        self.metrics.set_revocations(sizes.revocations);
        self.metrics.set_role_overrides(sizes.roles);
        self.metrics.set_grants(sizes.grants);
        self.metrics.set_projection_bytes(sizes.bytes);
    }
}

/// How far the reading has come, told every few seconds.
struct Progress<'a> {
    pipeline: &'a Pipeline,
    begun: Instant,
    told: Instant,
    read: u64,
    /// How many there are to read, as far as it is known: offsets have holes, and state is only counted as it comes.
    of: u64,
}

impl<'a> Progress<'a> {
    fn new(pipeline: &'a Pipeline) -> Self {
        let now = Instant::now();
        Self { pipeline, begun: now, told: now, read: 0, of: 0 }
    }

    /// So many more places lie ahead.
    fn expect(&mut self, places: u64) {
        self.of = self.read + places;
        self.add(0);
    }

    fn add(&mut self, records: usize) {
        self.read += records as u64;
        self.pipeline.status.set_progress(self.read, self.of);
        self.pipeline.metrics.set_read_back(self.read, self.of.max(self.read));
        if self.told.elapsed() < TELL {
            return;
        }
        self.told = Instant::now();
        let rate = self.read as f64 / self.begun.elapsed().as_secs_f64();
        let (read, of, per_second) = (self.read, self.of.max(self.read), rate as u64);
        tracing::info!(read, of, percent = read * 100 / of.max(1), per_second, "reading back the log");
    }
}
