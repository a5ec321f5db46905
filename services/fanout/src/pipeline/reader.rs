//! The reader of the log: reads back what a node must know, then follows.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Broker, BrokerError, Position, Reader};
use fanfare_event::Registry;
use fanfare_telemetry::metrics::FanoutMetrics;

use super::dispatch::Mode;
use super::{Schemas, Status};
use crate::clock::unix_millis;
use crate::groups::Groups;
use crate::route::RouteTable;
use crate::seal::Seal;

/// The first pause after a failed read; doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between two tries.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The replay window: whichever of the two ends first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How far back in time.
    pub age: Duration,
    /// How many records.
    pub records: u64,
}

/// What carries events from the log to the groups.
pub struct Pipeline {
    /// Where the log is.
    pub broker: Arc<dyn Broker>,
    /// The schemas.
    pub registry: Arc<Registry>,
    /// The schemas of a schema registry.
    pub schemas: Schemas,
    /// Who hears what.
    pub routes: Arc<RouteTable>,
    /// The state shared with the sockets.
    pub groups: Arc<Groups>,
    /// Seals cursors.
    pub seal: Seal,
    /// Counts.
    pub metrics: Arc<FanoutMetrics>,
    /// Told how it goes.
    pub status: Arc<Status>,
    /// What is read back.
    pub window: Window,
}

impl Pipeline {
    /// Reads back and follows, for as long as the process lives.
    ///
    /// A broker that is away is asked again with growing pauses; nothing is skipped meanwhile.
    pub async fn run(self) {
        let mut pause = FIRST_PAUSE;
        let mut caught_up = false;
        loop {
            let outcome = if caught_up {
                self.follow(&mut pause).await
            } else {
                self.catch_up().await.map(|()| caught_up = true)
            };
            let Err(error) = outcome else { continue };
            match &error {
                BrokerError::Closed => return,
                BrokerError::OtherIncarnation { .. } => {
                    tracing::warn!(%error, "the log is a new one: reading it from its start");
                    caught_up = false;
                }
                BrokerError::Trimmed { oldest } => {
                    tracing::error!("records left the retention before this node read them");
                    let oldest = oldest.clone();
                    self.groups.fold(|known| known.continue_from(oldest));
                }
                BrokerError::Unavailable(_) | BrokerError::Refused(_) | BrokerError::Damaged(_) => {}
            }
            self.connected(false);
            tracing::warn!(%error, pause_ms = pause.as_millis() as u64, "reading the log failed");
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Reads the compacted state and the window, so that the node knows what the others know.
    async fn catch_up(&self) -> Result<(), BrokerError> {
        let begun = std::time::Instant::now();
        let mut state = self.broker.state().await?;
        let mut records = 0usize;
        loop {
            let batch = state.next().await?;
            if batch.is_empty() {
                break;
            }
            records += batch.len();
            for record in &batch {
                self.handle(record, Mode::State).await;
            }
        }
        let start = self.broker.window(self.window.age, self.window.records).await?;
        let head = self.broker.head().await?;
        self.groups.fold(|known| known.continue_from(start.clone()));
        let mut reader = self.broker.read(&start).await?;
        while !reached(&self.read_position(), &head) {
            for record in &reader.next().await? {
                self.handle(record, Mode::CatchingUp).await;
                records += 1;
            }
        }
        self.groups.pass(&self.read_position());
        self.status.set_learnt(self.read_position());
        self.status.set_caught_up();
        self.connected(true);
        let took_ms = begun.elapsed().as_millis() as u64;
        tracing::info!(records, took_ms, "the log is read back");
        Ok(())
    }

    async fn follow(&self, pause: &mut Duration) -> Result<(), BrokerError> {
        let mut reader = self.broker.read(&self.read_position()).await?;
        loop {
            let batch = self.next(&mut reader).await?;
            *pause = FIRST_PAUSE;
            self.connected(true);
            for record in &batch {
                self.handle(record, Mode::Live).await;
            }
            let (retained, revocations, roles) = self.groups.read(|known| known.sizes());
            self.metrics.set_retained_values(retained);
            self.metrics.set_revocations(revocations);
            self.metrics.set_role_overrides(roles);
        }
    }

    async fn next(&self, reader: &mut Box<dyn Reader>) -> Result<Vec<fanfare_broker::Record>, BrokerError> {
        let batch = reader.next().await?;
        let stored = batch.last().map_or(0, |record| record.time);
        let lag_ms = unix_millis().saturating_sub(stored).max(0);
        self.status.set_lag(lag_ms);
        self.metrics.set_reader_lag(Duration::from_millis(lag_ms.unsigned_abs()));
        Ok(batch)
    }

    fn connected(&self, connected: bool) {
        self.status.set_connected(connected);
        self.metrics.set_broker_connected(connected);
    }

    fn read_position(&self) -> Position {
        self.groups.read(|known| known.position().clone())
    }
}

/// Whether a reader at `position` has read everything up to `goal`.
pub(super) fn reached(position: &Position, goal: &Position) -> bool {
    goal.offsets().iter().all(|(partition, offset)| position.covers(*partition, *offset))
}

/// A pause between half and all of `pause`, so that nodes do not come back together.
pub(super) fn jittered(pause: Duration) -> Duration {
    let nanos = u64::from(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().subsec_nanos(),
    );
    pause / 2 + pause.mul_f64((nanos % 1000) as f64 / 2000.0)
}
