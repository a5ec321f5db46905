//! What a client tells of its connection, and the phase that follows from it.

use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{ClientError, Event, ServerError};
use tokio::sync::{broadcast, watch};

use super::login::{WRONG_LOGIN, refusal};

/// The server's error if it does not let answers through.
pub(super) const NO_INBOX: &str = "Subscription to \"_INBOX.";

/// The state of the connection.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// Not connected; the last reason.
    Away {
        reason: String,
        /// The first attempt has not ended yet.
        first: bool,
    },
    /// The server answers and refuses this client's configuration.
    Refused(String),
    /// Connected. Each connection has its own number.
    Connected {
        now: u64,
        /// The one with the login before, which still answers what it was asked.
        before: Option<u64>,
    },
    /// This process has closed it.
    Closed,
}

impl Phase {
    /// Whether this connection still answers.
    pub(super) fn has(&self, connection: u64) -> bool {
        matches!(self, Self::Connected { now, before } if *now == connection || *before == Some(connection))
    }
}

/// Which client is heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The first one, until it is connected.
    Trying,
    /// One with another login, which is tried beside the one in use.
    Candidate,
    /// The one in use.
    Current,
    /// One that another has replaced.
    Replaced,
}

/// What all clients of a link tell to.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) phase: watch::Sender<Phase>,
    pub(super) refusals: broadcast::Sender<Arc<str>>,
    pub(super) deaf: Arc<Mutex<Option<Arc<str>>>>,
}

/// Updates the phase from one client's events.
#[derive(Clone)]
pub(super) struct Listener {
    told: Told,
    role: Arc<Mutex<Role>>,
    /// What the server has refused a candidate.
    refused: watch::Sender<Option<Arc<str>>>,
}

impl Listener {
    pub(super) fn new(told: Told, role: Role) -> Self {
        Self { told, role: Arc::new(Mutex::new(role)), refused: watch::Sender::new(None) }
    }

    pub(super) fn role(&self) -> Role {
        *self.role.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_role(&self, role: Role) {
        *self.role.lock().unwrap_or_else(PoisonError::into_inner) = role;
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(*self.told.phase.borrow(), Phase::Closed)
    }

    /// Waits for what the server refuses a candidate.
    pub(super) async fn refused_candidate(&self) -> Arc<str> {
        let mut refused = self.refused.subscribe();
        // The sender lives as long as this borrow.
        let said = refused.wait_for(Option::is_some).await.map(|said| said.clone());
        said.ok().flatten().unwrap_or_default()
    }

    fn set(&self, next: impl FnOnce(&Phase) -> Option<Phase>) {
        self.told.phase.send_if_modified(|phase| {
            let next = if matches!(phase, Phase::Closed) { None } else { next(phase) };
            next.is_some_and(|next| {
                *phase = next;
                true
            })
        });
    }

    pub(super) fn away(&self, reason: impl Into<String>) {
        self.set(|_| Some(Phase::Away { reason: reason.into(), first: false }));
    }

    pub(super) fn refused(&self, reason: impl Into<String>) {
        self.set(|_| Some(Phase::Refused(reason.into())));
    }

    /// There is a connection; if there was one, it answers what it was asked until it leaves.
    pub(super) fn connected(&self) {
        // A number that no connection of this process had before.
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let now = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        *self.told.deaf.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.set(|phase| {
            let before = if let Phase::Connected { now, .. } = phase { Some(*now) } else { None };
            Some(Phase::Connected { now, before })
        });
    }

    /// The connection before this one answers no more.
    pub(super) fn alone(&self) {
        self.set(|phase| match phase {
            Phase::Connected { now, before: Some(_) } => Some(Phase::Connected { now: *now, before: None }),
            _ => None,
        });
    }

    pub(super) fn hear(&self, event: &Event) {
        match self.role() {
            Role::Candidate => {
                if let Event::ServerError(said) = event {
                    self.refused.send_replace(Some(said.to_string().into()));
                }
            }
            // What it was asked is asked again on the other one.
            Role::Replaced if matches!(event, Event::Disconnected) => self.alone(),
            Role::Replaced => {}
            // A connection that was refused for its server's version opens and closes without changing the reason.
            Role::Trying if matches!(event, Event::Connected | Event::Disconnected) => {}
            Role::Trying | Role::Current => self.hear_own(event),
        }
    }

    fn hear_own(&self, event: &Event) {
        match event {
            // The first connection is announced by its own task, once the client can be found.
            Event::Connected => {
                if matches!(&*self.told.phase.borrow(), Phase::Away { first: false, .. } | Phase::Refused(_)) {
                    self.connected();
                }
            }
            Event::Disconnected => self.away("the connection to NATS is lost"),
            Event::ServerError(ServerError::AuthorizationViolation) => self.refused(WRONG_LOGIN),
            Event::ServerError(ServerError::Other(said)) => {
                let said: Arc<str> = said.as_str().into();
                if said.contains(NO_INBOX) {
                    *self.told.deaf.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&said));
                }
                let _ = self.told.refusals.send(said);
            }
            Event::ClientError(ClientError::Other(said)) => {
                let refused = refusal(said);
                self.set(|phase| match (phase, refused) {
                    (Phase::Connected { .. }, _) => None,
                    (_, Some(refused)) => Some(Phase::Refused(refused)),
                    (_, None) => Some(Phase::Away { reason: format!("NATS: {said}"), first: false }),
                });
            }
            _ => {}
        }
    }
}
