//! The connection: made in the background, retried with growing, jittered pauses.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::Client;
use fanfare_failure::with_causes;
use tokio::sync::{broadcast, watch};

use super::durability;
use super::listener::{Listener, Phase, Role, Told};
use super::login::{Files, client_options, refused_connection};
use super::options::{OpenError, Options};
use super::pause::pause;
use crate::error::BrokerError;

/// How long one attempt may take, and how long the very first call waits for the first attempt.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Refusals that callers have not seen yet; of more, the oldest are dropped, and their callers time out.
const REFUSALS: usize = 64;

/// How long a closing connection may take to send its pending data.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);

/// The oldest usable server: older ones have no names for consumers that are not durable.
const OLDEST_SERVER: (i64, i64, i64) = (2, 9, 0);

/// The connection of one broker.
pub(super) struct Link {
    told: Told,
    used: Arc<Mutex<Used>>,
}

/// The client in use, and what hears it.
struct Used {
    client: Option<Client>,
    listener: Listener,
}

/// A connection with another login, which works.
pub(super) struct Other {
    client: Client,
    listener: Listener,
}

impl Link {
    /// Starts to connect.
    pub(super) fn open(options: &Options) -> Result<Self, OpenError> {
        let files = Files::read(&options.login, options.tls.as_ref())?;
        for server in &options.servers {
            if let Err(e) = server.parse::<async_nats::ServerAddr>() {
                let what = "a server is host:port, nats://host:port or tls://host:port";
                return Err(OpenError::Invalid(format!("NATS server {server:?}: {e}; {what}")));
            }
        }
        let away = Phase::Away { reason: "connecting to NATS".into(), first: true };
        let (phase, refusals) = (watch::Sender::new(away), broadcast::Sender::new(REFUSALS));
        let told = Told { phase, refusals, deaf: Arc::default() };
        let listener = Listener::new(told.clone(), Role::Trying);
        let used = Arc::new(Mutex::new(Used { client: None, listener: listener.clone() }));
        tokio::spawn(connect(options.clone(), files, listener, Arc::clone(&used)));
        Ok(Self { told, used })
    }

    /// Makes a connection with the login of these options, beside the one in use, and asks something over it. Nothing
    /// changes by it.
    ///
    /// # Errors
    /// Why it is of no use.
    pub(super) async fn try_other(&self, options: &Options, question: String) -> Result<Other, String> {
        let files = Files::read(&options.login, options.tls.as_ref()).map_err(|error| error.to_string())?;
        let listener = Listener::new(self.told.clone(), Role::Candidate);
        let connecting = client_options(options, &files, &listener).connect(&options.servers[..]).await;
        let client = connecting.map_err(|error| {
            refused_connection(&error).unwrap_or_else(|| format!("no connection to NATS: {}", with_causes(&error)))
        })?;
        if let Some(refused) = refused_server(&client) {
            return Err(refused);
        }
        let asking = client.request(question.clone(), bytes::Bytes::new());
        tokio::select! {
            biased;
            said = listener.refused_candidate() => Err(format!("this login has too few rights: {said}")),
            answer = asking => match answer {
                Ok(_) => Ok(Other { client, listener }),
                Err(error) => Err(format!("NATS does not answer this login at {question}: {error}")),
            },
        }
    }

    /// Uses what was tried for all that comes. What the connection before was asked it still answers for a while.
    pub(super) fn use_other(&self, other: Other, patience: Duration) {
        let Other { client, listener } = other;
        let before = {
            let mut used = self.used();
            if listener.is_closed() {
                return;
            }
            used.listener.set_role(Role::Replaced);
            listener.set_role(Role::Current);
            used.listener = listener.clone();
            let before = used.client.replace(client);
            listener.connected();
            before
        };
        tokio::spawn(async move {
            tokio::time::sleep(patience).await;
            listener.alone();
            if let Some(before) = before {
                let _ = before.drain().await;
            }
        });
    }

