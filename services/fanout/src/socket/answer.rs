//! The one table of refusals of the HTTP edge: reason, fault, status and text.

use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use fanfare_token::TokenError;
use http::{HeaderValue, StatusCode, header};
use serde_json::json;
use thiserror::Error;

use super::body::BodyError;
use super::forward::{NoAnswer, NotForwarded};
use super::header::BadHeader;
use super::query::BadQuery;
use super::shard::Denied;
use super::state::NotAccepting;
use crate::vocabulary::IdentityError;
use crate::websocket::UpgradeError;

/// When a client comes back that finds the node unable just now.
pub(super) const SOON: Duration = Duration::from_secs(2);

/// A wait as a `Retry-After` value; never less than the wait.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

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
    /// The token lacks a claim that the hub requires, or has it with another value.
    Claim {
        /// The claim.
        claim: String,
        /// The hub.
        hub: Arc<str>,
    },
    /// An event has closed the org to the hub, for this reason.
    OrgClosed(Arc<str>),
    /// The page's origin is not allowed to open WebSockets here.
    Origin,
    /// The connection that the request names is not to be had.
    Connection(Denied),
    /// The body is refused.
    Body(BodyError),
    /// The head has a duplicate, or a value that is not text.
    Ambiguous(Ambiguous),
    /// Too many tokens from this address were wrong; with how long none is looked at.
    TooManyTokens(Duration),
    /// A POST without an id.
    MissingId,
    /// A transport that this server does not offer.
    Transport(&'static str),
    /// The opening handshake is wrong.
    Upgrade(UpgradeError),
    /// A method that the path does not take; with those that it does.
    Method(&'static str),
    /// New connections are refused just now.
    NotAccepting(NotAccepting),
    /// The request says that another node forwards it, which is false.
    NotForwarded(NotForwarded),
    /// The node that has the connection gives no answer.
    NoAnswer(NoAnswer),
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        if error.is_server_fault() { Self::KeysUnavailable } else { Self::Unauthorized }
    }
}

/// A request that could be read in two ways.
#[derive(Debug, Error)]
pub(super) enum Ambiguous {
    /// By its headers.
    #[error(transparent)]
    Header(#[from] BadHeader),
    /// By its query.
    #[error(transparent)]
    Query(#[from] BadQuery),
    /// Header and query name different orgs.
    #[error("the header x-organization-id and `org` in the query name different orgs")]
    TwoOrgs,
}

impl From<Ambiguous> for Refusal {
    fn from(error: Ambiguous) -> Self {
        Self::Ambiguous(error)
    }
}

impl From<BadHeader> for Refusal {
    fn from(error: BadHeader) -> Self {
        Self::Ambiguous(error.into())
    }
}

impl From<BadQuery> for Refusal {
    fn from(error: BadQuery) -> Self {
        Self::Ambiguous(error.into())
    }
}

impl From<NotForwarded> for Refusal {
    fn from(error: NotForwarded) -> Self {
        Self::NotForwarded(error)
    }
}

impl From<BodyError> for Refusal {
    fn from(error: BodyError) -> Self {
        Self::Body(error)
    }
}

impl From<NotAccepting> for Refusal {
    fn from(reason: NotAccepting) -> Self {
        Self::NotAccepting(reason)
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
            Self::Claim { claim, hub } => {
                (StatusCode::FORBIDDEN, format!("Your token's claim `{claim}` does not allow the hub {hub}."))
            }
            Self::OrgClosed(reason) => (StatusCode::FORBIDDEN, reason.to_string()),
            Self::Origin => (StatusCode::FORBIDDEN, "This origin is not allowed.".to_owned()),
            // Its client refreshes and polls again.
            Self::Connection(Denied::Replaced) => {
                (StatusCode::CONFLICT, json!({ "error": Denied::Replaced.to_string() }).to_string())
            }
            Self::Connection(denied) => (status(*denied), denied.to_string()),
            Self::Body(error) => (error.status(), sentence(error)),
            Self::Ambiguous(what) => (StatusCode::BAD_REQUEST, sentence(what)),
            Self::TooManyTokens(_) => {
                (StatusCode::TOO_MANY_REQUESTS, "Too many tokens from this address were refused.".to_owned())
            }
            Self::MissingId => (StatusCode::BAD_REQUEST, "Connection ID required".to_owned()),
            Self::Transport(name) => {
                (StatusCode::NOT_FOUND, format!("{name} transport not supported by this end point type"))
            }
            Self::Upgrade(error) => (StatusCode::BAD_REQUEST, error.to_string()),
            Self::Method(_) => (StatusCode::METHOD_NOT_ALLOWED, String::new()),
            Self::NotAccepting(reason) => (reason.status(), reason.text().to_owned()),
            Self::NotForwarded(what) => (StatusCode::BAD_REQUEST, sentence(what)),
            Self::NoAnswer(reason @ NoAnswer::Silent) => (StatusCode::BAD_GATEWAY, reason.to_string()),
            Self::NoAnswer(reason @ NoAnswer::NoRoom) => (StatusCode::SERVICE_UNAVAILABLE, reason.to_string()),
            Self::NoAnswer(reason @ NoAnswer::TooMany) => (StatusCode::TOO_MANY_REQUESTS, reason.to_string()),
        }
    }

    /// When it is worth to try again, if that is known.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NotAccepting(reason) => reason.retry_after(),
            Self::TooManyTokens(wait) => Some(*wait),
            Self::KeysUnavailable
            | Self::Body(BodyError::NoRoom(_))
            | Self::NoAnswer(NoAnswer::NoRoom | NoAnswer::TooMany) => Some(SOON),
            _ => None,
        }
    }
}

/// An error's text as the sentence that a client shows.
fn sentence(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

fn status(denied: Denied) -> StatusCode {
    match denied {
        Denied::Unknown => StatusCode::NOT_FOUND,
        Denied::OtherUser => StatusCode::FORBIDDEN,
        Denied::OtherTransport => StatusCode::BAD_REQUEST,
        Denied::Active | Denied::Replaced => StatusCode::CONFLICT,
        // As ASP.NET: a POST to a WebSocket is the wrong method, a DELETE elsewhere a wrong request.
        Denied::Post => StatusCode::METHOD_NOT_ALLOWED,
        Denied::Delete => StatusCode::BAD_REQUEST,
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, text) = self.row();
        let mut response = (status, text).into_response();
        let retry_after = self.retry_after();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(wait) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
        }
        match self {
            Self::Unauthorized => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            Self::Connection(Denied::Replaced) => {
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            }
            Self::Method(allowed) => {
                headers.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            _ => {}
        }
        response
    }
}
