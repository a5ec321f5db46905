//! From verified bytes to claims: every rule that needs neither keys nor I/O.

use std::sync::Arc;

use fanfare_event::{Id, TypePattern};

use crate::claims::{Audience, Claims};
use crate::config::IssuerConfig;
use crate::error::TokenError;
use crate::payload::Payload;
use crate::publish::{Publish, intersect};

/// The longest role name.
const MAX_ROLE: usize = 64;

/// The rules about time, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeRules {
    pub(crate) leeway: i64,
    pub(crate) max_lifetime: i64,
}

/// Claims, and how many role names were dropped because no role can have them.
pub(crate) struct Checked {
    pub(crate) claims: Claims,
    pub(crate) dropped_roles: usize,
}

/// Checks the claims of a token whose signature was verified.
pub(crate) fn check(
    payload: &Payload<'_>,
    issuer: &IssuerConfig,
    names: (&Arc<str>, Option<&Arc<str>>),
    audience: Audience,
    rules: TimeRules,
    now: i64,
) -> Result<Checked, TokenError> {
    check_audience(payload, issuer, audience)?;
    let (issued_at, expires_at) = check_times(payload, rules, now)?;
    let user = payload.id(&issuer.claims.user)?.ok_or_else(|| TokenError::missing(&issuer.claims.user))?;
    let (roles, dropped_roles) = roles(payload, &issuer.claims.roles)?;
    let producer = audience == Audience::Producer && roles.iter().any(|role| role == "producer");
    let publish = if producer { publish(payload, issuer.publish.as_deref())? } else { None };
    let claims = Claims {
        issuer: Arc::clone(names.0),
        realm: names.1.cloned(),
        user,
        org: payload.id(&issuer.claims.org)?,
        roles,
        session: payload.id(&issuer.claims.session)?,
        issued_at,
        expires_at,
        publish,
    };
    Ok(Checked { claims, dropped_roles })
}

fn check_audience(payload: &Payload<'_>, issuer: &IssuerConfig, audience: Audience) -> Result<(), TokenError> {
    let wanted = match audience {
        Audience::User => &issuer.audience,
        Audience::Producer => &issuer.producer_audience,
    };
    let named = payload.list("aud")?.ok_or_else(|| TokenError::missing("aud"))?;
    if named.contains(&wanted.as_str()) { Ok(()) } else { Err(TokenError::WrongAudience) }
}

fn check_times(payload: &Payload<'_>, rules: TimeRules, now: i64) -> Result<(i64, i64), TokenError> {
    let expires_at = payload.seconds("exp")?.ok_or_else(|| TokenError::missing("exp"))?;
    let issued_at = payload.seconds("iat")?.ok_or_else(|| TokenError::missing("iat"))?;
    if now >= expires_at + rules.leeway {
        return Err(TokenError::Expired);
    }
    if issued_at > now + rules.leeway {
        return Err(TokenError::IssuedInFuture);
    }
    if payload.seconds("nbf")?.is_some_and(|not_before| not_before > now + rules.leeway) {
        return Err(TokenError::NotYetValid);
    }
    if expires_at - issued_at > rules.max_lifetime {
        return Err(TokenError::LifetimeTooLong { limit: rules.max_lifetime.unsigned_abs() });
    }
    Ok((issued_at, expires_at))
}

fn roles(payload: &Payload<'_>, name: &str) -> Result<(Vec<String>, usize), TokenError> {
    let mut roles: Vec<String> = Vec::new();
    let mut dropped = 0;
    for role in payload.list(name)?.unwrap_or_default() {
        if !is_role(role) {
            dropped += 1;
        } else if !roles.iter().any(|known| known == role) {
            roles.push(role.to_owned());
        }
    }
    Ok((roles, dropped))
}

/// Wider than the roles that can be granted here, because other issuers name groups by GUIDs or `Tasks.Read`.
fn is_role(role: &str) -> bool {
    (1..=MAX_ROLE).contains(&role.len())
        && role.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn publish(payload: &Payload<'_>, cap: Option<&[TypePattern]>) -> Result<Option<Publish>, TokenError> {
    let Some(types) = payload.list("publish")? else { return Ok(None) };
    let types = types
        .into_iter()
        .map(|pattern| TypePattern::parse(pattern).map_err(|_| TokenError::invalid("publish")))
        .collect::<Result<Vec<_>, _>>()?;
    let sources = payload.list("publish_sources")?.unwrap_or_else(|| vec!["*"]);
    let orgs = payload.list("publish_orgs")?.unwrap_or_else(|| vec!["*"]);
    if sources.iter().any(|source| source.is_empty()) {
        return Err(TokenError::invalid("publish_sources"));
    }
    if orgs.iter().any(|org| *org != "*" && Id::parse(org).is_err()) {
        return Err(TokenError::invalid("publish_orgs"));
    }
    Ok(Some(Publish {
        types: intersect(types, cap),
        sources: sources.into_iter().map(str::to_owned).collect(),
        orgs: orgs.into_iter().map(str::to_owned).collect(),
    }))
}
