//! The connection: made in the background, retried with growing, jittered pauses.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Client, ClientError, ConnectErrorKind, ConnectOptions, Event, ServerError};
use fanfare_failure::with_causes;
use tokio::sync::{broadcast, watch};

use super::durability;
use super::options::{Login, OpenError, Options};
use super::pause::pause;
use crate::error::BrokerError;

/// How long one attempt may take, and how long the very first call waits for the first attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Refusals that callers have not seen yet; of more, the oldest are dropped, and their callers time out.
const REFUSALS: usize = 64;

/// How long a closing connection may take to send its pending data.
const FLUSH_PATIENCE: Duration = Duration::from_secs(2);

/// The oldest usable server: older ones have no names for consumers that are not durable.
const OLDEST_SERVER: (i64, i64, i64) = (2, 9, 0);

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
    Connected(u64),
    /// This process has closed it.
    Closed,
}

/// The connection of one broker.
pub(super) struct Link {
    phase: watch::Sender<Phase>,
    client: Arc<Mutex<Option<Client>>>,
    refusals: broadcast::Sender<Arc<str>>,
    deaf: Arc<Mutex<Option<Arc<str>>>>,
}

impl Link {
    /// Starts to connect.
    pub(super) fn open(options: &Options) -> Result<Self, OpenError> {
        let credentials = read_files(options)?;
        for server in &options.servers {
            if let Err(e) = server.parse::<async_nats::ServerAddr>() {
                let what = "a server is host:port, nats://host:port or tls://host:port";
                return Err(OpenError::Invalid(format!("NATS server {server:?}: {e}; {what}")));
            }
        }
        let away = Phase::Away { reason: "connecting to NATS".into(), first: true };
        let link = Self {
            phase: watch::Sender::new(away),
            client: Arc::default(),
            refusals: broadcast::Sender::new(REFUSALS),
            deaf: Arc::default(),
        };
        let (phase, refusals, deaf) = (link.phase.clone(), link.refusals.clone(), Arc::clone(&link.deaf));
        let listener = Listener { phase, refusals, deaf, is_taken: Arc::default() };
        tokio::spawn(connect(options.clone(), credentials, listener, Arc::clone(&link.client)));
        Ok(link)
    }

    /// The client, if it is connected. Waits only for the first attempt.
    pub(super) async fn client(&self) -> Result<(Client, u64), BrokerError> {
        let mut phase = self.phase.subscribe();
        let tried = phase.wait_for(|phase| !matches!(phase, Phase::Away { first: true, .. }));
        let phase = match tokio::time::timeout(CONNECT_TIMEOUT, tried).await {
            Ok(Ok(phase)) => phase.clone(),
            _ => self.phase.borrow().clone(),
        };
        let connection = match phase {
            Phase::Connected(connection) => connection,
            Phase::Away { reason, .. } => return Err(BrokerError::Unavailable(reason)),
            Phase::Refused(reason) => return Err(BrokerError::Refused(reason)),
            Phase::Closed => return Err(BrokerError::Closed),
        };
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match client {
            Some(client) => Ok((client, connection)),
            None => Err(BrokerError::Unavailable("connecting to NATS".into())),
        }
    }

    /// The version of the server that is connected, or was last.
    pub(super) fn version(&self) -> Option<String> {
        let client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        client.as_ref().map(|client| client.server_info().version)
    }

    /// Waits until the connection is lost or replaced.
    pub(super) async fn lost(&self, connection: u64) {
        let mut phase = self.phase.subscribe();
        // The sender lives as long as this borrow.
        let _ = phase.wait_for(|phase| !matches!(phase, Phase::Connected(now) if *now == connection)).await;
    }

    /// Waits until there is a connection, or never will be one.
    pub(super) async fn decided(&self) {
        let mut phase = self.phase.subscribe();
        let _ = phase.wait_for(|phase| matches!(phase, Phase::Connected(_) | Phase::Closed)).await;
    }

    pub(super) fn is_closed(&self) -> bool {
        matches!(*self.phase.borrow(), Phase::Closed)
    }

