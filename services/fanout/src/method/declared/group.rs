//! The groups that a call names.

use std::borrow::Cow;

use fanfare_event::Id;
use smallvec::SmallVec;
use thiserror::Error;

use super::template::Source;
use super::{Claim, Names, Refusal, Scope, Template, UnknownName};
use crate::vocabulary::name::{GroupName, GroupTemplate};
use crate::vocabulary::owner::Owner;

/// Why a text is no group of a method.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotAGroup {
    /// It is no template of groups.
    #[error(transparent)]
    Template(#[from] crate::vocabulary::name::TemplateError),
    /// It names what the method does not have.
    #[error(transparent)]
    Name(#[from] UnknownName),
}

impl NotAGroup {
    /// What would be right.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Template(_) => None,
            Self::Name(error) => error.help(),
        }
    }
}

/// The group, or for a list the groups, that a call names.
#[derive(Debug, Clone)]
pub struct GroupRule {
    template: GroupTemplate,
    values: SmallVec<[Source; 2]>,
    /// The lists among its values.
    lists: Box<[Source]>,
    /// Which of its values is the org that the group belongs to, where another template of the hub says so.
    org: Option<usize>,
}

impl GroupRule {
    /// Reads the template of a group.
    ///
    /// # Errors
    /// [`NotAGroup`] if it is not a group, or names something that the method does not have.
    pub fn parse(text: &str, names: Names<'_>) -> Result<Self, NotAGroup> {
        let template = GroupTemplate::parse(text)?;
        let values: SmallVec<[Source; 2]> =
            template.holes().map(|hole| names.text_source(hole)).collect::<Result<_, _>>()?;
        let lists = values.iter().filter(|source| names.is_list(source)).cloned().collect();
        let org = template.holes().position(|hole| hole == "org");
        Ok(Self { template, values, lists, org })
    }

    /// The template.
    #[must_use]
    pub fn template(&self) -> &GroupTemplate {
        &self.template
    }

    /// Whether its name is made of this claim.
    #[must_use]
    pub fn uses(&self, claim: Claim) -> bool {
        self.values.contains(&Source::Claim(claim))
    }

    /// Takes its users, sessions and orgs for what the groups of this template, of the same form, take them.
    pub fn own_as(&mut self, declared: &GroupTemplate) {
        self.template = self.template.owned_as(declared);
        self.org = self.org.or_else(|| declared.holes().position(|hole| hole == "org"));
    }

    /// The names that its template uses.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.values.iter()
    }

    /// The lists that it spreads over.
    pub(super) fn lists(&self) -> &[Source] {
        &self.lists
    }

    /// The groups of one call, each with the org that it belongs to if that is known; `org` is what the method says of
    /// that.
    ///
    /// # Errors
    /// [`Refusal`] if the caller lacks a claim, a value cannot be part of a name, or there are more than `most`.
    pub(super) fn names(
        &self,
        scope: Scope<'_>,
        org: Option<&Template>,
        most: usize,
    ) -> Result<Vec<(GroupName, Option<Id>)>, Refusal> {
        let choices = scope.choices(&self.lists, most)?;
        choices.iter().map(|picks| self.name(Scope { picks, ..scope }, org)).collect()
    }

    fn name(&self, scope: Scope<'_>, org: Option<&Template>) -> Result<(GroupName, Option<Id>), Refusal> {
        let values = self.values.iter().map(|value| scope.required(value));
        let values: SmallVec<[Cow<'_, str>; 2]> = values.collect::<Result<_, _>>()?;
        let claims = scope.caller.identity.map(|identity| &**identity.claims());
        let owner = Owner {
            realm: claims.and_then(|claims| claims.realm.as_deref()),
            user: claims.map(|claims| claims.user.as_str()),
        };
        let org = match (org, self.org.and_then(|at| values.get(at))) {
            (Some(said), _) => Some(said.text(scope)?),
            (None, of_name) => of_name.cloned(),
        };
        let org = org.map(|org| Id::parse(&org).map_err(|_| Refusal::OtherOrg)).transpose()?;
        Ok((self.template.name_for(&values, owner)?, org))
    }
}
