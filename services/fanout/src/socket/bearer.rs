//! From a request to an identity.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use fanfare_token::{Audience, TokenError};
use http::{HeaderMap, HeaderName, header, request::Parts};

use super::answer::{Ambiguous, Refusal};
use super::header::one;
use super::query::Query;
use super::state::App;
use crate::clock::unix_seconds;
use crate::config::HubConfig;
use crate::connection::Identity;

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
fn named_orgs(parts: &Parts) -> Result<[Option<Cow<'_, str>>; 2], Ambiguous> {
    Ok([one(&parts.headers, ORG_HEADER)?.map(Cow::from), Query::of(&parts.uri).one("org")?])
}

/// Who asks for a hub; nobody in particular on a public one.
///
/// # Errors
/// [`Refusal`] if the token, the org or the roles do not allow the hub.
pub(super) async fn identify(app: &App, hub: &HubConfig, parts: &Parts) -> Result<Option<Identity>, Refusal> {
    let (given, named) = (token(parts)?, named_orgs(parts)?);
    let refused = |reason| refused(app, parts, reason);
    let (Some(verifier), Some(token)) = (&app.verifier, given) else {
        return if hub.public { Ok(None) } else { Err(refused("missing")) };
    };
    check_address(app, parts).map_err(Refusal::TooManyTokens)?;
    let claims = verifier.verify(&token, Audience::User).await.map_err(|error| {
        note_refused(app, parts, &error);
        Refusal::from(error)
    })?;
    // A connection ends with its token, without leeway: let in within the leeway, a client that comes back with
    // the same token would be ended and let in again and again.
    if claims.expires_at <= unix_seconds() {
        return Err(refused("expired"));
    }
    if app.groups.read(|known| known.refuses(&claims)) {
        return Err(refused("logged_out"));
    }
    let roles = app.groups.read(|known| known.roles_of(&claims));
    let roles: Vec<String> = roles.into_iter().map(|(role, _)| role).collect();
    if !hub.admits(&roles) {
        app.metrics.connect_refused("role");
        return Err(Refusal::Role);
    }
    let mut identity = Identity::new(Arc::clone(&claims), None, |_| false).map_err(Refusal::Org)?;
    for named in named.iter().flatten() {
        let joined = Identity::new(Arc::clone(&claims), Some(named), |_| hub.may_name_org(&roles));
        identity = joined.map_err(|error| {
            app.metrics.connect_refused("org");
            Refusal::Org(error)
        })?;
    }
    // Only who may name any org could mean either.
    if let [Some(header), Some(in_query)] = &named
        && header != in_query
    {
        return Err(Ambiguous::TwoOrgs.into());
    }
    Ok(Some(identity))
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
    say_refused(app, parts, error.label());
}

fn refused(app: &App, parts: &Parts, reason: &'static str) -> Refusal {
    // A client that has no token has not tried one.
    if reason != "missing" {
        app.edge.token_failed(app.edge.address(parts));
    }
    say_refused(app, parts, reason);
    Refusal::Unauthorized
}

/// Counts a refusal, and says so in the log unless that has been said too often. The label and nothing of the token: what
/// is not valid may still be somebody's secret.
fn say_refused(app: &App, parts: &Parts, reason: &'static str) {
    app.metrics.token_refused(reason);
    if app.edge.may_say(reason) {
        let client = app.edge.address(parts).map_or_else(|| "?".to_owned(), |address| address.to_string());
        tracing::info!(path = parts.uri.path(), reason, client, "token refused");
    }
}
