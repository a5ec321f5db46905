//! One request and its answer, with every way in which it can fail.

use async_nats::client::{RequestError, RequestErrorKind};
use async_nats::{HeaderMap, Request};
use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::broadcast;

use super::{Shared, listener};
use crate::error::BrokerError;

/// Why a request failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// It was not sent, or there was no responder.
    NotSent(BrokerError),
    /// The server does not allow it.
    Forbidden(String),
    /// No responder listens on the subject.
    Nobody,
    /// It may have been done.
    Unknown(String),
    /// The server answered that it did not do it.
    Fault(Fault),
}

/// The server's description of the error.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Fault {
    pub(super) code: u16,
    #[serde(default)]
    pub(super) err_code: u64,
    #[serde(default)]
    pub(super) description: String,
}

/// The server's error code: the stream does not exist.
pub(super) const STREAM_NOT_FOUND: u64 = 10059;
/// The server's error code: a stream with that name exists.
pub(super) const STREAM_NAME_IN_USE: u64 = 10058;
/// The server's error code: a stream's files cannot be created, for instance because old ones are being removed.
pub(super) const STORE_NOT_MADE: u64 = 10049;
/// The server's error code: another stream has some of these subjects.
pub(super) const SUBJECTS_OVERLAP: u64 = 10065;
/// The server's error code: the message does not exist.
pub(super) const NO_MESSAGE: u64 = 10037;
/// The server's error code: the subject's last message is not the expected one.
pub(super) const WRONG_LAST_SEQUENCE: u64 = 10071;
/// The server's error code: the message is larger than the stream accepts.
pub(super) const TOO_LARGE: u64 = 10054;
const JETSTREAM_NOT_ENABLED: [u64; 2] = [10076, 10039];

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer<T> {
    Fault { error: Fault },
    Good(T),
}

impl Failure {
    /// Converts the failure into an error of reading.
    pub(super) fn into_broker_error(self) -> BrokerError {
        match self {
            Self::NotSent(error) => error,
            Self::Forbidden(said) => BrokerError::Refused(said),
            Self::Nobody => BrokerError::Unavailable(NO_JETSTREAM.into()),
            Self::Unknown(said) => BrokerError::Unavailable(said),
            Self::Fault(fault) if JETSTREAM_NOT_ENABLED.contains(&fault.err_code) => {
                BrokerError::Refused(format!("JetStream is not enabled for this login: {}", fault.description))
            }
            Self::Fault(fault) => BrokerError::Unavailable(format!("NATS: {} ({})", fault.description, fault.err_code)),
        }
    }

    pub(super) fn is(&self, number: u64) -> bool {
        matches!(self, Self::Fault(fault) if fault.err_code == number)
    }
}

const NO_JETSTREAM: &str = "JetStream does not answer; it may not be enabled on the NATS server";

impl Shared {
    /// Sends a request to the JetStream API.
    pub(super) async fn api<T: DeserializeOwned>(
        &self,
        subject: &str,
        payload: &serde_json::Value,
    ) -> Result<T, Failure> {
        let subject = format!("$JS.API.{subject}");
        let payload = if payload.is_null() { Bytes::new() } else { payload.to_string().into() };
        let answered = self.ask(&subject, None, payload).await;
        if matches!(answered, Err(Failure::Nobody)) && self.has_no_jetstream().await {
            return Err(Failure::Forbidden("the NATS server runs without JetStream; enable it".into()));
        }
        parse(&subject, &answered?)
    }

    async fn has_no_jetstream(&self) -> bool {
        self.link.client().await.is_ok_and(|(client, _)| !client.server_info().jetstream)
    }

    /// Sends a request and waits for its answer, for the server's refusal, or for the loss of the connection.
    pub(super) async fn ask(&self, subject: &str, headers: Option<HeaderMap>, body: Bytes) -> Result<Bytes, Failure> {
        let (client, connection) = self.link.client().await.map_err(Failure::NotSent)?;
        let mut refusals = self.link.refusals();
        if let Some(said) = self.link.deaf() {
            return Err(Failure::Forbidden(deaf(&said)));
        }
        let mut request = Request::new().payload(body);
        if let Some(headers) = headers {
            request = request.headers(headers);
        }
        let asking = client.send_request(subject.to_owned(), request);
        tokio::select! {
            biased;
            answer = asking => answer.map(|answer| answer.payload).map_err(failure),
            said = refusal_of(&mut refusals, subject) => Err(Failure::Forbidden(said)),
            () = self.link.lost(connection) => Err(Failure::Unknown("the connection to NATS was lost".into())),
        }
    }
}

fn failure(error: RequestError) -> Failure {
    match error.kind() {
        RequestErrorKind::NoResponders => Failure::Nobody,
        RequestErrorKind::TimedOut => Failure::Unknown("NATS did not answer in time".into()),
        RequestErrorKind::InvalidSubject | RequestErrorKind::MaxPayloadExceeded => {
            Failure::NotSent(BrokerError::Unavailable(error.to_string()))
        }
        RequestErrorKind::Other => Failure::Unknown(format!("NATS: {error}")),
    }
}

/// Parses a JSON answer.
pub(super) fn parse<T: DeserializeOwned>(subject: &str, answer: &[u8]) -> Result<T, Failure> {
    match serde_json::from_slice(answer) {
        Ok(Answer::Good(good)) => Ok(good),
        Ok(Answer::Fault { error }) => Err(Failure::Fault(error)),
        Err(e) => Err(Failure::Unknown(format!("NATS sent an invalid answer to {subject}: {e}"))),
    }
}

fn deaf(said: &str) -> String {
    format!("this login may not subscribe to _INBOX.>, where answers arrive: {said}")
}

/// Waits until the server refuses something that the request needs: its subject, or the inbox for its answer.
///
/// The server reports that outside the request, which then gets no answer at all.
pub(super) async fn refusal_of(refusals: &mut broadcast::Receiver<std::sync::Arc<str>>, subject: &str) -> String {
    let quoted = format!("\"{subject}\"");
    loop {
        match refusals.recv().await {
            Ok(said) if said.contains(&quoted) => {
                return format!("this login may not use the subject {subject}: {said}");
            }
            Ok(said) if said.contains(listener::NO_INBOX) => return deaf(&said),
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            // The link lives as long as its requests.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
