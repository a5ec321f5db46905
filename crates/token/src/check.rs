//! Converts verified bytes into claims: every rule that needs neither keys nor I/O.

use std::fmt;
use std::sync::Arc;

use fanfare_event::{Id, TypePattern};

use crate::claim_name::ClaimName;
use crate::claims::{Audience, ClaimKind, Claims, OtherClaims, UnusableClaim};
use crate::config::IssuerConfig;
use crate::error::TokenError;
use crate::name_list::NameList;
use crate::payload::{Payload, Values};
use crate::publish::{Publish, intersect};
use crate::texts::Texts;

/// The rules about time, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeRules {
    pub(crate) leeway: i64,
    pub(crate) max_lifetime: i64,
    /// How long ago a token may have expired.
    pub(crate) late: i64,
}

/// Claims, and which of their values were left out.
pub(crate) struct Checked {
    pub(crate) claims: Claims,
    pub(crate) left_out: Vec<LeftOut>,
}

/// Values of one claim that were left out for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The claim, as the configuration names it.
    pub claim: Box<str>,
    /// The reason.
    pub why: Why,
    /// How many values.
    pub values: u64,
}

/// Why a value of a claim is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It cannot be used: what is wrong with it.
    Invalid(&'static str),
    /// Its issuer may not name it.
    NotOfIssuer,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Invalid(reason) => reason,
            Self::NotOfIssuer => "`orgs` or `roles` of the issuer does not list it",
        })
    }
}

impl LeftOut {
    fn add(all: &mut Vec<Self>, claim: &str, why: Why) {
        match all.iter_mut().find(|known| *known.claim == *claim && known.why == why) {
            Some(known) => known.values += 1,
            None => all.push(Self { claim: claim.into(), why, values: 1 }),
        }
    }
}

/// The number of values that were left out of lists.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Dropped {
    /// No role or org can have that name.
    pub invalid: u64,
    /// Their issuer may not name them.
    pub not_of_issuer: u64,
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
    let (issued_at, expires_at) = check_times(payload, issuer, rules, now)?;
    let user = &issuer.claims.user;
    let user = match payload.id(user) {
        Ok(found) => found.ok_or_else(|| TokenError::missing(user.as_str()))?,
        Err(reason) => return Err(TokenError::invalid(user.as_str(), reason)),
    };
    let mut reader = Reader { payload, unusable: Vec::new(), left_out: Vec::new() };
    // A producer's org does not limit what it publishes; `publish_orgs` does.
    let any = NameList::any();
    let allowed = if audience == Audience::User { &issuer.orgs } else { &any };
    let (org, orgs) = reader.orgs(&issuer.claims.org, allowed)?;
    let roles = reader.roles(issuer);
    let session = reader.session(&issuer.claims.session);
    let other = reader.other(&issuer.claims.other);
    let producer = audience == Audience::Producer && roles.iter().any(|role| role == "producer");
    let publish = if producer { publish(payload, issuer)? } else { None };
    let claims = Claims {
        issuer: Arc::clone(names.0),
        realm: names.1.cloned(),
        user,
        org,
        orgs,
        roles,
        session,
        issued_at,
        expires_at,
        publish,
        unusable: reader.unusable,
        other,
    };
    Ok(Checked { claims, left_out: reader.left_out })
}

fn check_audience(payload: &Payload<'_>, issuer: &IssuerConfig, audience: Audience) -> Result<(), TokenError> {
    let wanted = match audience {
        Audience::User => &issuer.audience,
        Audience::Producer => &issuer.producer_audience,
    };
    let named = payload.list("aud")?.ok_or_else(|| TokenError::missing("aud"))?;
    if named.contains(&wanted.as_str()) { Ok(()) } else { Err(TokenError::WrongAudience) }
}

fn check_times(
    payload: &Payload<'_>,
    issuer: &IssuerConfig,
    rules: TimeRules,
    now: i64,
) -> Result<(i64, i64), TokenError> {
    let expires_at = payload.seconds("exp")?.ok_or_else(|| TokenError::missing("exp"))?;
    // Without it the token may be as old as any token: every remembered logout refuses it.
    let said = payload.seconds("iat")?;
    if said.is_none() && expires_at - rules.max_lifetime > now + rules.leeway {
        return Err(TokenError::LifetimeTooLong { limit: rules.max_lifetime.unsigned_abs() });
    }
    let said = said.unwrap_or(expires_at - rules.max_lifetime);
    if now >= expires_at + rules.leeway + rules.late {
        return Err(TokenError::Expired);
    }
    if said > now + rules.leeway {
        return Err(TokenError::IssuedInFuture);
    }
    if payload.seconds("nbf")?.is_some_and(|not_before| not_before > now + rules.leeway) {
        return Err(TokenError::NotYetValid);
    }
    let behind = i64::from(issuer.issued_behind);
    // However far an issuer backdates its tokens, none is from the future.
    let issued_at = if behind == 0 { said } else { said.max((said + behind).min(now)) };
    if expires_at - said > rules.max_lifetime + behind {
        return Err(TokenError::LifetimeTooLong { limit: rules.max_lifetime.unsigned_abs() });
    }
    Ok((issued_at, expires_at))
}