    fn used(&self) -> MutexGuard<'_, Used> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client, if it is connected. Waits only for the first attempt.
    pub(super) async fn client(&self) -> Result<(Client, u64), BrokerError> {
        let mut phase = self.told.phase.subscribe();
        let tried = phase.wait_for(|phase| !matches!(phase, Phase::Away { first: true, .. }));
        let _ = tokio::time::timeout(CONNECT_TIMEOUT, tried).await;
        // Looked at together: another login takes the place of both.
        let used = self.used();
        let phase = self.told.phase.borrow().clone();
        let connection = match phase {
            Phase::Connected { now, .. } => now,
            Phase::Away { reason, .. } => return Err(BrokerError::Unavailable(reason)),
            Phase::Refused(reason) => return Err(BrokerError::Refused(reason)),
            Phase::Closed => return Err(BrokerError::Closed),
        };
        match used.client.clone() {
            Some(client) => Ok((client, connection)),
            None => Err(BrokerError::Unavailable("connecting to NATS".into())),
        }
    }

    /// The version of the server that is connected, or was last.
    pub(super) fn version(&self) -> Option<String> {
        self.used().client.as_ref().map(|client| client.server_info().version)
    }

    /// Waits until the connection answers no more.
    pub(super) async fn lost(&self, connection: u64) {
        let mut phase = self.told.phase.subscribe();
        // The sender lives as long as this borrow.
        let _ = phase.wait_for(|phase| !phase.has(connection)).await;
    }

    /// Waits until there is a connection, or never will be one.
    pub(super) async fn decided(&self) {
        let mut phase = self.told.phase.subscribe();
        let _ = phase.wait_for(|phase| matches!(phase, Phase::Connected { .. } | Phase::Closed)).await;
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(*self.told.phase.borrow(), Phase::Closed)
    }

    /// The server's refusals from now on.
    pub(super) fn refusals(&self) -> broadcast::Receiver<Arc<str>> {
        self.told.refusals.subscribe()
    }

    /// The server's error when it refused the subscription for answers; it sends that once per connection.
    pub(super) fn deaf(&self) -> Option<Arc<str>> {
        self.told.deaf.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends all waiting calls, sends accepted data, and closes the connection.
    pub(super) async fn close(&self) {
        let Some(client) = self.abandon() else { return };
        let _ = tokio::time::timeout(FLUSH_PATIENCE, client.flush()).await;
        // Closes the connection even if somebody still holds the client.
        let _ = client.drain().await;
    }

    /// Ends all waiting calls; the connection is closed with its last user.
    pub(super) fn abandon(&self) -> Option<Client> {
        let mut used = self.used();
        self.told.phase.send_replace(Phase::Closed);
        used.client.take()
    }
}

/// Why a server is not used, if it is not.
fn refused_server(client: &Client) -> Option<String> {
    let found = client.server_info().version;
    let (major, minor, patch) = OLDEST_SERVER;
    if !client.is_server_compatible(major, minor, patch) {
        return Some(format!("the NATS server is version {found}; {major}.{minor} or newer is needed"));
    }
    durability::refused_version(&found)
}

/// Connects for the first time; after that the client itself reconnects.
async fn connect(options: Options, files: Files, listener: Listener, used: Arc<Mutex<Used>>) {
    for attempt in 1.. {
        let connecting = client_options(&options, &files, &listener).connect(&options.servers[..]).await;
        {
            let mut used = used.lock().unwrap_or_else(PoisonError::into_inner);
            // Another login may have come in between, and is the one that counts.
            if listener.is_closed() || listener.role() != Role::Trying {
                return;
            }
            match connecting {
                Ok(connected) => match refused_server(&connected) {
                    Some(refused) => listener.refused(refused),
                    None => {
                        used.client = Some(connected);
                        listener.set_role(Role::Current);
                        listener.connected();
                        return;
                    }
                },
                Err(error) => match refused_connection(&error) {
                    Some(refused) => listener.refused(refused),
                    None => {
                        let servers = options.servers.join(", ");
                        listener.away(format!("no NATS server at {servers}: {}", with_causes(&error)));
                    }
                },
            }
        }
        tokio::time::sleep(pause(attempt)).await;
    }
}
