//! What the HTTP side asks of a shard.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_signalr::Outcome;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::super::seat::Hold;
use super::link::PollAnswer;
use crate::config::HubConfig;
use crate::connection::{ConnectionId, Identity};
use crate::method::Request;

/// Everything about a connection that its opening request told.
#[derive(Debug)]
pub struct Opening {
    /// The public id of the connection.
    pub id: ConnectionId,
    /// When its token stops being good for opening, in seconds since the epoch; without negotiation there
    /// is no token to use again.
    pub token_expires: Option<i64>,
    /// Whether negotiation agreed on stateful reconnect.
    pub stateful: bool,
    /// The hub it belongs to.
    pub hub: Arc<HubConfig>,
    /// Whose it is; `None` on a public hub.
    pub identity: Option<Identity>,
    /// The cursor to resume from at connect, as the client gave it.
    pub cursor: Option<String>,
    /// The request itself, where the hub's methods want to see it.
    pub request: Option<Arc<Request>>,
    /// The room that it takes of its node; to be dropped with the connection, and not before.
    pub hold: Hold,
}

/// Whose request it is that names a connection.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The connection.
    pub id: ConnectionId,
    /// Who asks; must be the connection's user.
    pub identity: Option<Identity>,
}

/// Why a request that names a connection cannot be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Denied {
    /// There is no such connection, or its token was used up.
    #[error("No Connection with that ID")]
    Unknown,
    /// The connection is another user's.
    #[error("The connection belongs to another user.")]
    OtherUser,
    /// The connection uses another transport.
    #[error("Cannot change transports mid-connection")]
    OtherTransport,
    /// A WebSocket takes its messages itself.
    #[error("POST requests are not allowed for WebSocket connections.")]
    Post,
    /// Only long polling needs to be told the end.
    #[error("Cannot terminate this connection using the DELETE endpoint.")]
    Delete,
    /// The connection already has its event stream.
    #[error("The connection is already active.")]
    Active,
}

/// What a WebSocket would be to its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Welcome {
    /// Its beginning.
    New,
    /// Another socket for a stateful connection that is open.
    Again,
}

/// A message from the HTTP side to a shard.
#[derive(Debug)]
pub enum Command {
    /// Take over a WebSocket whose upgrade has been answered: a new connection, or another socket for a
    /// stateful one.
    WebSocket {
        /// What the request told.
        opening: Opening,
        /// The socket, without its HTTP wrapping and not registered with any runtime.
        stream: std::net::TcpStream,
        /// Bytes that the client sent right behind its request.
        read_ahead: Bytes,
    },
    /// Whether a WebSocket may be opened for this id; asked before the upgrade is answered.
    MayOpen {
        /// The connection, and who asks.
        caller: Caller,
        /// The answer.
        answer: oneshot::Sender<Result<Welcome, Denied>>,
    },
    /// Open a connection whose bytes go into a response body.
    EventStream {
        /// What the request told.
        opening: Opening,
        /// The body.
        events: mpsc::Sender<Bytes>,
        /// The answer.
        answer: oneshot::Sender<Result<(), Denied>>,
    },
    /// A poll: the first one opens the connection.
    Poll {
        /// What the request told.
        opening: Opening,
        /// Whether the token may still open a connection.
        may_open: bool,
        /// The answer to the poll; dropped if it is refused.
        poll: oneshot::Sender<PollAnswer>,
        /// The answer; sent before that of the poll.
        answer: oneshot::Sender<Result<(), Denied>>,
    },
    /// Bytes that a client posted; some clients send their handshake so before their first poll.
    Post {
        /// What the request told.
        opening: Opening,
        /// Whether the token may still open a connection.
        may_open: bool,
        /// The bytes.
        bytes: Bytes,
        /// The answer, once they are taken.
        answer: oneshot::Sender<Result<(), Denied>>,
    },
    /// End a long-polling connection.
    Delete {
        /// The connection, and who asks.
        caller: Caller,
        /// The answer.
        answer: oneshot::Sender<Result<(), Denied>>,
    },
    /// Ask a client for a result.
    Ask {
        /// The connection.
        id: ConnectionId,
        /// The client's method.
        target: String,
        /// Its arguments.
        arguments: Vec<fanfare_signalr::Value<'static>>,
        /// The client's answer; dropped if there is no such connection.
        answer: oneshot::Sender<Outcome<'static>>,
    },
    /// Tell every connection to come back elsewhere, and end when all are gone.
    Drain,
}