/// Reads the claims that only some hubs need, and notes those it cannot use.
struct Reader<'a, 'p> {
    payload: &'a Payload<'p>,
    unusable: Vec<UnusableClaim>,
    left_out: Vec<LeftOut>,
}

impl<'p> Reader<'_, 'p> {
    fn names(&mut self, name: &ClaimName, says: ClaimKind) -> Values<'p> {
        self.payload.names(name).unwrap_or_else(|reason| {
            self.unusable.push(UnusableClaim { says, claim: name.as_str().into(), reason });
            Values::default()
        })
    }

    fn leave_out(&mut self, claim: &ClaimName, reasons: &[&'static str]) {
        for reason in reasons {
            LeftOut::add(&mut self.left_out, claim.as_str(), Why::Invalid(reason));
        }
    }

    /// The user's org, or those from which a connection chooses.
    fn orgs(&mut self, name: &ClaimName, allowed: &NameList) -> Result<(Option<Id>, Vec<Id>), TokenError> {
        let Values { good, bad } = self.names(name, ClaimKind::Org);
        self.leave_out(name, &bad);
        let named = good.len();
        let mut orgs: Vec<Id> =
            good.iter().filter(|org| allowed.allows(org)).filter_map(|org| Id::parse(org).ok()).collect();
        if orgs.is_empty() && named > 0 {
            return Err(TokenError::OtherOrg { claim: name.as_str().to_owned() });
        }
        for _ in orgs.len()..named {
            LeftOut::add(&mut self.left_out, name.as_str(), Why::NotOfIssuer);
        }
        if let (true, Some(reason)) = (orgs.is_empty(), bad.first()) {
            self.unusable.push(UnusableClaim { says: ClaimKind::Org, claim: name.as_str().into(), reason });
        }
        let only = if orgs.len() == 1 { orgs.pop() } else { None };
        Ok((only, orgs))
    }

    fn roles(&mut self, issuer: &IssuerConfig) -> Vec<String> {
        let mut roles: Vec<String> = Vec::new();
        for claim in &issuer.claims.roles {
            let Values { good, bad } = self.names(claim, ClaimKind::Roles);
            self.leave_out(claim, &bad);
            for role in good {
                if !issuer.roles.allows(&role) {
                    LeftOut::add(&mut self.left_out, claim.as_str(), Why::NotOfIssuer);
                } else if !roles.iter().any(|known| **known == *role) {
                    roles.push(role.into_owned());
                }
            }
        }
        roles
    }

    fn other(&mut self, names: &[(Arc<str>, ClaimName)]) -> OtherClaims {
        let read = names.iter().map(|(called, name)| {
            let Texts { texts, dropped } =
                name.find(self.payload.0).map(|value| Texts::of(value, name.has_words())).unwrap_or_default();
            self.leave_out(name, &dropped);
            (Arc::clone(called), texts)
        });
        read.collect()
    }

    fn session(&mut self, name: &ClaimName) -> Option<Id> {
        self.payload.id(name).unwrap_or_else(|reason| {
            self.unusable.push(UnusableClaim { says: ClaimKind::Session, claim: name.as_str().into(), reason });
            None
        })
    }
}

fn publish(payload: &Payload<'_>, issuer: &IssuerConfig) -> Result<Option<Publish>, TokenError> {
    let Some(types) = payload.list("publish")? else { return Ok(None) };
    let types = types
        .into_iter()
        .map(|pattern| {
            TypePattern::parse(pattern).map_err(|_| {
                TokenError::invalid("publish", "a pattern is none of `*`, `service.*` and `service.Event`")
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let sources = payload.list("publish_sources")?.unwrap_or_else(|| vec!["*"]);
    let orgs = payload.list("publish_orgs")?.unwrap_or_else(|| vec!["*"]);
    if sources.iter().any(|source| source.is_empty()) {
        return Err(TokenError::invalid("publish_sources", "a source is empty"));
    }
    if orgs.iter().any(|org| Id::parse(org).is_err()) {
        return Err(TokenError::invalid("publish_orgs", "an org is blank, too long or holds a control character"));
    }
    Ok(Some(Publish {
        types: intersect(types, issuer.publish.as_deref()),
        sources: sources.into_iter().map(str::to_owned).collect(),
        orgs: orgs.into_iter().map(str::to_owned).collect(),
        issuer_orgs: issuer.orgs.clone(),
    }))
}
