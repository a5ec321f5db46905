//! The driver of the follower: asks the broker its questions, and carries out its actions.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fanfare_broker::{Broker, BrokerError, Position, Reader};
use fanfare_failure::jittered;
use fanfare_telemetry::metrics::FanoutMetrics;

use super::follower::{Answer, Ask, Do, Follower, Mode, Step};
use super::progress::Progress;
use super::recent::RecentRecords;
use super::throttle::{Counts, Throttles};
use super::{DeadLetterWriter, EventBytes, EventPaths, Presence, Schemas, Status};
use crate::groups::Groups;
use crate::route::Routes;
use crate::seal::Seal;

/// The replay window: whichever of the two ends first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// How far back in time.
    pub age: Duration,
    /// How many records.
    pub records: u64,
}

/// Everything that carries events from the log to the groups.
pub struct Pipeline {
    /// Where the log is.
    pub broker: Arc<dyn Broker>,
    /// The schemas of a schema registry.
    pub schemas: Schemas,
    /// The routes, with the schemas of the events.
    pub routes: Routes,
    /// The state shared with the sockets.
    pub groups: Arc<Groups>,
    /// Seals cursors.
    pub seal: Seal,
    /// Counts.
    pub metrics: Arc<FanoutMetrics>,
    /// The health, which it keeps up to date.
    pub status: Arc<Status>,
    /// Writes dead letters.
    pub letters: DeadLetterWriter,
    /// The progress of reading back.
    pub window: Window,
    /// The largest body that is delivered, in bytes.
    pub event_bytes: EventBytes,
    /// Kept for tabs that return.
    pub recent: Arc<RecentRecords>,
    /// What became of the newest events, for operators.
    pub paths: Arc<EventPaths>,
    /// Presence; none if no hub has it.
    pub presence: Option<Presence>,
    /// The throttles.
    pub(crate) throttles: Mutex<Throttles>,
    /// Whether risks of the broker make the node degraded: in production they do.
    pub tells_risks: bool,
}

/// The readers that are open.
#[derive(Default)]
struct Open {
    log: Option<Box<dyn Reader>>,
    state: Option<Box<dyn Reader>>,
    /// As long as the node does not take connections.
    progress: Option<Progress>,
}

