//! Templates over the arguments of a call and the claims of its caller.

use std::borrow::Cow;

use smallvec::SmallVec;
use thiserror::Error;

use super::{Caller, Given, Parameter, Refusal};
use crate::document::suggest;
use crate::route::{Piece, pieces};
use crate::vocabulary::name::{GroupName, GroupTemplate};
use crate::vocabulary::owner::Owner;

/// A claim that templates may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// The user.
    User,
    /// The user's own org.
    Org,
    /// The session.
    Session,
    /// The realm of the token's issuer.
    Realm,
}

impl Claim {
    /// The claims by their names.
    pub const ALL: [(&str, Self); 4] =
        [("user", Self::User), ("org", Self::Org), ("session", Self::Session), ("realm", Self::Realm)];

    /// The claim of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == name).map(|(_, claim)| *claim)
    }

    /// The claim's name.
    pub(super) fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, claim)| *claim == self).map_or("", |(name, _)| name)
    }
}

/// What a name between braces stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Argument(usize),
    Claim(Claim),
}

impl Source {
    fn text<'a>(self, caller: Caller<'a>, given: &'a Given) -> Option<Cow<'a, str>> {
        match self {
            Self::Argument(index) => given.text(index),
            Self::Claim(claim) => caller.claim(claim).map(Cow::Borrowed),
        }
    }

    /// The same, or the refusal of a caller who lacks it.
    pub(super) fn required<'a>(self, caller: Caller<'a>, given: &'a Given) -> Result<Cow<'a, str>, Refusal> {
        self.text(caller, given).ok_or(match self {
            Self::Claim(claim) => Refusal::NoClaim(claim.name()),
            // Only texts are let into templates.
            Self::Argument(_) => Refusal::Argument("An argument is no text.".to_owned()),
        })
    }
}

/// A template names what the method does not have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnknownName {
    /// No argument and no claim is called so.
    #[error("the method knows no `{{{name}}}`")]
    Unknown {
        /// The name.
        name: String,
        /// What is known instead.
        help: Option<String>,
    },
    /// The argument is not of a kind that can be written.
    #[error("`{{{name}}}` is {kind} and cannot be part of a text")]
    NotText {
        /// The name.
        name: String,
        /// What it is.
        kind: &'static str,
    },
    /// The braces do not match.
    #[error("{0}")]
    Braces(String),
}

impl UnknownName {
    /// What would be right.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Unknown { help, .. } => help.clone(),
            Self::NotText { .. } => Some("a string, an integer or a boolean can".to_owned()),
            Self::Braces(_) => None,
        }
    }
}

/// What the templates of one method may name.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a>(pub &'a [Parameter]);

impl Names<'_> {
    /// What a name stands for: an argument by name or number, or a claim.
    pub(super) fn source(self, name: &str) -> Result<Source, UnknownName> {
        let number = name.parse::<usize>().ok().filter(|index| *index < self.0.len());
        let argument = || self.0.iter().position(|parameter| *parameter.name == *name);
        if let Some(index) = number.or_else(argument) {
            return Ok(Source::Argument(index));
        }
        if let Some(claim) = Claim::find(name) {
            return Ok(Source::Claim(claim));
        }
        let known = self.0.iter().map(|parameter| &*parameter.name).chain(Claim::ALL.map(|(name, _)| name));
        Err(UnknownName::Unknown { name: name.to_owned(), help: suggest::help(name, known) })
    }

    /// The same, of what can be part of a text.
    pub(super) fn text_source(self, name: &str) -> Result<Source, UnknownName> {
        let source = self.source(name)?;
        if let Source::Argument(index) = source
            && let Some(parameter) = self.0.get(index)
            && !parameter.kind.is_text()
        {
            return Err(UnknownName::NotText { name: name.to_owned(), kind: parameter.kind.article() });
        }
        Ok(source)
    }
}

/// A text with values of the call in it.
#[derive(Debug, Clone)]
pub struct Template(Box<[Part]>);

#[derive(Debug, Clone)]
enum Part {
    Text(Box<str>),
    Value(Source),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// [`UnknownName`] if it names what the method does not have.
    pub fn parse(text: &str, names: Names<'_>) -> Result<Self, UnknownName> {
        let parts = pieces(text).map_err(UnknownName::Braces)?.into_iter().map(|piece| match piece {
            Piece::Text(text) => Ok(Part::Text(text.into())),
            Piece::Name(name) => names.text_source(&name).map(Part::Value),
        });
        Ok(Self(parts.collect::<Result<_, _>>()?))
    }

    /// The text for one call; nothing where the caller lacks a claim.
    #[must_use]
    pub fn text<'a>(&'a self, caller: Caller<'a>, given: &'a Given) -> Option<Cow<'a, str>> {
        if let [part] = &*self.0 {
            return part.text(caller, given);
        }
        let texts = self.0.iter().map(|part| part.text(caller, given));
        Some(Cow::Owned(texts.collect::<Option<String>>()?))
    }

    /// The text, if there are no values in it.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match &*self.0 {
            [] => Some(""),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether it names a claim of the caller.
    #[must_use]
    pub fn uses_claims(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Value(Source::Claim(_))))
    }
}

impl Part {
    fn text<'a>(&'a self, caller: Caller<'a>, given: &'a Given) -> Option<Cow<'a, str>> {
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Value(source) => source.text(caller, given),
        }
    }
}

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

/// The group that a call names.
#[derive(Debug, Clone)]
pub struct GroupRule {
    template: GroupTemplate,
    values: SmallVec<[Source; 2]>,
}

impl GroupRule {
    /// Reads the template of a group.
    ///
    /// # Errors
    /// [`NotAGroup`] if it is none, or names what the method does not have.
    pub fn parse(text: &str, names: Names<'_>) -> Result<Self, NotAGroup> {
        let template = GroupTemplate::parse(text)?;
        let values = template.holes().map(|hole| names.text_source(hole)).collect::<Result<_, _>>()?;
        Ok(Self { template, values })
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

    /// Takes its users and sessions for what the groups of this template, of the same form, take them.
    pub fn own_as(&mut self, declared: &GroupTemplate) {
        self.template = self.template.owned_as(declared);
    }

    /// Whether its name is made of any claim.
    #[must_use]
    pub fn uses_claims(&self) -> bool {
        self.values.iter().any(|value| matches!(value, Source::Claim(_)))
    }

    /// The group of one call.
    ///
    /// # Errors
    /// [`Refusal`] if the caller lacks a claim or a value cannot be part of a name.
    pub fn name(&self, caller: Caller<'_>, given: &Given) -> Result<GroupName, Refusal> {
        let values = self.values.iter().map(|value| value.required(caller, given));
        let values: SmallVec<[Cow<'_, str>; 2]> = values.collect::<Result<_, _>>()?;
        let claims = caller.identity.map(|identity| &**identity.claims());
        let owner = Owner {
            realm: claims.and_then(|claims| claims.realm.as_deref()),
            user: claims.map(|claims| claims.user.as_str()),
        };
        Ok(self.template.name_for(&values, owner)?)
    }
}
