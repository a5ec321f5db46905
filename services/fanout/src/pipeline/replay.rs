//! Reading the log again for a tab that returns.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Broker, BrokerError, Position, Reader};
use fanfare_event::{Event, Registry};
use smallvec::SmallVec;
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::decode;
use super::reader::{Window, reached};
use crate::groups::name::GroupName;
use crate::projection::{Bounds, Place, Projection, Verdict, seal_cursor};
use crate::route::{Route, RouteTable};
use crate::seal::Seal;

/// How long a resume waits for its turn and for each batch.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a resume gives nothing; the text is the client's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ResumeError {
    /// The cursor is not one of this server's.
    #[error("The cursor was not issued by this server.")]
    UnknownCursor,
    /// Too many others resume at the same time.
    #[error("Too many resumes at once. Try again in a few seconds.")]
    Busy,
    /// The log cannot be read now.
    #[error("The event log cannot be read now. Try again in a few seconds.")]
    Unavailable,
    /// The tab does not take what it is sent.
    #[error("The connection does not take what it is sent.")]
    TooSlow,
    /// The connection ended meanwhile.
    #[error("The connection has ended.")]
    Gone,
}

impl From<BrokerError> for ResumeError {
    fn from(error: BrokerError) -> Self {
        tracing::warn!(%error, "a resume could not read the log");
        Self::Unavailable
    }
}

/// Opens replays; shared by all shards of a node.
#[derive(Clone)]
pub struct Replay {
    broker: Arc<dyn Broker>,
    registry: Arc<Registry>,
    routes: Arc<RouteTable>,
    seal: Seal,
    window: Window,
    bounds: Bounds,
    permits: Arc<Semaphore>,
}

/// One notification of an event of the past.
#[derive(Debug, Clone)]
pub struct Notification {
    /// The route that asked for it.
    pub route: Arc<Route>,
    /// Its audience.
    pub groups: SmallVec<[GroupName; 2]>,
}

/// One event of the past.
#[derive(Debug)]
pub struct Replayed {
    /// Where in the log.
    pub place: Place,
    /// The cursor behind it.
    pub cursor: String,
    /// The event.
    pub event: Arc<Event>,
    /// What was sent about it, to whom.
    pub notifications: Vec<Notification>,
}

impl Replay {
    /// A reader of the past.
    #[must_use]
    pub fn new(
        broker: Arc<dyn Broker>,
        registry: Arc<Registry>,
        routes: Arc<RouteTable>,
        seal: Seal,
        window: Window,
        bounds: Bounds,
        reads_at_once: usize,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(reads_at_once));
        Self { broker, registry, routes, seal, window, bounds, permits }
    }

    /// Opens a replay of what lies behind `after`, up to `until`.
    ///
    /// # Errors
    /// [`ResumeError`] if the log cannot be read now.
    pub async fn open(&self, after: &Position, until: Position) -> Result<Replaying, ResumeError> {
        let turn = tokio::time::timeout(PATIENCE, Arc::clone(&self.permits).acquire_owned());
        let Ok(Ok(permit)) = turn.await else { return Err(ResumeError::Busy) };
        let oldest = self.broker.window(self.window.age, self.window.records).await?;
        // From positions alone, so that every node answers alike.
        let mut complete = after.incarnation() == oldest.incarnation() && reached(after, &oldest);
        let mut from = if complete { after.clone() } else { oldest };
        let reader = if reached(&from, &until) {
            None
        } else {
            match self.broker.read(&from).await {
                Err(BrokerError::Trimmed { oldest }) => {
                    complete = false;
                    from = oldest;
                    Some(self.broker.read(&from).await?)
                }
                opened => Some(opened?),
            }
        };
        let known = Projection::new(from, &self.bounds);
        Ok(Replaying { replay: self.clone(), reader, until, known, complete, _permit: permit })
    }
}

impl std::fmt::Debug for Replay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Replay").field("window", &self.window).finish_non_exhaustive()
    }
}

/// A replay under way; reads the log only as it is asked for more.
pub struct Replaying {
    replay: Replay,
    reader: Option<Box<dyn Reader>>,
    until: Position,
    /// Drops duplicates and what was out of date when it was first read, as the live path did.
    known: Projection,
    complete: bool,
    _permit: OwnedSemaphorePermit,
}

impl Replaying {
    /// Whether everything behind the cursor is still in the window.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    /// The next events, or nothing at the end.
    ///
    /// # Errors
    /// [`ResumeError`] if the log cannot be read on.
    pub async fn next(&mut self) -> Result<Option<Vec<Replayed>>, ResumeError> {
        if reached(self.known.position(), &self.until) {
            return Ok(None);
        }
        let Some(reader) = &mut self.reader else { return Ok(None) };
        let batch = match tokio::time::timeout(PATIENCE, reader.next()).await {
            Ok(batch) => batch?,
            Err(_) => return Err(ResumeError::Unavailable),
        };
        let mut found = Vec::new();
        for record in batch {
            let place = Place::of(&record);
            if !place.is_within(&self.until) {
                continue;
            }
            let Ok(Some(event)) = decode(&self.replay.registry, &record) else {
                self.known.skip(&record);
                continue;
            };
            let event = Arc::new(event);
            let Ok(matches) = self.replay.routes.resolve(&event) else {
                self.known.skip(&record);
                continue;
            };
            if self.known.fold(&record, &event, &matches).verdict != Verdict::New {
                continue;
            }
            let cursor = seal_cursor(&self.replay.seal, self.known.position());
            let notifications = matches
                .into_iter()
                .map(|found| Notification { route: Arc::clone(found.route), groups: found.groups })
                .collect();
            found.push(Replayed { place, cursor, event, notifications });
        }
        Ok(Some(found))
    }
}
