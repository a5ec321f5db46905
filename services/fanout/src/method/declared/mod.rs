//! Hub methods that the configuration declares: who may call them, with what, and what they do.
//!
//! Everything here is pure: a call's arguments and its caller go in, and what is to be done or the text of the
//! Completion comes out.

mod allow;
mod argument;
mod caller;
mod publish;
mod question;
mod realms;
mod refusal;
mod template;
#[cfg(test)]
mod tests;

pub use allow::Allow;
pub use argument::{Given, Parameter, ParameterKind, Text};
pub use caller::Caller;
pub use publish::{Draft, Field, PublishRule, Shape};
pub use question::Question;
pub use refusal::Refusal;
pub use template::{Claim, GroupRule, Names, NotAGroup, Template, UnknownName};

use fanfare_event::Registry;
use fanfare_signalr::Value;

use crate::document::{Fault, Spot};
use crate::vocabulary::name::{GroupName, GroupTemplate};

/// A hub method as it is declared.
#[derive(Debug, Clone)]
pub struct Declared {
    /// The name that clients call.
    pub name: Box<str>,
    /// What it takes, in order.
    pub parameters: Box<[Parameter]>,
    /// Who may call it; all of it must hold.
    pub authorization: Authorization,
    /// What it does.
    pub action: Action,
}

/// What must hold before a method does anything.
#[derive(Debug, Clone, Default)]
pub struct Authorization {
    /// A condition over the caller's claims and the arguments.
    pub allow: Option<Allow>,
    /// Where it says that an event must have granted it, if it does.
    pub grant: Option<Spot>,
    /// A question to the platform.
    pub authorizer: Option<Question>,
}

/// What a method does.
#[derive(Debug, Clone)]
pub enum Action {
    /// Puts the connection into a group.
    Join(GroupRule),
    /// Takes it out of one.
    Leave(GroupRule),
    /// Publishes an event.
    Publish(PublishRule),
}

/// What a call asks for once its arguments and its caller were looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// To be in a group.
    Join(GroupName),
    /// To be in it no longer.
    Leave(GroupName),
    /// To publish an event.
    Publish(Draft),
}

/// A call that may be carried out once its authorizer, if there is one, has agreed.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// What it asks for.
    pub asked: Asked,
    /// The URL that must answer first.
    pub url: Option<String>,
}

impl Declared {
    /// Checks a call as far as that takes nobody else.
    ///
    /// # Errors
    /// [`Refusal`] with the text for the client.
    pub fn check(&self, caller: Caller<'_>, hub: &str, arguments: Vec<Value<'static>>) -> Result<Checked, Refusal> {
        let given = Given::read(&self.parameters, arguments)?;
        if self.authorization.allow.as_ref().is_some_and(|allow| !allow.holds(caller, &given)) {
            return Err(Refusal::Unauthorized);
        }
        let (asked, group) = match &self.action {
            Action::Join(rule) => {
                let group = rule.name(caller, &given)?;
                (Asked::Join(group.clone()), Some(group))
            }
            Action::Leave(rule) => (Asked::Leave(rule.name(caller, &given)?), None),
            Action::Publish(rule) => (Asked::Publish(rule.draft(caller, &given)?), None),
        };
        let question = self.authorization.authorizer.as_ref();
        let url = question.map(|question| question.url(caller, &given, hub, group.as_ref())).transpose()?;
        Ok(Checked { asked, url })
    }

    /// The template of the groups that it joins.
    #[must_use]
    pub fn joins(&self) -> Option<&GroupTemplate> {
        match &self.action {
            Action::Join(group) => Some(group.template()),
            Action::Leave(_) | Action::Publish(_) => None,
        }
    }

    /// Whether it may still be called, and what it joined kept, with these roles.
    #[must_use]
    pub fn allows_roles(&self, roles: &[String]) -> bool {
        self.authorization.allow.as_ref().is_none_or(|allow| allow.allows_roles(roles))
    }

    /// Takes users and sessions in its groups for what the hub's own groups of the same form take them.
    pub fn own_as<'t>(&mut self, mut declared: impl Iterator<Item = &'t GroupTemplate>) {
        let (Action::Join(group) | Action::Leave(group)) = &mut self.action else { return };
        if let Some(same) = declared.find(|known| known.same_family(group.template())) {
            group.own_as(same);
        }
    }

    /// Checks the event that it publishes against its schema.
    pub fn check_event(&self, registry: &Registry, faults: &mut Vec<Fault>) {
        if let Action::Publish(event) = &self.action {
            event.check(&self.parameters, registry, faults);
        }
    }

    /// A fault if what it publishes does not say the realm of a user whom it names.
    #[must_use]
    pub fn publishes_without_realm(&self) -> Option<Fault> {
        match &self.action {
            Action::Publish(event) => event.mixes_realms(),
            Action::Join(_) | Action::Leave(_) => None,
        }
    }

    /// A fault if it asks for grants and no route gives any for its groups.
    #[must_use]
    pub fn without_grants<'r>(&self, mut granted: impl Iterator<Item = &'r GroupTemplate>) -> Option<Fault> {
        let (spot, template) = (self.authorization.grant.as_ref()?, self.joins()?);
        if granted.any(|known| known.same_family(template)) {
            return None;
        }
        let help = format!("a route needs grant = {{ user = ..., group = \"{template}\" }}");
        Some(spot.fault(format!("no route of this hub grants `{template}`"), Some(help)))
    }

    /// Whether anything of it is made of the caller's claims.
    #[must_use]
    pub fn uses_claims(&self) -> bool {
        let asks = self.authorization.authorizer.as_ref().is_some_and(Question::uses_claims);
        asks || match &self.action {
            Action::Join(group) | Action::Leave(group) => group.uses_claims(),
            Action::Publish(event) => event.uses_claims(),
        }
    }
}
