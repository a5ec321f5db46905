//! The reader of the log: follows it once it has been read back.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Broker, BrokerError, Position, Reader, Record};
use fanfare_event::Registry;
use fanfare_telemetry::metrics::FanoutMetrics;

use super::dispatch::Mode;
use super::recent::Recent;
use super::{DeadLetters, Schemas, Status};
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
    /// Keeps what cannot be used.
    pub letters: DeadLetters,
    /// What is read back.
    pub window: Window,
    /// The largest body that is delivered, in bytes.
    pub event_bytes: usize,
    /// Kept for tabs that return.
    pub recent: Arc<Recent>,
    /// Whether what the broker may lose is a reason for degraded health: in production it is.
    pub tells_risks: bool,
}

/// What is to be done next.
enum Stage {
    /// Read back what the node must know.
    Start,
    /// The stream is a new one: learn what it says, and go on in it.
    Renew,
    /// Records were lost: learn the state anew, and go on behind them.
    Relearn(Position),
    /// Read on from where the node is.
    Reopen,
    /// Follow.
    Follow(Box<dyn Reader>),
}

impl Pipeline {
    /// Reads back and follows, for as long as the process lives.
    ///
    /// A broker that is away is asked again with growing pauses; nothing is skipped meanwhile.
    ///
    /// # Errors
    /// [`BrokerError::Refused`] if the broker refuses before the node could work at all; waiting is no help then.
    pub async fn run(self) -> Result<(), BrokerError> {
        tokio::select! {
            outcome = self.read() => outcome,
            never = self.watch() => match never {},
        }
    }

    async fn read(&self) -> Result<(), BrokerError> {
        let (mut stage, mut pause, mut has_worked) = (Stage::Start, FIRST_PAUSE, false);
        // What of a new stream was there when the reading of it began; kept over faults until it has been read.
        let mut goal = None;
        loop {
            let (outcome, again) = match stage {
                Stage::Start => (self.catch_up().await.map(Stage::Follow), Stage::Start),
                Stage::Renew => {
                    let renewed = self.renew().await.map(|(reader, head)| {
                        goal = Some(head);
                        Stage::Follow(reader)
                    });
                    (renewed, Stage::Renew)
                }
                Stage::Relearn(after) => {
                    let learnt = self.relearn(&after).await.map(|()| {
                        // Of a new stream, too, that was all its state.
                        goal = None;
                        Stage::Reopen
                    });
                    (learnt, Stage::Relearn(after))
                }
                Stage::Reopen => {
                    let opened = self.broker.read(&self.read_position()).await;
                    (opened.map(Stage::Follow), Stage::Reopen)
                }
                Stage::Follow(reader) => {
                    has_worked = true;
                    let Err(error) = self.follow(reader, &mut goal, &mut pause).await;
                    (Err(error), Stage::Reopen)
                }
            };
            let error = match outcome {
                Ok(next) => {
                    stage = next;
                    continue;
                }
                Err(error) => error,
            };
            stage = match &error {
                BrokerError::Closed => return Ok(()),
                BrokerError::Refused(_) if !has_worked => return Err(error),
                BrokerError::OtherIncarnation { .. } if has_worked => {
                    tracing::warn!(%error, "the log is a new one: reading what it says, and on from its window");
                    self.tell_replaced();
                    self.status.set_caught_up(false);
                    Stage::Renew
                }
                BrokerError::Trimmed { oldest } if has_worked => Stage::Relearn(self.lost(oldest)),
                _ => again,
            };
            self.fault(&error);
            tracing::warn!(%error, pause_ms = pause.as_millis() as u64, "reading the log failed");
            tokio::time::sleep(jittered(pause)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    async fn follow(
        &self,
        mut reader: Box<dyn Reader>,
        goal: &mut Option<Position>,
        pause: &mut Duration,
    ) -> Result<Infallible, BrokerError> {
        self.recent.begin(reader.position());
        loop {
            if goal.as_ref().is_some_and(|goal| reached(&self.read_position(), goal)) {
                self.learn_state().await?;
                *goal = None;
                self.status.set_caught_up(true);
            }
            self.read_well();
            let batch = reader.next().await?;
            *pause = FIRST_PAUSE;
            self.handle_all(batch, reader.position(), Mode::Live).await;
            self.tell_sizes();
        }
    }

    /// Handles a batch of a reader that has come as far as `read`.
    pub(super) async fn handle_all(&self, batch: Vec<Record>, read: &Position, mode: Mode) {
        for record in batch {
            let record = Arc::new(record);
            // First to where a resume finds it: once it is folded, tabs are told that they are live behind it.
            self.recent.push(Arc::clone(&record));
            self.handle(&record, mode).await;
        }
        self.recent.pass(read);
        self.pass(read);
    }

    /// Counts what left the retention before it was read; with the position behind it.
    fn lost(&self, oldest: &Position) -> Position {
        let mut position = self.read_position();
        let lost = distance(&position, oldest);
        tracing::error!(records = lost, "records left the retention before this node read them");
        self.metrics.records_lost(lost);
        position.merge(oldest);
        position
    }

    /// Moves on to where a reader is: holes are read, too.
    pub(super) fn pass(&self, read: &Position) {
        let position = self.groups.fold(|known| {
            known.pass(read);
            known.position().clone()
        });
        self.groups.pass(&position);
    }

    pub(super) fn read_well(&self) {
        self.status.set_reads(None);
        self.metrics.set_broker_connected(self.status.is_connected());
    }

    fn fault(&self, error: &BrokerError) {
        self.status.set_reads(Some(error.to_string()));
        self.metrics.set_broker_connected(false);
    }

    pub(super) fn read_position(&self) -> Position {
        self.groups.read(|known| known.position().clone())
    }
}

/// Whether a reader at `position` has read everything up to `goal`.
pub(super) fn reached(position: &Position, goal: &Position) -> bool {
    goal.offsets().iter().all(|(partition, offset)| position.covers(*partition, *offset))
}

/// How many places lie between two positions, holes among them.
pub(super) fn distance(from: &Position, to: &Position) -> u64 {
    let parts = to.offsets().iter();
    // Offsets begin with 0 or 1, by broker: of a partition that was not read, one more or less is no matter.
    parts.map(|&(partition, offset)| offset.saturating_sub(from.offset(partition).unwrap_or(0))).sum()
}

/// A pause between half and all of `pause`, so that nodes do not come back together.
pub(super) fn jittered(pause: Duration) -> Duration {
    let nanos = u64::from(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default().subsec_nanos(),
    );
    pause / 2 + pause.mul_f64((nanos % 1000) as f64 / 2000.0)
}
