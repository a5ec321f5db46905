//! `allow`: conditions over the caller's claims and the arguments.

use super::{Claim, Scope, Template};

/// The most conditions of one method.
pub const MAX_CONDITIONS: usize = 16;

/// Who may call a method: callers who meet one of these conditions, or everybody connected if there is none.
#[derive(Debug, Clone, Default)]
pub struct Allow {
    /// The conditions.
    pub conditions: Box<[Condition]>,
}

/// One condition; all its parts must hold.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    /// One of these roles is needed, if any are listed.
    pub roles: Option<Box<[String]>>,
    /// The claims that must have a value, mostly that of an argument.
    pub claims: Box<[(Claim, Template)]>,
    /// Other claims, each with its accepted values.
    pub other: Box<[OneOf]>,
}

/// Another claim, and its accepted values.
#[derive(Debug, Clone)]
pub struct OneOf {
    /// The claim.
    pub claim: Box<str>,
    /// The accepted values.
    pub values: Box<[Template]>,
}

/// Which conditions a call has met, apart from roles, which may change while the call's groups are joined.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Met(u16);

impl Allow {
    /// The conditions that a call meets, whatever its caller's roles are.
    #[must_use]
    pub fn met(&self, scope: Scope<'_>) -> Met {
        let met = self.conditions.iter().take(MAX_CONDITIONS).enumerate().filter(|(_, one)| one.claims_hold(scope));
        Met(met.fold(0, |met, (at, _)| met | 1 << at))
    }

    /// Whether roles suffice for a call that has met these.
    #[must_use]
    pub fn allows(&self, met: Met, roles: &[String]) -> bool {
        let mut of_met =
            self.conditions.iter().enumerate().filter(|(at, _)| *at < MAX_CONDITIONS && met.0 & 1 << at != 0);
        self.conditions.is_empty() || of_met.any(|(_, one)| one.allows_roles(roles))
    }

    /// Whether it needs a token.
    #[must_use]
    pub fn asks(&self) -> bool {
        !self.conditions.is_empty()
    }

    /// The claims without a meaning of their own that it names.
    pub(super) fn others(&self) -> impl Iterator<Item = &str> {
        self.conditions.iter().flat_map(|one| {
            let values = one.other.iter().flat_map(|other| other.values.iter());
            let templates = one.claims.iter().map(|(_, template)| template).chain(values);
            one.other.iter().map(|other| &*other.claim).chain(templates.flat_map(Template::others))
        })
    }
}

impl Condition {
    fn claims_hold(&self, scope: Scope<'_>) -> bool {
        // A claim that is missing on both sides is no match, and of a list each item must match.
        let all = |template: &Template, has: &dyn Fn(&str) -> bool| {
            let wanted = template.texts(scope);
            !wanted.is_empty() && wanted.iter().all(|wanted| has(wanted))
        };
        self.claims.iter().all(|(claim, wanted)| all(wanted, &|wanted| scope.caller.has(*claim, wanted)))
            && self.other.iter().all(|OneOf { claim, values }| {
                let held = scope.caller.other(claim);
                values.iter().any(|value| all(value, &|wanted| held.iter().any(|held| held == wanted)))
            })
    }

    fn allows_roles(&self, roles: &[String]) -> bool {
        self.roles.as_ref().is_none_or(|asked| asked.iter().any(|role| roles.contains(role)))
    }
}
