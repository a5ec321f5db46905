//! The answers to `POST {hub}/negotiate`, from which a client learns how to connect.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The version of the answer that the client supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Only the connection id, which also opens the connection.
    V0,
    /// A public connection id, and a secret token that opens the connection.
    V1,
}

/// An unsupported `negotiateVersion`. Answer 200 with [`Answer::Error`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum VersionError {
    /// It is not a whole number.
    #[error("The client requested a non-integer protocol version.")]
    NotAnInteger,
    /// It is below the lowest version.
    #[error("The client requested version '{0}', but the server does not support this version.")]
    TooLow(i32),
}

impl Version {
    /// The version to answer when the query has `negotiate_version`.
    ///
    /// A client without one supports version 0; one that requests more than exists gets the highest.
    ///
    /// # Errors
    /// A [`VersionError`] whose text the client shows.
    pub fn choose(negotiate_version: Option<&str>) -> Result<Self, VersionError> {
        let Some(asked) = negotiate_version else {
            return Ok(Self::V0);
        };
        match asked.trim().parse::<i32>() {
            Err(_) => Err(VersionError::NotAnInteger),
            Ok(0) => Ok(Self::V0),
            Ok(version) if version < 0 => Err(VersionError::TooLow(version)),
            Ok(_) => Ok(Self::V1),
        }
    }
}

/// A transport for hub messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Transport {
    /// WebSocket.
    WebSockets,
    /// Server-sent events, which send only text.
    ServerSentEvents,
    /// Long polling.
    LongPolling,
}

impl Transport {
    /// Every transport, in order of preference.
    pub const ALL: [Self; 3] = [Self::WebSockets, Self::ServerSentEvents, Self::LongPolling];

    /// The name on the wire and in error texts; clients compare it exactly.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::WebSockets => "WebSockets",
            Self::ServerSentEvents => "ServerSentEvents",
            Self::LongPolling => "LongPolling",
        }
    }

    /// Whether it can send bytes and not only text.
    #[must_use]
    pub fn carries_binary(self) -> bool {
        self != Self::ServerSentEvents
    }

    fn formats(self) -> &'static [TransferFormat] {
        if self.carries_binary() { &[TransferFormat::Text, TransferFormat::Binary] } else { &[TransferFormat::Text] }
    }
}

/// The body of an answer; always JSON, always with status 200.
///
/// Keys without a value are left out, never null: the Java client refuses null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Body", try_from = "Body")]
pub enum Answer {
    /// A connection for a client that supports version 0.
    V0 {
        /// The connection's id, which opens it.
        connection_id: String,
        /// The allowed transports, in order of preference; must not be empty.
        transports: Vec<Transport>,
    },
    /// A connection for a client that supports version 1.
    V1 {
        /// The connection's public id.
        connection_id: String,
        /// Opens the connection; secret, and safe in a URL without escaping.
        connection_token: String,
        /// The allowed transports, in order of preference; must not be empty.
        transports: Vec<Transport>,
        /// Whether a lost connection can be resumed. Only true if the client asked for it.
        use_stateful_reconnect: bool,
        /// How many seconds the credential is still valid, if the client may renew it for the open connection.
        token_lifetime_seconds: Option<u64>,
    },
    /// The client must negotiate at another URL.
    Redirect {
        /// The hub's URL there.
        url: String,
        /// The bearer token for that URL, in place of the client's own.
        access_token: Option<String>,
    },
    /// The client must give up; it shows exactly this text.
    Error {
        /// The text.
        error: String,
    },
}

impl From<VersionError> for Answer {
    fn from(error: VersionError) -> Self {
        Self::Error { error: error.to_string() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum TransferFormat {
    Text,
    Binary,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct AvailableTransport {
    transport: Transport,
    transfer_formats: Vec<TransferFormat>,
}

/// The keys of every answer.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Body {
    #[serde(skip_serializing_if = "Option::is_none")]
    negotiate_version: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    connection_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    available_transports: Option<Vec<AvailableTransport>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    use_stateful_reconnect: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_lifetime_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

impl From<Answer> for Body {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::V0 { connection_id, transports } => Self {
                // Python's client fails without it, though it did not request a version.
                negotiate_version: Some(0),
                connection_id: Some(connection_id),
                available_transports: Some(available(&transports)),
                ..Self::default()
            },
            Answer::V1 {
                connection_id,
                connection_token,
                transports,
                use_stateful_reconnect,
                token_lifetime_seconds,
            } => Self {
                negotiate_version: Some(1),
                connection_id: Some(connection_id),
                connection_token: Some(connection_token),
                available_transports: Some(available(&transports)),
                use_stateful_reconnect: use_stateful_reconnect.then_some(true),
                token_lifetime_seconds,
                ..Self::default()
            },
            Answer::Redirect { url, access_token } => Self { url: Some(url), access_token, ..Self::default() },
            Answer::Error { error } => Self { error: Some(error), ..Self::default() },
        }
    }
}

fn available(transports: &[Transport]) -> Vec<AvailableTransport> {
    transports
        .iter()
        .map(|&transport| AvailableTransport { transport, transfer_formats: transport.formats().to_vec() })
        .collect()
}

/// An answer of none of the known kinds.
#[derive(Debug, Error)]
#[error("the answer is no connection, no redirect and no error")]
struct UnknownAnswer;

impl TryFrom<Body> for Answer {
    type Error = UnknownAnswer;

    fn try_from(body: Body) -> Result<Self, UnknownAnswer> {
        if let Some(error) = body.error {
            return Ok(Self::Error { error });
        }
        if let Some(url) = body.url {
            return Ok(Self::Redirect { url, access_token: body.access_token });
        }
        let connection_id = body.connection_id.ok_or(UnknownAnswer)?;
        let transports =
            body.available_transports.unwrap_or_default().into_iter().map(|available| available.transport).collect();
        match (body.negotiate_version.unwrap_or(0), body.connection_token) {
            (0, _) => Ok(Self::V0 { connection_id, transports }),
            (_, Some(connection_token)) => Ok(Self::V1 {
                connection_id,
                connection_token,
                transports,
                use_stateful_reconnect: body.use_stateful_reconnect.unwrap_or(false),
                token_lifetime_seconds: body.token_lifetime_seconds,
            }),
            (_, None) => Err(UnknownAnswer),
        }
    }
}

#[cfg(test)]
mod tests;
