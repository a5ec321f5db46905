//! What the HTTP side asks of a shard.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot};

use super::super::seat::Hold;
use super::super::stream::Bare;
use super::handler::Question;
use super::{Measured, Page};
use crate::connection::ConnectionId;
use crate::shard::{Caller, Denied, Listing, NotRefreshed, Opening, PollAnswer, Welcome};
use crate::vocabulary::Identity;

/// A connection's opening request, with what the connection holds of its node.
#[derive(Debug)]
pub struct Arrival {
    /// The content of the request.
    pub opening: Opening,
    /// The room that it takes of its node; dropped with the connection, and not before.
    pub hold: Hold,
}

/// A message from the HTTP side to a shard.
#[derive(Debug)]
pub enum Command {
    /// Take over a WebSocket whose upgrade has been answered: a new connection, or another socket for a
    /// stateful one.
    WebSocket {
        /// The content of the request.
        arrival: Arrival,
        /// The socket, without its HTTP wrapping and not registered with any runtime.
        stream: Bare,
        /// Bytes that the client sent right after its request.
        read_ahead: Bytes,
    },
    /// Whether a WebSocket may be opened for this id; asked before the upgrade is answered.
    MayOpen {
        /// The connection, and the caller.
        caller: Caller,
        /// The answer.
        answer: oneshot::Sender<Result<Welcome, Denied>>,
    },
    /// Open a connection whose bytes go into a response body.
    EventStream {
        /// The content of the request.
        arrival: Arrival,
        /// The body.
        events: mpsc::Sender<Bytes>,
        /// The answer.
        answer: oneshot::Sender<Result<(), Denied>>,
    },
    /// A poll: the first one opens the connection.
    Poll {
        /// The content of the request.
        arrival: Arrival,
        /// Whether the token may still open a connection.
        may_open: bool,
        /// The answer to the poll; dropped if it is refused.
        poll: oneshot::Sender<PollAnswer>,
        /// The answer; sent before that of the poll.
        answer: oneshot::Sender<Result<(), Denied>>,
    },
    /// Bytes that a client posted; some clients send their handshake so before their first poll.
    Post {
        /// The content of the request.
        arrival: Arrival,
        /// Whether the token may still open a connection.
        may_open: bool,
        /// The bytes.
        bytes: Bytes,
        /// The answer, once they are received.
        answer: oneshot::Sender<Result<(), Denied>>,
    },
    /// End a long-polling connection.
    Delete {
        /// The connection, and the caller.
        caller: Caller,
        /// The answer.
        answer: oneshot::Sender<Result<(), Denied>>,
    },
    /// Whether the connection is open.
    Holds {
        /// The connection.
        id: ConnectionId,
        /// Its hub.
        hub: Arc<str>,
        /// The answer.
        answer: oneshot::Sender<bool>,
    },
    /// Let a connection go on with another token.
    Refresh {
        /// The connection.
        id: ConnectionId,
        /// Its hub.
        hub: Arc<str>,
        /// The identity of the token.
        identity: Option<Identity>,
        /// When the token expires that counts then.
        answer: oneshot::Sender<Result<Option<i64>, NotRefreshed>>,
    },
    /// Ask a client for a result.
    Ask(Question),
    /// Look for connections.
    List {
        /// Which.
        listing: Listing,
        /// The id of this node.
        node: String,
        /// The page.
        answer: oneshot::Sender<Page>,
    },
    /// Measure how long clients take to answer.
    Measure {
        /// Their connections.
        ids: Vec<ConnectionId>,
        /// Those that have answered.
        answer: oneshot::Sender<Measured>,
    },
    /// Whether the shard still answers.
    Probe(oneshot::Sender<()>),
    /// Close every connection so that it reconnects elsewhere, and end when all are gone.
    Drain {
        /// Over how long they are closed, one after another.
        over: Duration,
    },
}
