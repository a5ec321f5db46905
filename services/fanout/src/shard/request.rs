//! The HTTP requests that name a connection, and why they are refused.

use std::net::IpAddr;
use std::sync::Arc;

use thiserror::Error;

use crate::config::HubConfig;
use crate::connection::{ConnectionId, Trail};
use crate::method::handler::Request;
use crate::vocabulary::Identity;

/// Everything that its opening request said about a connection.
#[derive(Debug)]
pub struct Opening {
    /// The public id of the connection.
    pub id: ConnectionId,
    /// When its token stops being good for opening, in seconds since the epoch; without negotiation there is no token to
    /// use again.
    pub token_expires: Option<i64>,
    /// Whether negotiation agreed on stateful reconnect.
    pub stateful: bool,
    /// The hub it belongs to.
    pub hub: Arc<HubConfig>,
    /// Its identity; `None` on a public hub.
    pub identity: Option<Identity>,
    /// The ids of its opening request in other systems.
    pub trail: Trail,
    /// The cursor to resume from at connect, as the client gave it.
    pub cursor: Option<String>,
    /// Where it comes from, if that is known.
    pub address: Option<IpAddr>,
    /// The request itself, where the hub's methods want to see it.
    pub request: Option<Arc<Request>>,
}

/// The caller of a request that names a connection.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The connection.
    pub id: ConnectionId,
    /// The caller; must be the connection's user.
    pub identity: Option<Identity>,
}

/// Why a request that names a connection cannot be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Denied {
    /// There is no such connection, or its token was used up.
    #[error("No Connection with that ID")]
    Unknown,
    /// The connection is another user's, or was opened with another identity.
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
    /// Another token has replaced the request's.
    #[error("authentication_refresh_required")]
    Replaced,
}

/// Why a connection does not go on with another token; it is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotRefreshed {
    /// There is no such connection, or it is about to end.
    #[error("there is no such connection")]
    Unknown,
    /// The token is not of the user, realm, session, org and named org that the connection was opened with.
    #[error("the token is for another user, realm, session or org than the connection's")]
    OtherCaller,
    /// A logout has made the token worthless.
    #[error("the token was issued before its user logged out")]
    LoggedOut,
    /// The roles that the hub, or the named org, asks for are missing.
    #[error("the roles do not allow the connection")]
    Forbidden,
}

/// What a WebSocket means to its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Welcome {
    /// Its beginning.
    New,
    /// Another socket for a stateful connection that is open.
    Again,
}
