//! A call that has been checked: what it asks for, and which questions must be put to an authorizer first.

use std::sync::Arc;

use fanfare_event::Id;
use fanfare_signalr::Value;
use fanfare_token::OtherClaims;
use smallvec::SmallVec;

use super::scope::Pick;
use super::template::Source;
use super::{Asking, Caller, Declared, Draft, Given, GroupRule, Met, Refusal, Scope};
use crate::vocabulary::name::GroupName;

/// The most groups that one call names, and the most questions that it puts.
pub const MAX_GROUPS: usize = 256;

/// A call that may be carried out once its authorizer, if it has one, has allowed all of it.
#[derive(Debug, Clone)]
pub struct Checked {
    /// The arguments and claims of the call.
    pub given: Given,
    /// Which conditions it has met, whatever its caller's roles are later.
    pub met: Met,
    /// The questions that must be answered first.
    pub shares: Vec<Share>,
    /// What it will do, as far as that does not depend on the authorizer's answer.
    pub plan: Option<Plan>,
}

/// The subject of one question; without an authorizer, the whole call.
#[derive(Debug, Clone)]
pub struct Share {
    /// The question.
    pub asking: Option<Arc<Asking>>,
    picks: SmallVec<[Pick; 2]>,
    /// The template whose groups it is about; all of them if it is about no group.
    template: Option<usize>,
}

/// What a call will do.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The groups, each once.
    pub groups: Vec<Wanted>,
    /// The event.
    pub draft: Option<Draft>,
}

/// One group that a call names.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The group.
    pub group: GroupName,
    /// The org that it belongs to, if that is known.
    pub org: Option<Id>,
    /// Which of the shares let it in.
    pub share: usize,
}

impl Declared {
    /// Checks a call as far as that takes nobody else.
    ///
    /// # Errors
    /// [`Refusal`] with the text for the client.
    pub fn check(&self, caller: Caller<'_>, hub: &str, arguments: Vec<Value<'static>>) -> Result<Checked, Refusal> {
        let given = Given::read(&self.parameters, arguments)?;
        let scope = Scope::new(caller, &given, hub);
        let met = self.authorization.allow.as_ref().map(|allow| allow.met(scope)).unwrap_or_default();
        if !self.allows_roles(met, caller.roles) {
            return Err(Refusal::Unauthorized);
        }
        let shares = self.shares(scope)?;
        let plan = if self.needs_answer() { None } else { Some(self.plan(scope, &shares, &[])?) };
        Ok(Checked { given, met, shares, plan })
    }

    /// What it will do, once the authorizer has answered.
    ///
    /// # Errors
    /// [`Refusal`] with the text for the client.
    pub fn plan(&self, scope: Scope<'_>, shares: &[Share], answers: &[OtherClaims]) -> Result<Plan, Refusal> {
        let mut groups: Vec<Wanted> = Vec::new();
        for (number, share) in shares.iter().enumerate() {
            let scope = Scope { picks: &share.picks, answer: answers.get(number), ..scope };
            for (_, rule) in self.rules().filter(|(at, _)| share.template.is_none_or(|of| of == *at)) {
                for (group, org) in rule.names(scope, self.org.as_ref(), MAX_GROUPS)? {
                    if groups.iter().all(|known| known.group != group) {
                        groups.push(Wanted { group, org, share: number });
                    }
                }
            }
            if groups.len() > MAX_GROUPS {
                return Err(Refusal::TooWide(MAX_GROUPS));
            }
        }
        let scope = Scope { answer: answers.first(), ..scope };
        let draft = self.action.publish.as_ref().map(|publish| publish.draft(scope)).transpose()?;
        Ok(Plan { groups, draft })
    }

    fn rules(&self) -> impl Iterator<Item = (usize, &GroupRule)> {
        self.action.groups().iter().enumerate()
    }

    fn shares(&self, scope: Scope<'_>) -> Result<Vec<Share>, Refusal> {
        let Some(question) = &self.authorization.authorizer else {
            return Ok(vec![Share { asking: None, picks: SmallVec::new(), template: None }]);
        };
        let mut shares = Vec::new();
        if question.names_group() {
            for (at, rule) in self.rules() {
                let lists: Vec<Source> = question.lists().iter().chain(rule.lists()).cloned().collect();
                for picks in scope.choices(&lists, MAX_GROUPS)? {
                    let scope = Scope { picks: &picks, ..scope };
                    for (group, _) in rule.names(scope, None, MAX_GROUPS)? {
                        let asking = question.ask(Scope { group: Some(&group), ..scope })?;
                        shares.push(Share { asking: Some(Arc::new(asking)), picks: picks.clone(), template: Some(at) });
                    }
                }
            }
        } else {
            for picks in scope.choices(question.lists(), MAX_GROUPS)? {
                let asking = question.ask(Scope { picks: &picks, ..scope })?;
                shares.push(Share { asking: Some(Arc::new(asking)), picks, template: None });
            }
        }
        if shares.len() > MAX_GROUPS { Err(Refusal::TooWide(MAX_GROUPS)) } else { Ok(shares) }
    }

    /// Whether its authorizer is asked about a group whose name depends on the answer.
    #[must_use]
    pub fn asks_about_what_it_is_told(&self) -> bool {
        let names_group = self.authorization.authorizer.as_ref().is_some_and(|question| question.names_group());
        names_group && self.action.groups().iter().flat_map(GroupRule::sources).any(Source::is_answer)
    }

    /// Whether what it will do depends on the authorizer's answer.
    fn needs_answer(&self) -> bool {
        let of_org = self.org.iter().flat_map(|org| org.sources());
        let of_groups = self.action.groups().iter().flat_map(GroupRule::sources);
        let of_event = self.action.publish.iter().flat_map(|publish| publish.sources());
        of_groups.chain(of_event).chain(of_org).any(Source::is_answer)
    }
}