    /// The server's refusals from now on.
    pub(super) fn refusals(&self) -> broadcast::Receiver<Arc<str>> {
        self.refusals.subscribe()
    }

    /// The server's error when it refused the subscription for answers; it sends that once per connection.
    pub(super) fn deaf(&self) -> Option<Arc<str>> {
        self.deaf.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
        self.phase.send_replace(Phase::Closed);
        self.client.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Updates the phase from the client's events.
#[derive(Clone)]
struct Listener {
    phase: watch::Sender<Phase>,
    refusals: broadcast::Sender<Arc<str>>,
    deaf: Arc<Mutex<Option<Arc<str>>>>,
    /// Whether there is a client; a refused one sends no events.
    is_taken: Arc<AtomicBool>,
}

impl Listener {
    fn set(&self, next: impl FnOnce(&Phase) -> Option<Phase>) {
        self.phase.send_if_modified(|phase| {
            let next = if matches!(phase, Phase::Closed) { None } else { next(phase) };
            next.is_some_and(|next| {
                *phase = next;
                true
            })
        });
    }

    fn away(&self, reason: impl Into<String>) {
        self.set(|_| Some(Phase::Away { reason: reason.into(), first: false }));
    }

    fn refused(&self, reason: impl Into<String>) {
        self.set(|_| Some(Phase::Refused(reason.into())));
    }

    fn connected(&self) {
        // A number that no connection of this process had before.
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let connection = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        *self.deaf.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.set(|_| Some(Phase::Connected(connection)));
    }

    fn hear(&self, event: &Event) {
        // A connection that was refused for its server's version opens and closes without changing the reason.
        if !self.is_taken.load(Ordering::Acquire) && matches!(event, Event::Connected | Event::Disconnected) {
            return;
        }
        match event {
            // The first connection is announced by its own task, once the client can be found.
            Event::Connected => {
                if matches!(&*self.phase.borrow(), Phase::Away { first: false, .. } | Phase::Refused(_)) {
                    self.connected();
                }
            }
            Event::Disconnected => self.away("the connection to NATS is lost"),
            Event::ServerError(ServerError::AuthorizationViolation) => self.refused(WRONG_LOGIN),
            Event::ServerError(ServerError::Other(said)) => {
                let said: Arc<str> = said.as_str().into();
                if said.contains(NO_INBOX) {
                    *self.deaf.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&said));
                }
                let _ = self.refusals.send(said);
            }
            Event::ClientError(ClientError::Other(said)) => {
                let refused = refusal(said);
                self.set(|phase| match (phase, refused) {
                    (Phase::Connected(_), _) => None,
                    (_, Some(refused)) => Some(Phase::Refused(refused)),
                    (_, None) => Some(Phase::Away { reason: format!("NATS: {said}"), first: false }),
                });
            }
            _ => {}
        }
    }
}

/// The server's error if it does not let answers through.
pub(super) const NO_INBOX: &str = "Subscription to \"_INBOX.";

const WRONG_LOGIN: &str = "the NATS server does not accept this login: the user, password, token or credentials file is \
                           wrong, or none is configured";

/// A plain sentence for errors that waiting does not fix.
fn refusal(said: &str) -> Option<String> {
    let lower = said.to_lowercase();
    if lower.contains("authorization violation") || lower.contains("failed signing nonce") {
        return Some(WRONG_LOGIN.to_owned());
    }
    if ["certificate", "tls", "fatal alert"].iter().any(|sign| lower.contains(sign)) {
        return Some(format!(
            "no encrypted connection to the NATS server: {said}; see ca_file, cert_file and key_file"
        ));
    }
    None
}

