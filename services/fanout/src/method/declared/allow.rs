//! `allow`: a condition over the caller's claims and the arguments.

use super::{Caller, Claim, Given, Template};

/// Who may call a method; all of it must hold.
#[derive(Debug, Clone, Default)]
pub struct Allow {
    /// One of these roles is needed, if any are listed.
    pub roles: Option<Box<[String]>>,
    /// The claims that must have a value, mostly that of an argument.
    pub claims: Box<[(Claim, Template)]>,
}

impl Allow {
    /// Whether this caller may call with these arguments.
    #[must_use]
    pub fn holds(&self, caller: Caller<'_>, given: &Given) -> bool {
        self.allows_roles(caller.roles)
            && self.claims.iter().all(|(claim, wanted)| {
                // A claim that is missing on both sides is no match.
                wanted.text(caller, given).is_some_and(|wanted| caller.has(*claim, &wanted))
            })
    }

    /// Whether the roles suffice.
    #[must_use]
    pub fn allows_roles(&self, roles: &[String]) -> bool {
        self.roles.as_ref().is_none_or(|asked| asked.iter().any(|role| roles.contains(role)))
    }
}
