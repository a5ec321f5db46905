//! Finds the identity of a request from its token.

use std::borrow::Cow;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use fanfare_token::{Audience, ClaimKind, Claims, Dropped, TokenError, UnusableClaim, Verifier};
use http::{HeaderMap, HeaderName, header, request::Parts};

use super::answer::{Ambiguous, Refusal};
use super::cookie;
use super::header::one;
use super::query::Query;
use super::state::App;
use crate::clock::unix_seconds;
use crate::config::HubConfig;
use crate::vocabulary::{Identity, IdentityError};

/// The header by which a page names the org it acts for.
const ORG_HEADER: HeaderName = HeaderName::from_static("x-organization-id");

/// The bearer token of a request: the header first, then `access_token`, which browsers use where they
/// cannot set headers.
///
/// # Errors
/// [`Ambiguous`] if there are two.
pub(super) fn token(parts: &Parts) -> Result<Option<Cow<'_, str>>, Ambiguous> {
    let header = one(&parts.headers, header::AUTHORIZATION)?;
    match header.and_then(|value| value.split_once(' ')) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim().into())),
        _ => Ok(Query::of(&parts.uri).one("access_token")?),
    }
}

/// The bearer token of the only Authorization header.
#[must_use]
pub(super) fn of_header(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, token) = values.next()?.to_str().ok()?.split_once(' ')?;
    let is_one = values.next().is_none() && scheme.eq_ignore_ascii_case("bearer");
    is_one.then(|| token.trim()).filter(|token| !token.is_empty())
}

/// The orgs that a request names, by header and by query.
pub(super) fn named_orgs(parts: &Parts) -> Result<[Option<Cow<'_, str>>; 2], Ambiguous> {
    Ok([one(&parts.headers, ORG_HEADER)?.map(Cow::from), Query::of(&parts.uri).one("org")?])
}

/// The bearer token of a request for a hub: also that of a cookie, if the hub takes one and no page of another site can
/// have made the request.
pub(super) fn token_for<'a>(app: &App, hub: &HubConfig, parts: &'a Parts) -> Result<Option<Cow<'a, str>>, Refusal> {
    let given = token(parts)?;
    let (None, Some(name)) = (&given, &hub.cookie) else { return Ok(given) };
    let token = match cookie::find(parts, name) {
        cookie::Found::None => return Ok(None),
        cookie::Found::Several => {
            // None of them has been tried, so none counts against the address.
            say_refused(app, parts, "several_cookies".into());
            return Err(Refusal::Unauthorized);
        }
        cookie::Found::One(token) => token,
    };
    let own_origin = app.edge.origins.check(&app.edge.proxies, parts)?.is_ok();
    if !cookie::is_deliberate(parts, own_origin) {
        app.metrics.connect_refused("origin");
        if app.edge.may_say("cookie_origin") {
            tracing::info!(
                hub = &*hub.path,
                reason = "origin",
                "cookie ignored: the request comes from a page of another site"
            );
        }
        return Err(Refusal::Origin);
    }
    Ok(Some(token.into()))
}

/// The identity that asks for a hub; none on a public one.
///
/// # Errors
/// [`Refusal`] if the token, the org or the roles do not allow the hub.
pub(super) async fn identify(app: &App, hub: &HubConfig, parts: &Parts) -> Result<Option<Identity>, Refusal> {
    identify_within(app, hub, parts, 0, Ended::Refused).await
}

/// How a request with a revoked token is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// It is refused.
    Refused,
    /// It may fetch the last messages of its connection: the logout itself, and the end.
    Told,
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
    ended: Ended,
) -> Result<Option<Identity>, Refusal> {
    let (given, named) = (token_for(app, hub, parts)?, named_orgs(parts)?);
    let refused = |reason: &'static str| refused(app, parts, reason.into());
    let (Some(verifier), Some(token)) = (&app.verifier, given) else {
        return if hub.public { Ok(None) } else { Err(refused("missing")) };
    };
    check_address(app, parts).map_err(Refusal::TooManyTokens)?;
    let claims = verifier.verify_late(&token, Audience::User, late).await.map_err(|error| {
        note_refused(app, parts, &error);
        Refusal::from(error)
    })?;
    let Dropped { invalid, not_of_issuer } = verifier.take_dropped();
    app.metrics.token_values_dropped("invalid", invalid);
    app.metrics.token_values_dropped("not_of_issuer", not_of_issuer);
    check_needs(app, hub, parts, &claims)?;
    // A connection ends without leeway: let in within the leeway, a client that comes back with the same token would be
    // ended and let in again and again.
    let ends_at = if late == 0 { claims.expires_at } else { verifier.end_of(&claims, hub.after_expiry) };
    if ends_at <= unix_seconds() {
        return Err(refused("expired"));
    }
    if ended == Ended::Refused && app.groups.is_logged_out(&claims) {
        return Err(refused("logged_out"));
    }
    let identity = identity(app, hub, verifier, &claims, &named)?;
    Ok(Some(identity.until(verifier.end_of(&claims, hub.after_expiry))))
}

/// The refusal of a request with a revoked token, counted.
pub(super) fn refuse_logged_out(app: &App, parts: &Parts) -> Refusal {
    refused(app, parts, "logged_out".into())
}

/// Whether a logout has made the token worthless.
pub(super) fn is_logged_out(app: &App, identity: Option<&Identity>) -> bool {
    identity.is_some_and(|who| app.groups.is_logged_out(who.claims()))
}

