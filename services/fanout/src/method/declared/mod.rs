//! Hub methods that the configuration declares: who may call them, with what, and what they do.
//!
//! Everything here is pure: a call's arguments and its caller go in, and what is to be done or the text of the
//! Completion comes out.

mod allow;
mod argument;
mod caller;
mod group;
mod judged;
mod publish;
mod question;
mod rate;
mod realms;
mod refusal;
mod scope;
mod template;
#[cfg(test)]
mod tests;

pub use allow::{Allow, Condition, MAX_CONDITIONS, Met, OneOf};
pub use argument::{Given, ListOf, Parameter, ParameterKind, Text, Words};
pub use caller::Caller;
pub use group::{GroupRule, NotAGroup};
pub use judged::{Checked, MAX_GROUPS, Plan, Share, Wanted};
pub use publish::{Draft, Field, PublishRule, Shape};
pub use question::{Again, Asking, Question, QuestionForm};
pub use rate::{CallRate, Per};
pub use refusal::Refusal;
pub use scope::Scope;
pub use template::{Claim, Names, Template, UnknownName};

use fanfare_event::Registry;

use crate::document::{Fault, Spot};
use crate::vocabulary::name::GroupTemplate;
use template::Source;

/// A declared hub method.
#[derive(Debug, Clone)]
pub struct Declared {
    /// The name that clients call.
    pub name: Box<str>,
    /// Its arguments, in order.
    pub parameters: Box<[Parameter]>,
    /// Who may call it; everything must hold.
    pub authorization: Authorization,
    /// What it does.
    pub action: Action,
    /// The org of its groups, if their names do not contain it.
    pub org: Option<Template>,
    /// The error text for a caller who may not call it.
    pub refused: Refused,
    /// How often it may be called.
    pub rates: Box<[CallRate]>,
}

/// What must hold before a method does anything.
#[derive(Debug, Clone, Default)]
pub struct Authorization {
    /// Conditions over the caller's claims and the arguments.
    pub allow: Option<Allow>,
    /// Where it requires a grant by an event, if it does.
    pub grant: Option<Spot>,
    /// A question to the platform.
    pub authorizer: Option<Question>,
}

/// The error text for a caller who may not call a method.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Refused {
    /// Fanfare's text.
    #[default]
    Told,
    /// The platform's.
    Words(Box<str>),
    /// Nothing: the call is answered as if it had been carried out.
    Silently,
}

/// What a method does: something with groups, an event, or both.
#[derive(Debug, Clone, Default)]
pub struct Action {
    /// What it does with which groups.
    pub does: Option<(Deed, Box<[GroupRule]>)>,
    /// The event that it publishes.
    pub publish: Option<PublishRule>,
}

/// What a method does with groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Puts the connection into them.
    Join,
    /// Takes it out of them.
    Leave,
    /// Renews the presence of the connection, which is in them.
    Touch,
}

impl Action {
    /// The groups that it is about.
    #[must_use]
    pub fn groups(&self) -> &[GroupRule] {
        self.does.as_ref().map(|(_, groups)| &**groups).unwrap_or_default()
    }

    /// What it does with them.
    #[must_use]
    pub fn deed(&self) -> Option<Deed> {
        self.does.as_ref().map(|(deed, _)| *deed)
    }
}

impl Declared {
    /// The templates of the groups that it joins.
    pub fn joins(&self) -> impl Iterator<Item = &GroupTemplate> {
        let joined = if self.action.deed() == Some(Deed::Join) { self.action.groups() } else { &[] };
        joined.iter().map(GroupRule::template)
    }

    /// Whether it may still be called, and what it joined kept, with these roles, by who has met these conditions.
    #[must_use]
    pub fn allows_roles(&self, met: Met, roles: &[String]) -> bool {
        self.authorization.allow.as_ref().is_none_or(|allow| allow.allows(met, roles))
    }

    /// Takes users, sessions and orgs in its groups for what the hub's own groups of the same form take them.
    pub fn own_as<'t>(&mut self, declared: impl Iterator<Item = &'t GroupTemplate> + Clone) {
        let Some((_, groups)) = &mut self.action.does else { return };
        for group in groups {
            if let Some(same) = declared.clone().find(|known| known.same_family(group.template())) {
                group.own_as(same);
            }
        }
    }

    /// Checks the event that it publishes against its schema.
    pub fn check_event(&self, registry: &Registry, faults: &mut Vec<Fault>) {
        if let Some(event) = &self.action.publish {
            event.check(&self.parameters, registry, faults);
        }
    }

    /// A fault if what it publishes does not say the realm of a user whom it names.
    #[must_use]
    pub fn publishes_without_realm(&self) -> Option<Fault> {
        self.action.publish.as_ref().and_then(PublishRule::mixes_realms)
    }

    /// A fault if it asks for grants and no route gives any for its groups.
    #[must_use]
    pub fn without_grants<'r>(&self, granted: impl Iterator<Item = &'r GroupTemplate> + Clone) -> Option<Fault> {
        let spot = self.authorization.grant.as_ref()?;
        let is_granted = |template: &&GroupTemplate| granted.clone().any(|known| known.same_family(template));
        let template = self.joins().find(|template| !is_granted(template))?;
        let help = format!("a route needs grant = {{ user = ..., group = \"{template}\" }}");
        Some(spot.fault(format!("no route of this hub grants `{template}`"), Some(help)))
    }

    /// Whether anything in it uses the caller's claims.
    #[must_use]
    pub fn uses_claims(&self) -> bool {
        self.sources().any(Source::is_claim) || self.authorization.allow.as_ref().is_some_and(Allow::asks)
    }

    /// The claims without a meaning of their own that it names.
    pub fn claims(&self) -> impl Iterator<Item = &str> {
        let of_allow = self.authorization.allow.iter().flat_map(Allow::others);
        self.sources().filter_map(Source::other).chain(of_allow)
    }

    fn sources(&self) -> impl Iterator<Item = &Source> {
        let of_question = self.authorization.authorizer.iter().flat_map(Question::sources);
        let of_groups = self.action.groups().iter().flat_map(GroupRule::sources);
        let of_event = self.action.publish.iter().flat_map(PublishRule::sources);
        let of_org = self.org.iter().flat_map(Template::sources);
        of_question.chain(of_groups).chain(of_event).chain(of_org)
    }
}
