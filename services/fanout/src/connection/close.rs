//! Why a connection ends: one table of reasons, with what the client is told and whether it may reconnect.

use std::sync::Arc;

use fanfare_signalr::Message;

/// Whose fault the end of a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The client broke a rule or a limit.
    Client,
    /// The node could not go on.
    Server,
    /// Nobody: the connection ended normally.
    Nobody,
}

/// Why a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// The client sent Close.
    ClientClosed,
    /// The socket ended without a Close.
    ClientGone,
    /// No handshake within its time.
    HandshakeTimeout,
    /// The handshake asked for a protocol or version that the server does not speak.
    HandshakeRefused,
    /// A hub message above the limit in bytes, if the client may know the limit.
    MessageTooLarge(Option<usize>),
    /// An invalid message of the hub protocol; what is wrong with it, if the client may know.
    InvalidMessage(Option<String>),
    /// The bytes were no WebSocket frames.
    InvalidFrame,
    /// Nothing came from the client for the client timeout.
    ClientTimeout,
    /// The client takes nothing of what it is sent, or falls out of the replay window.
    SlowConsumer,
    /// The client keeps sending far more than its rate.
    Flood,
    /// The client does not acknowledge what it gets, so its connection cannot be resumed.
    Unacknowledged,
    /// A logout ended the user's sessions, or this one.
    LoggedOut,
    /// The user lost the roles that the hub requires.
    Forbidden,
    /// An operator closed it.
    ClosedByOperator,
    /// An event has closed the user's org to the hub, for this reason.
    OrgClosed(Arc<str>),
    /// The access token ran out; the client comes back with a fresh one.
    TokenExpired,
    /// The node is shutting down.
    Draining,
    /// The node has lost a part of the log, or a part that the client is owed has left the window; it comes back with its
    /// cursor, and its resume says so.
    LogGap,
    /// The node could not go on with this connection.
    ServerError,
}

/// One row of the table.
struct Row {
    label: &'static str,
    fault: Fault,
    /// Whether a Close message is sent at all; a full or broken socket takes none.
    says_close: bool,
    /// Whether an official client with automatic reconnect comes back. A plain Close stops it for good.
    allow_reconnect: bool,
}

const fn row(label: &'static str, fault: Fault, says_close: bool, allow_reconnect: bool) -> Row {
    Row { label, fault, says_close, allow_reconnect }
}

impl CloseReason {
    fn row(&self) -> Row {
        match self {
            Self::ClientClosed => row("client_closed", Fault::Nobody, false, false),
            Self::ClientGone => row("client_gone", Fault::Nobody, false, false),
            Self::HandshakeTimeout => row("handshake_timeout", Fault::Client, false, false),
            Self::HandshakeRefused => row("handshake_refused", Fault::Client, false, false),
            Self::MessageTooLarge(_) => row("message_too_large", Fault::Client, true, false),
            Self::InvalidMessage(_) => row("invalid_message", Fault::Client, true, false),
            Self::InvalidFrame => row("invalid_frame", Fault::Client, false, false),
            Self::ClientTimeout => row("client_timeout", Fault::Client, true, true),
            Self::SlowConsumer => row("slow_consumer", Fault::Client, false, true),
            Self::Flood => row("flood", Fault::Client, true, false),
            Self::Unacknowledged => row("unacknowledged", Fault::Client, true, true),
            Self::LoggedOut => row("logged_out", Fault::Nobody, true, false),
            Self::Forbidden => row("forbidden", Fault::Client, true, false),
            Self::ClosedByOperator => row("closed_by_operator", Fault::Nobody, true, false),
            Self::OrgClosed(_) => row("org_closed", Fault::Nobody, true, false),
            Self::TokenExpired => row("token_expired", Fault::Client, true, true),
            Self::Draining => row("draining", Fault::Nobody, true, true),
            Self::LogGap => row("log_gap", Fault::Server, true, true),
            Self::ServerError => row("server_error", Fault::Server, true, true),
        }
    }

    /// The reason as a metric label and log field.
    #[must_use]
    pub fn label(&self) -> &'static str {
        self.row().label
    }

    /// At whose fault it ends.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.row().fault
    }

    /// Whether the caller has lost the right to be here: waiting calls are no longer carried out.
    #[must_use]
    pub fn voids_calls(&self) -> bool {
        matches!(self, Self::LoggedOut | Self::Forbidden | Self::OrgClosed(_) | Self::TokenExpired)
    }

    /// Whether its user has lost the right to be here; a client whose token expired comes back with another.
    #[must_use]
    pub fn is_about_rights(&self) -> bool {
        matches!(self, Self::LoggedOut | Self::Forbidden | Self::OrgClosed(_))
    }

    /// Whether the client may come back by itself.
    #[must_use]
    pub fn allow_reconnect(&self) -> bool {
        self.row().allow_reconnect
    }

    /// The Close message to send before the socket is closed; `None` if none is sent.
    ///
    /// The texts of the two errors that ASP.NET has are ASP.NET's own: clients show and match them.
    #[must_use]
    pub fn message(&self) -> Option<Message<'static>> {
        let Row { says_close, allow_reconnect, .. } = self.row();
        if !says_close {
            return None;
        }
        let error = match self {
            Self::MessageTooLarge(Some(limit)) => Some(format!(
                "Connection closed with an error. InvalidDataException: The maximum message size of \
                 {limit}B was exceeded."
            )),
            Self::InvalidMessage(Some(what)) => {
                Some(format!("Connection closed with an error. InvalidDataException: {what}"))
            }
            Self::MessageTooLarge(None) | Self::InvalidMessage(None) => {
                Some("Connection closed with an error.".to_owned())
            }
            Self::ClientTimeout => Some("The client sent nothing within its timeout.".to_owned()),
            Self::Flood => Some("The client sends more than it may.".to_owned()),
            Self::Forbidden => Some("Your roles no longer allow this connection.".to_owned()),
            Self::ClosedByOperator => Some("An operator has closed this connection.".to_owned()),
            Self::OrgClosed(reason) => Some(reason.to_string()),
            Self::LogGap => Some("The server has missed events. Reconnect and refetch.".to_owned()),
            Self::ServerError => Some("The server could not go on with this connection.".to_owned()),
            _ => None,
        };
        Some(Message::Close { error: error.map(Into::into), allow_reconnect })
    }
}