impl Pipeline {
    /// Reads back and follows, for as long as the process lives.
    ///
    /// A broker that is away is asked again with growing pauses; nothing is skipped meanwhile.
    ///
    /// # Errors
    /// [`BrokerError::Refused`] if the broker refuses before the node could work at all; waiting is no help then.
    pub async fn run(mut self) -> Result<(), BrokerError> {
        let presence = self.presence.take();
        let tells = async {
            match presence {
                Some(presence) => presence.run(&self.groups, &self.metrics).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            outcome = self.read() => outcome,
            never = self.watch() => match never {},
            never = tells => match never {},
        }
    }

    async fn read(&self) -> Result<(), BrokerError> {
        let mut follower = Follower::new(self.window);
        let mut open = Open { progress: Some(Progress::new()), ..Open::default() };
        loop {
            let step = self.groups.read(|known| follower.next(known.position()));
            match step {
                Step::Do(Do::End(outcome)) => return outcome,
                Step::Do(what) => self.perform(what, &mut open).await,
                Step::Ask(ask) => {
                    let given = self.meanwhile(self.ask(ask, &mut open)).await;
                    if let Some(progress) = &mut open.progress {
                        progress.tell(self);
                    }
                    match &given {
                        Ok(_) => self.note_success(),
                        Err(error) => {
                            // Nothing that was open is asked again.
                            (open.log, open.state) = (None, None);
                            self.fault(error);
                        }
                    }
                    self.groups.read(|known| follower.answer(given, known.position()));
                }
            }
        }
    }

    async fn ask(&self, ask: Ask, open: &mut Open) -> Result<Answer, BrokerError> {
        match ask {
            Ask::Head => self.broker.head().await.map(Answer::At),
            Ask::Window(window) => self.broker.window(window.age, window.records).await.map(Answer::At),
            Ask::OpenState => {
                let reader = self.broker.state().await?;
                Ok(Answer::At(open.state.insert(reader).position().clone()))
            }
            Ask::OpenLog(after) => {
                open.log = None;
                let reader = self.broker.read(&after).await?;
                Ok(Answer::At(open.log.insert(reader).position().clone()))
            }
            Ask::ReadState => {
                let answer = next(open.state.as_mut()).await?;
                if matches!(&answer, Answer::Batch(records, _) if records.is_empty()) {
                    open.state = None;
                }
                Ok(answer)
            }
            Ask::ReadLog => next(open.log.as_mut()).await,
            Ask::Nothing => Err(BrokerError::Closed),
        }
    }

    async fn perform(&self, what: Do, open: &mut Open) {
        let is_end_of_batch = matches!(what, Do::Pass(_));
        match &what {
            // What waits belongs to the old log.
            Do::Change(_) | Do::Apply(_) => self.tell_waiting().await,
            Do::Take(..) => self.tell_due().await,
            _ => {}
        }
        match what.at_once(&self.groups, &self.recent) {
            None => {}
            Some(Do::Take(record, mode)) => {
                if let Some(progress) = open.progress.as_mut().filter(|_| mode != Mode::Live) {
                    progress.add();
                }
                self.handle(&record, mode).await;
            }
            Some(Do::Apply(effect)) => self.groups.apply(effect).await,
            Some(Do::Ready(false)) => {
                self.status.set_caught_up(false);
                open.progress = Some(Progress::new());
            }
            Some(Do::Ready(true)) => {
                self.status.set_caught_up(true);
                self.tell_sizes();
                if let Some(progress) = open.progress.take() {
                    progress.end(self);
                }
            }
            Some(Do::Expect(places)) => {
                if let Some(progress) = &mut open.progress {
                    progress.expect(places);
                }
            }
            Some(Do::Lost(places)) => {
                tracing::error!(records = places, "records left the retention before this node read them");
                self.metrics.records_lost(places);
            }
            Some(Do::Replaced) => {
                tracing::warn!(
                    "the log was recreated: reading its state, then its events from the start of the window"
                );
                self.tell_replaced();
            }
            Some(Do::Wait(pause)) => self.meanwhile(tokio::time::sleep(jittered(pause))).await,
            // Those are done, or end the loop.
            Some(Do::Pass(_) | Do::Begin(_) | Do::Change(_) | Do::Told(_) | Do::End(_)) => {}
        }
        if is_end_of_batch {
            self.tell_sizes();
        }
    }

    fn note_success(&self) {
        self.status.set_reads(None);
        self.metrics.set_broker_connected(self.status.is_connected());
    }

    fn fault(&self, error: &BrokerError) {
        tracing::warn!(%error, "reading the log failed");
        self.status.set_reads(Some(error.to_string()));
        self.metrics.set_broker_connected(false);
    }

    pub(super) fn read_position(&self) -> Position {
        self.groups.read(|known| known.position().clone())
    }

    pub(super) fn tell_sizes(&self) {
        let sizes = self.groups.read(|known| known.sizes());
        self.metrics.set_retained_values(sizes.retained);
        self.metrics.set_revocations(sizes.revocations);
        self.metrics.set_role_overrides(sizes.roles);
        self.metrics.set_grants(sizes.grants);
        self.metrics.set_org_states(sizes.orgs);
        self.metrics.set_projection_bytes(sizes.bytes);
        let Counts { overtaken, beyond } = self.throttles.lock().unwrap_or_else(PoisonError::into_inner).take_counts();
        self.metrics.throttled(overtaken, beyond);
        if beyond > 0 {
            tracing::warn!(
                notifications = beyond,
                "too many notifications wait in throttles: these were delivered at once"
            );
        }
    }
}

async fn next(reader: Option<&mut Box<dyn Reader>>) -> Result<Answer, BrokerError> {
    // The follower asks no reader that it has not opened.
    let Some(reader) = reader else { return Err(BrokerError::Unavailable("no reader is open".to_owned())) };
    let records = reader.next().await?;
    Ok(Answer::Batch(records, reader.position().clone()))
}