/// The bearer of good claims, with the org that the request names, if the hub lets both in.
fn identity(
    app: &App,
    hub: &HubConfig,
    verifier: &Verifier,
    claims: &Arc<Claims>,
    named: &[Option<Cow<'_, str>>; 2],
) -> Result<Identity, Refusal> {
    let mut identity = Identity::new(Arc::clone(claims), None, |_| false).map_err(Refusal::Org)?;
    for named in named.iter().flatten() {
        let may_name = |org: &str| {
            let roles = app.groups.read(|known| known.roles_of(claims));
            let roles: Vec<String> = roles.into_iter().map(|(role, _)| role).collect();
            hub.may_name_org(&roles) && verifier.may_name(claims, org)
        };
        identity =
            Identity::new(Arc::clone(claims), Some(named), |_| may_name(named)).map_err(|error| org(app, error))?;
    }
    // Only users who may name several orgs could mean either.
    if let [Some(header), Some(in_query)] = named
        && header != in_query
    {
        return Err(Ambiguous::TwoOrgs.into());
    }
    // Roles are those of an org, so the org is chosen first.
    let roles = app.groups.read(|known| known.roles_of(identity.claims()));
    let roles: Vec<String> = roles.into_iter().map(|(role, _)| role).collect();
    if !hub.admits(&roles) {
        app.metrics.connect_refused("role");
        return Err(Refusal::Role);
    }
    if let Some(claim) = hub.lacks(&identity.claims().other) {
        app.metrics.connect_refused("claim");
        if app.edge.may_say("claim") {
            tracing::info!(hub = &*hub.path, claim, reason = "claim", "connect refused");
        }
        return Err(Refusal::Claim { claim: claim.to_owned(), hub: Arc::clone(&hub.path) });
    }
    if !identity.claims().orgs.is_empty() && hub.needs(ClaimKind::Org) {
        return Err(org(app, IdentityError::NoChoice));
    }
    Ok(identity)
}

/// Whether an event has closed a hub to the caller's org. Asked where a connection opens: one that is open has to hear
/// why it ends.
///
/// # Errors
/// [`Refusal::OrgClosed`] with the reason, counted.
pub(super) fn check_org(app: &App, hub: &HubConfig, identity: Option<&Identity>) -> Result<(), Refusal> {
    let Some(who) = identity else { return Ok(()) };
    let Some(reason) = app.groups.closed_org(hub, who) else { return Ok(()) };
    app.metrics.connect_refused("org_closed");
    if app.edge.may_say("org_closed") {
        let org = who.claims().org.as_ref().map(tracing::field::display);
        tracing::info!(hub = &*hub.path, org, reason = "org_closed", "connect refused");
    }
    Err(Refusal::OrgClosed(reason))
}

/// A hub refuses a token only for claims that it needs and cannot read.
fn check_needs(app: &App, hub: &HubConfig, parts: &Parts, claims: &Claims) -> Result<(), Refusal> {
    let Some(needed) = claims.unusable.iter().find(|unusable| hub.needs(unusable.says)) else { return Ok(()) };
    let UnusableClaim { claim, reason, .. } = needed;
    Err(refused(app, parts, Why { reason: "invalid_claim", claim: Some(claim), error: Some(reason) }))
}

fn org(app: &App, error: IdentityError) -> Refusal {
    app.metrics.connect_refused("org");
    Refusal::Org(error)
}

/// Whether a token from this address is looked at at all.
///
/// # Errors
/// How long not, counted.
pub(super) fn check_address(app: &App, parts: &Parts) -> Result<(), Duration> {
    let checked = app.edge.check_tokens_of(app.edge.address(parts));
    checked.inspect_err(|_| app.metrics.token_refused("address"))
}

/// Notes a token that was refused, against its address too unless the issuer's keys are to blame.
pub(super) fn note_refused(app: &App, parts: &Parts, error: &TokenError) {
    if !error.is_server_fault() {
        app.edge.token_failed(app.edge.address(parts));
    }
    say_refused(app, parts, Why { reason: error.label(), claim: error.claim(), error: Some(error) });
}

/// Why a token is refused: only the claim's name, since even an invalid value may be somebody's secret.
#[derive(Clone, Copy)]
struct Why<'a> {
    /// The label of the reason.
    reason: &'static str,
    /// The claim that is to blame.
    claim: Option<&'a str>,
    /// What is wrong with it.
    error: Option<&'a dyn Display>,
}

impl From<&'static str> for Why<'_> {
    fn from(reason: &'static str) -> Self {
        Self { reason, claim: None, error: None }
    }
}

fn refused(app: &App, parts: &Parts, why: Why<'_>) -> Refusal {
    // A client that has no token has not tried one.
    if why.reason != "missing" {
        app.edge.token_failed(app.edge.address(parts));
    }
    say_refused(app, parts, why);
    Refusal::Unauthorized
}

/// Counts a refusal, and logs it unless that was logged too often.
fn say_refused(app: &App, parts: &Parts, why: Why<'_>) {
    let Why { reason, claim, error } = why;
    app.metrics.token_refused(reason);
    if app.edge.may_say(reason) {
        let client = app.edge.address(parts).map_or_else(|| "?".to_owned(), |address| address.to_string());
        let error = error.map(tracing::field::display);
        tracing::info!(path = parts.uri.path(), reason, claim, error, client, "token refused");
    }
}
