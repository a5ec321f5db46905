//! From a request to an identity.

use std::sync::Arc;

use fanfare_token::{Audience, ClaimKind, Claims, Dropped, UnusableClaim, Verifier};
use http::{HeaderMap, header, request::Parts};

use super::answer::Refusal;
use super::cookie;
use super::query::Query;
use super::state::App;
use super::web_socket::origin_allowed;
use crate::clock::unix_seconds;
use crate::config::HubConfig;
use crate::connection::{Identity, IdentityError};

/// The header by which a page names the org it acts for.
const ORG_HEADER: &str = "x-organization-id";

/// The bearer token of a request: the header first, then `access_token`, which browsers use where they
/// cannot set headers.
#[must_use]
pub(super) fn token<'a>(headers: &'a HeaderMap, query: Query<'a>) -> Option<std::borrow::Cow<'a, str>> {
    let header = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match header.and_then(|value| value.split_once(' ')) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Some(token.trim().into()),
        _ => query.get("access_token"),
    }
}

/// The bearer token of a request for a hub: also that of a cookie, if the hub takes one and no page of another site can
/// have made the request.
fn token_for<'a>(app: &App, hub: &HubConfig, parts: &'a Parts) -> Result<Option<std::borrow::Cow<'a, str>>, Refusal> {
    let given = token(&parts.headers, Query::of(&parts.uri));
    let (None, Some(name)) = (&given, &hub.cookie) else { return Ok(given) };
    let token = match cookie::find(parts, name) {
        cookie::Found::None => return Ok(None),
        cookie::Found::Several => return Err(refused(app, "several_cookies")),
        cookie::Found::One(token) => token,
    };
    if !cookie::is_deliberate(parts, origin_allowed(&parts.headers, &app.cors.origins)) {
        tracing::info!(hub = &*hub.path, reason = "origin", "a cookie is not taken from another site");
        app.metrics.connect_refused("origin");
        return Err(Refusal::Origin);
    }
    Ok(Some(token.into()))
}

/// Who asks for a hub; nobody in particular on a public one.
///
/// # Errors
/// [`Refusal`] if the token, the org or the roles do not allow the hub.
pub(super) async fn identify(app: &App, hub: &HubConfig, parts: &Parts) -> Result<Option<Identity>, Refusal> {
    identify_within(app, hub, parts, 0).await
}

/// The same for a token that expired at most so many seconds ago.
///
/// # Errors
/// [`Refusal`] if the token, the org or the roles do not allow the hub.
pub(super) async fn identify_within(
    app: &App,
    hub: &HubConfig,
    parts: &Parts,
    late: u32,
) -> Result<Option<Identity>, Refusal> {
    let given = token_for(app, hub, parts)?;
    let (Some(verifier), Some(token)) = (&app.verifier, given) else {
        return if hub.public { Ok(None) } else { Err(refused(app, "missing")) };
    };
    let claims = verifier.verify_late(&token, Audience::User, late).await.map_err(|error| {
        // The claim and the reason, and nothing of the token: what is not valid may still be somebody's secret.
        tracing::info!(hub = &*hub.path, reason = error.label(), claim = error.claim(), %error, "token refused");
        app.metrics.token_refused(error.label());
        Refusal::from(error)
    })?;
    let Dropped { invalid, not_of_issuer } = verifier.take_dropped();
    app.metrics.token_values_dropped("invalid", invalid);
    app.metrics.token_values_dropped("not_of_issuer", not_of_issuer);
    check_needs(app, hub, &claims)?;
    // A connection ends without leeway: let in within the leeway, a client that comes back with the same token would be
    // ended and let in again and again.
    let ends_at = if late == 0 { claims.expires_at } else { verifier.end_of(&claims, hub.after_expiry) };
    if ends_at <= unix_seconds() {
        return Err(refused(app, "expired"));
    }
    if app.groups.read(|known| known.refuses(&claims)) {
        tracing::info!(hub = &*hub.path, reason = "logged_out", "token refused");
        return Err(refused(app, "logged_out"));
    }
    let identity = identity(app, hub, verifier, &claims, parts)?;
    Ok(Some(identity.until(verifier.end_of(&claims, hub.after_expiry))))
}

/// The bearer of good claims, with the org that the request names, if the hub lets both in.
fn identity(
    app: &App,
    hub: &HubConfig,
    verifier: &Verifier,
    claims: &Arc<Claims>,
    parts: &Parts,
) -> Result<Identity, Refusal> {
    let header = parts.headers.get(ORG_HEADER).and_then(|value| value.to_str().ok());
    let in_query = Query::of(&parts.uri).get("org");
    let mut identity = Identity::new(Arc::clone(claims), None, |_| false).map_err(Refusal::Org)?;
    for named in [header, in_query.as_deref()].into_iter().flatten() {
        let may_name = |org: &str| {
            let roles = app.groups.read(|known| known.roles_of(claims));
            let roles: Vec<String> = roles.into_iter().map(|(role, _)| role).collect();
            hub.may_name_org(&roles) && verifier.may_name(claims, org)
        };
        identity =
            Identity::new(Arc::clone(claims), Some(named), |_| may_name(named)).map_err(|error| org(app, error))?;
    }
    // Roles are those of an org, so the org is chosen first.
    let roles = app.groups.read(|known| known.roles_of(identity.claims()));
    let roles: Vec<String> = roles.into_iter().map(|(role, _)| role).collect();
    if !hub.admits(&roles) {
        app.metrics.connect_refused("role");
        return Err(Refusal::Role);
    }
    if !identity.claims().orgs.is_empty() && hub.needs(ClaimKind::Org) {
        return Err(org(app, IdentityError::NoChoice));
    }
    Ok(identity)
}

/// What a hub does not need refuses no token; what it needs and cannot read does.
fn check_needs(app: &App, hub: &HubConfig, claims: &Claims) -> Result<(), Refusal> {
    let Some(needed) = claims.unusable.iter().find(|unusable| hub.needs(unusable.says)) else { return Ok(()) };
    let UnusableClaim { claim, reason, .. } = needed;
    tracing::info!(hub = &*hub.path, reason = "invalid_claim", claim = &**claim, error = reason, "token refused");
    Err(refused(app, "invalid_claim"))
}

fn org(app: &App, error: IdentityError) -> Refusal {
    app.metrics.connect_refused("org");
    Refusal::Org(error)
}

fn refused(app: &App, reason: &'static str) -> Refusal {
    app.metrics.token_refused(reason);
    Refusal::Unauthorized
}
