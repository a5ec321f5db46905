//! Templates over the arguments of a call and the claims of its caller.

use std::borrow::Cow;
use std::sync::Arc;

use fanfare_token::ClaimName;
use smallvec::SmallVec;
use thiserror::Error;

use super::{Parameter, ParameterKind, Refusal, Scope};
use crate::document::suggest;
use crate::route::pieces;
use crate::vocabulary::braces::Piece;

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

/// A name between braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    Argument(usize),
    Claim(Claim),
    /// `{claim.teams}`: another claim of the token.
    Other(Arc<str>),
    /// `{answer.team}`: a claim in the authorizer's answer.
    Answer(Arc<str>),
    /// `{hub}` of a question.
    Hub,
    /// `{group}` of a question.
    Group,
}

impl Source {
    /// Whether it depends on the caller.
    pub(super) fn is_claim(&self) -> bool {
        matches!(self, Self::Claim(_) | Self::Other(_))
    }

    pub(super) fn is_answer(&self) -> bool {
        matches!(self, Self::Answer(_))
    }

    pub(super) fn other(&self) -> Option<&str> {
        match self {
            Self::Other(name) => Some(name),
            _ => None,
        }
    }
}

/// A template uses a name that the method does not have.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnknownName {
    /// No argument and no claim is called so.
    #[error("the method knows no `{{{name}}}`")]
    Unknown {
        /// The name.
        name: String,
        /// The known names.
        help: Option<String>,
    },
    /// The argument is not of a kind that can be written.
    #[error("`{{{name}}}` is {kind} and cannot be part of a text")]
    NotText {
        /// The name.
        name: String,
        /// The message.
        kind: &'static str,
    },
    /// The braces do not match.
    #[error("{0}")]
    Braces(String),
}

impl UnknownName {
    /// The suggestion.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Unknown { help, .. } => help.clone(),
            Self::NotText { .. } => Some("a string, a uuid, an integer, a boolean and a list of these can".to_owned()),
            Self::Braces(_) => None,
        }
    }
}

/// The names that the templates of one method may use.
#[derive(Debug, Clone, Copy)]
pub struct Names<'a> {
    parameters: &'a [Parameter],
    /// Whether an authorizer answers before they are read.
    answers: bool,
    /// Whether they are a question to one, and it is about a group.
    question: Option<bool>,
}

impl<'a> Names<'a> {
    /// The arguments and the caller's claims.
    #[must_use]
    pub fn new(parameters: &'a [Parameter]) -> Self {
        Self { parameters, answers: false, question: None }
    }

    /// And the claims of an authorizer's answer.
    #[must_use]
    pub fn with_answers(self) -> Self {
        Self { answers: true, ..self }
    }

    /// And the subject of a question: the hub, and the group if there is one.
    #[must_use]
    pub fn of_question(self, has_group: bool) -> Self {
        Self { answers: false, question: Some(has_group), ..self }
    }

    /// The kind of an argument that a list of texts would be, so that a template spreads over it.
    pub(super) fn is_list(self, source: &Source) -> bool {
        match source {
            Source::Argument(index) => {
                matches!(self.parameters.get(*index).map(|known| &known.kind), Some(ParameterKind::List(_)))
            }
            Source::Other(_) | Source::Answer(_) => true,
            Source::Claim(_) | Source::Hub | Source::Group => false,
        }
    }

    /// The source of a name: an argument by name or number, or a claim.
    pub(super) fn source(self, name: &str) -> Result<Source, UnknownName> {
        let number = name.parse::<usize>().ok().filter(|index| *index < self.parameters.len());
        let argument = || self.parameters.iter().position(|parameter| *parameter.name == *name);
        if let Some(index) = number.or_else(argument) {
            return Ok(Source::Argument(index));
        }
        if let Some(claim) = Claim::find(name) {
            return Ok(Source::Claim(claim));
        }
        match name.split_once('.') {
            Some(("claim", claim)) if ClaimName::parse(claim).is_ok() => return Ok(Source::Other(claim.into())),
            Some(("answer", said)) if self.answers && !said.is_empty() => return Ok(Source::Answer(said.into())),
            _ => {}
        }
        match (name, self.question) {
            ("hub", Some(_)) => return Ok(Source::Hub),
            ("group", Some(true)) => return Ok(Source::Group),
            _ => {}
        }
        let more = [
            ("claim.NAME", true),
            ("answer.NAME", self.answers),
            ("hub", self.question.is_some()),
            ("group", self.question == Some(true)),
        ];
        let more = more.into_iter().filter(|(_, is_known)| *is_known).map(|(name, _)| name);
        let arguments = self.parameters.iter().map(|parameter| &*parameter.name);
        let known = arguments.chain(Claim::ALL.map(|(name, _)| name)).chain(more);
        Err(UnknownName::Unknown { name: name.to_owned(), help: suggest::help(name, known) })
    }

    /// The same, for values that can be part of a text.
    pub(super) fn text_source(self, name: &str) -> Result<Source, UnknownName> {
        let source = self.source(name)?;
        if let Source::Argument(index) = source
            && let Some(parameter) = self.parameters.get(index)
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
    /// [`UnknownName`] if it names something that the method does not have.
    pub fn parse(text: &str, names: Names<'_>) -> Result<Self, UnknownName> {
        let parts = pieces(text).map_err(UnknownName::Braces)?.into_iter().map(|piece| match piece {
            Piece::Text(text) => Ok(Part::Text(text.into())),
            Piece::Name(name) => names.text_source(name).map(Part::Value),
        });
        Ok(Self(parts.collect::<Result<_, _>>()?))
    }

    /// The text for one call.
    ///
    /// # Errors
    /// [`Refusal`] if there is not one value for each name.
    pub fn text<'a>(&'a self, scope: Scope<'a>) -> Result<Cow<'a, str>, Refusal> {
        if let [part] = &*self.0 {
            return part.text(scope);
        }
        let mut text = String::new();
        for part in &self.0 {
            text.push_str(&part.text(scope)?);
        }
        Ok(Cow::Owned(text))
    }

    /// All its texts: one, or those of a list that stands alone; none if a value is missing.
    #[must_use]
    pub fn texts<'a>(&'a self, scope: Scope<'a>) -> SmallVec<[Cow<'a, str>; 1]> {
        match &*self.0 {
            [Part::Value(source)] => scope.all(source),
            _ => self.text(scope).ok().into_iter().collect(),
        }
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

    /// The names that it uses.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.0.iter().filter_map(|part| match part {
            Part::Value(source) => Some(source),
            Part::Text(_) => None,
        })
    }

    /// The claims without a meaning of their own that it names.
    pub(super) fn others(&self) -> impl Iterator<Item = &str> {
        self.sources().filter_map(Source::other)
    }
}

impl Part {
    fn text<'a>(&'a self, scope: Scope<'a>) -> Result<Cow<'a, str>, Refusal> {
        match self {
            Self::Text(text) => Ok(Cow::Borrowed(text)),
            Self::Value(source) => scope.required(source),
        }
    }
}
