//! The one table of refusals: what went wrong, whose fault it is, which status and text it gets.

use axum::response::{IntoResponse, Response};
use fanfare_token::TokenError;
use http::{HeaderValue, StatusCode, header};

use super::shard::Denied;
use super::state::Unwilling;
use crate::connection::IdentityError;
use crate::websocket::UpgradeError;

/// Why a request to a hub is refused.
#[derive(Debug)]
pub(super) enum Refusal {
    /// No token, a bad one, or one that a logout ended.
    Unauthorized,
    /// The issuer's keys cannot be had: not the client's fault.
    KeysUnavailable,
    /// The token does not allow the org that the request names.
    Org(IdentityError),
    /// The hub asks for roles that the token does not have.
    Role,
    /// The page's origin is not allowed to open WebSockets here.
    Origin,
    /// The connection that the request names is not to be had.
    Connection(Denied),
    /// The body is larger than so many bytes.
    TooLarge(usize),
    /// A POST without an id.
    MissingId,
    /// A transport that this server does not offer.
    Transport(&'static str),
    /// The opening handshake is wrong.
    Upgrade(UpgradeError),
    /// A method that the path does not take; with those that it does.
    Method(&'static str),
    /// No further connection is taken just now.
    Unwilling(Unwilling),
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        if error.is_server_fault() { Self::KeysUnavailable } else { Self::Unauthorized }
    }
}

impl From<Unwilling> for Refusal {
    fn from(reason: Unwilling) -> Self {
        Self::Unwilling(reason)
    }
}

impl Refusal {
    /// Status and body. The texts that ASP.NET has are ASP.NET's own: clients show and match them.
    fn row(&self) -> (StatusCode, String) {
        match self {
            // Without a body the client shows the reason phrase, which its users know.
            Self::Unauthorized => (StatusCode::UNAUTHORIZED, String::new()),
            Self::KeysUnavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "The token cannot be checked at the moment.".to_owned())
            }
            Self::Org(error) => (StatusCode::FORBIDDEN, error.to_string()),
            Self::Role => (StatusCode::FORBIDDEN, "Your roles do not allow this hub.".to_owned()),
            Self::Origin => (StatusCode::FORBIDDEN, "This origin is not allowed.".to_owned()),
            Self::Connection(denied) => (status(*denied), denied.to_string()),
            Self::TooLarge(limit) => (StatusCode::PAYLOAD_TOO_LARGE, format!("The body has more than {limit} bytes.")),
            Self::MissingId => (StatusCode::BAD_REQUEST, "Connection ID required".to_owned()),
            Self::Transport(name) => {
                (StatusCode::NOT_FOUND, format!("{name} transport not supported by this end point type"))
            }
            Self::Upgrade(error) => (StatusCode::BAD_REQUEST, error.to_string()),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
            Self::Unwilling(reason) => (StatusCode::SERVICE_UNAVAILABLE, reason.text().to_owned()),
        }
    }
}

fn status(denied: Denied) -> StatusCode {
    match denied {
        Denied::Unknown => StatusCode::NOT_FOUND,
        Denied::OtherUser => StatusCode::FORBIDDEN,
        Denied::OtherTransport => StatusCode::BAD_REQUEST,
        Denied::Active => StatusCode::CONFLICT,
        // As ASP.NET: a POST to a WebSocket is the wrong method, a DELETE elsewhere a wrong request.
        Denied::Post => StatusCode::METHOD_NOT_ALLOWED,
        Denied::Delete => StatusCode::BAD_REQUEST,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, text) = self.row();
        let mut response = (status, text).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::Unauthorized => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Method(allowed) => {
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            Self::Unwilling(_) | Self::KeysUnavailable => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2"));
            }
            _ => {}
        }
        response
    }
}