/// Reads login and certificate files once, so that a wrong path is reported at the start.
fn read_files(options: &Options) -> Result<Option<String>, OpenError> {
    let read = |path: &std::path::Path| {
        let fault = |e: std::io::Error| OpenError::File { path: path.to_owned(), reason: e.to_string() };
        std::fs::read_to_string(path).map_err(fault)
    };
    if let Some(tls) = &options.tls {
        let own = tls.certificate.iter().flat_map(|(certificate, key)| [certificate, key]);
        for path in tls.ca_file.iter().chain(own) {
            if !read(path)?.contains("-----BEGIN ") {
                return Err(OpenError::File { path: path.clone(), reason: "contains nothing in PEM form".into() });
            }
        }
    }
    let Login::CredentialsFile(path) = &options.login else { return Ok(None) };
    let text = read(path)?;
    if let Err(e) = ConnectOptions::with_credentials(&text) {
        let reason = format!("is no credentials file with a JWT and a seed: {e}");
        return Err(OpenError::File { path: path.clone(), reason });
    }
    Ok(Some(text))
}

fn client_options(options: &Options, credentials: Option<&str>, listener: &Listener) -> ConnectOptions {
    let login = ConnectOptions::new();
    let login = match (&options.login, credentials) {
        (Login::Password { user, password }, _) => login.user_and_password(user.clone(), password.clone()),
        (Login::Token(token), _) => login.token(token.clone()),
        (Login::Nkey(seed), _) => login.nkey(seed.clone()),
        // Checked when the file was read.
        (Login::CredentialsFile(_), Some(text)) => ConnectOptions::with_credentials(text).unwrap_or_default(),
        (Login::Nobody | Login::CredentialsFile(_), _) => login,
    };
    let listener = listener.clone();
    let mut client = login
        .name(&options.name)
        .connection_timeout(CONNECT_TIMEOUT)
        .request_timeout(Some(options.request_timeout))
        .ping_interval(Duration::from_secs(10))
        .reconnect_delay_callback(pause)
        .event_callback(move |event| {
            listener.hear(&event);
            std::future::ready(())
        });
    if let Some(tls) = &options.tls {
        client = client.require_tls(true);
        if let Some(ca) = &tls.ca_file {
            client = client.add_root_certificates(ca.clone());
        }
        if let Some((certificate, key)) = &tls.certificate {
            client = client.add_client_certificate(certificate.clone(), key.clone());
        }
    }
    client
}

/// Connects for the first time; after that the client itself reconnects.
async fn connect(
    options: Options,
    credentials: Option<String>,
    listener: Listener,
    client: Arc<Mutex<Option<Client>>>,
) {
    for attempt in 1.. {
        if matches!(*listener.phase.borrow(), Phase::Closed) {
            return;
        }
        let connecting =
            client_options(&options, credentials.as_deref(), &listener).connect(&options.servers[..]).await;
        match connecting {
            Ok(connected) => {
                let found = connected.server_info().version;
                let (major, minor, patch) = OLDEST_SERVER;
                if !connected.is_server_compatible(major, minor, patch) {
                    let needed = format!("the NATS server is version {found}; {major}.{minor} or newer is needed");
                    listener.refused(needed);
                } else if let Some(refused) = durability::refused_version(&found) {
                    listener.refused(refused);
                } else {
                    *client.lock().unwrap_or_else(PoisonError::into_inner) = Some(connected);
                    listener.is_taken.store(true, Ordering::Release);
                    listener.connected();
                    return;
                }
            }
            Err(error) => {
                let said = with_causes(&error);
                let refused = match error.kind() {
                    ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                        Some(WRONG_LOGIN.to_owned())
                    }
                    ConnectErrorKind::ServerParse => Some(format!("the address of a NATS server is wrong: {said}")),
                    _ => refusal(&said),
                };
                match refused {
                    Some(refused) => listener.refused(refused),
                    None => listener.away(format!("no NATS server at {}: {said}", options.servers.join(", "))),
                }
            }
        }
        tokio::time::sleep(pause(attempt)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_waiting_does_not_mend_is_a_refusal() {
        assert!(refusal("nats: authorization violation").is_some());
        assert!(refusal("IO error: invalid peer certificate: UnknownIssuer").is_some());
        assert!(refusal("IO error: received fatal alert: UnknownCA").is_some());
        assert!(refusal("IO error: Connection refused (os error 111)").is_none());
    }
}
