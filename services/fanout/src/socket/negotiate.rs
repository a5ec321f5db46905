//! `POST {hub}/negotiate`: a connection id and the ways to use it.

use axum::Json;
use axum::response::{IntoResponse, Response};
use fanfare_signalr::negotiate::{Answer, Transport, Version};
use http::{HeaderValue, header, request::Parts};

use super::answer::Refusal;
use super::bearer;
use super::opening::new_id;
use super::query::Query;
use super::state::App;
use crate::clock::unix_seconds;
use crate::config::HubConfig;
use crate::connection::{ConnectionToken, TOKEN_LIFETIME_SECONDS, Trail};
use crate::limit::Who;
use crate::vocabulary::Identity;

/// Answers a negotiation. Nothing is kept: the token carries all that the connect needs. A WebSocket may open on any node,
/// event streams and polls on this one, to which others forward them.
pub(super) async fn negotiate(app: &App, hub: &HubConfig, parts: &Parts) -> Result<Response, Refusal> {
    app.check_accepting(Who::default())?;
    let identity = bearer::identify(app, hub, parts).await?;
    bearer::check_org(app, hub, identity.as_ref())?;
    // Only with a valid token: otherwise anybody could fill the system that collects spans.
    let span = tracing::info_span!("negotiate", hub = &*hub.path, connection = tracing::field::Empty);
    let trail = Trail::of(&parts.headers);
    if let Some(parent) = &trail.traceparent {
        fanfare_telemetry::follow(&span, parent);
    }
    span.in_scope(|| answer(app, hub, parts, identity, trail))
}

fn answer(
    app: &App,
    hub: &HubConfig,
    parts: &Parts,
    identity: Option<Identity>,
    mut trail: Trail,
) -> Result<Response, Refusal> {
    let query = Query::of(&parts.uri);
    let (asked, stateful) = (query.one("negotiateVersion")?, query.one("useStatefulReconnect")?);
    let who = app.edge.seats.who(identity.as_ref(), app.edge.address(parts));
    app.check_accepting(who)?;
    app.pay(who)?;
    let version = Version::choose(asked.as_deref());
    // Answered only if it was asked for: clients refuse what they did not ask for.
    let stateful = version == Ok(Version::V1) && stateful.is_some_and(|asked| asked.eq_ignore_ascii_case("true"));
    let answer = match version {
        Err(error) => Answer::Error { error: error.to_string() },
        Ok(version) => {
            let token = ConnectionToken {
                id: new_id(),
                owner: owner(hub, identity.as_ref()),
                stateful,
                is_old: version == Version::V0,
                expires: unix_seconds() + TOKEN_LIFETIME_SECONDS,
            };
            tracing::Span::current().record("connection", tracing::field::display(token.id));
            if let Some(own) = fanfare_telemetry::sampled_traceparent() {
                trail.traceparent = Some(own.into());
            }
            let (connection_id, sealed) =
                (token.id.to_string(), token.seal_with(&app.seal, app.edge.forwarder.home(), &trail));
            match version {
                // The old form has one id for both: it must be the one that opens the connection.
                Version::V0 => Answer::V0 { connection_id: sealed, transports: Transport::ALL.to_vec() },
                Version::V1 => Answer::V1 {
                    connection_id,
                    connection_token: sealed,
                    transports: Transport::ALL.to_vec(),
                    use_stateful_reconnect: stateful,
                    token_lifetime_seconds: lifetime(hub, identity.as_ref()),
                },
            }
        }
    };
    let mut response = Json(answer).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// For how many seconds the token is still good, where the client may bring another.
fn lifetime(hub: &HubConfig, identity: Option<&Identity>) -> Option<u64> {
    identity.filter(|_| hub.token_refresh).and_then(|who| seconds_left(who.claims().expires_at))
}

/// The whole seconds up to a moment; none if it is past.
#[must_use]
pub(super) fn seconds_left(expires_at: i64) -> Option<u64> {
    u64::try_from(expires_at - unix_seconds()).ok().filter(|left| *left > 0)
}

/// A digest of hub and user: only the user who negotiated may connect with the token.
///
/// Keyed by nothing but carried under the node's seal, so that every node computes the same.
#[must_use]
pub(super) fn owner(hub: &HubConfig, identity: Option<&Identity>) -> u64 {
    let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
    let claims = identity.map(Identity::claims);
    let realm = claims.and_then(|claims| claims.realm.as_deref());
    for part in [Some(&*hub.path), realm, claims.map(|claims| claims.user.as_str())] {
        // A marker for absence and a length keep the parts apart.
        let part = part.map(str::as_bytes);
        context.update(&part.map_or(u64::MAX, |part| part.len() as u64).to_be_bytes());
        context.update(part.unwrap_or_default());
    }
    let digest = context.finish();
    digest.as_ref().first_chunk().map_or(0, |first| u64::from_be_bytes(*first))
}
