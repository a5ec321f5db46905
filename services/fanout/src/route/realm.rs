//! The realm of an event's users: named by the route or the event, otherwise that of the first issuer of users.

use std::sync::Arc;

use fanfare_event::{Event, Kind, Value};
use smallvec::SmallVec;

use super::field::{FieldPath, article};
use super::scope::{Phase, Scope};
use super::source::Source;
use super::verify::Unroutable;
use crate::document::section::Section;
use crate::document::suggest;

/// The field that names the realm of an event's users, unless its route says otherwise.
const FIELD: &str = "realm";

/// The realms of the issuers of users, the first issuer's first. There are none where one issuer has users and its
/// realm has no name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Realms(Arc<[Arc<str>]>);

impl Realms {
    /// Takes the realms in the order of their issuers, each once.
    #[must_use]
    pub fn new<'r>(realms: impl IntoIterator<Item = &'r str>) -> Self {
        let mut known: Vec<Arc<str>> = Vec::new();
        for realm in realms {
            if !known.iter().any(|other| **other == *realm) {
                known.push(realm.into());
            }
        }
        Self(known.into())
    }

    /// The realm that is meant where none is named.
    #[must_use]
    pub fn first(&self) -> Option<&Arc<str>> {
        self.0.first()
    }

    /// Whether there are users of more than one.
    #[must_use]
    pub fn are_several(&self) -> bool {
        self.0.len() > 1
    }

    fn find(&self, name: &str) -> Option<&Arc<str>> {
        self.0.iter().find(|known| ***known == *name)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }
}

/// In which realms an event means its user.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InRealm {
    /// In all of them: a logout that names none.
    Every,
    /// In one; it has no name where there is but one.
    One(Option<Arc<str>>),
}

impl InRealm {
    /// Whether users of this realm are meant.
    #[must_use]
    pub fn includes(&self, realm: Option<&str>) -> bool {
        match self {
            Self::Every => true,
            Self::One(one) => one.as_deref() == realm,
        }
    }
}

/// The realms of the users that get an event: one, except for a logout. None stands for the one realm without a name.
pub(super) type RealmNames = SmallVec<[Option<Arc<str>>; 1]>;

/// Where a route takes its realm from.
#[derive(Debug, Clone)]
pub(super) struct RealmRule {
    source: RealmSource,
    realms: Realms,
}

#[derive(Debug, Clone)]
enum RealmSource {
    /// Neither the route nor the event names one.
    Unset,
    /// The route names it.
    Route(Arc<str>),
    /// A field of the event names it.
    Field(FieldPath),
}

impl RealmRule {
    /// Reads `realm = "partner"` or `realm = "{tenant}"`; without it a field `realm` of the event counts.
    pub(super) fn compile(scope: &Scope<'_>, section: &Section<'_>, realms: &Realms) -> Self {
        let source = match section.string("realm") {
            None => Self::of_field(scope),
            Some(text) => scope.text(text, Phase::Routing).and_then(|template| {
                if let Some(literal) = template.literal() {
                    let known = realms.find(literal).cloned();
                    if known.is_none() {
                        let message = format!("no [[issuer]] of users has the realm {literal:?}");
                        scope.document.fault(text.at, message, suggest::help(literal, realms.names()));
                    }
                    return known.map(RealmSource::Route);
                }
                match template.single() {
                    Some(Source::Field(field)) if *field.kind() == Kind::String => {
                        Some(RealmSource::Field(field.clone()))
                    }
                    other => {
                        let found = other.map_or_else(|| "a text".to_owned(), |source| article(&source.kind()));
                        let message = format!("`realm` is {found}, and must be a name or one string field");
                        scope.document.fault(text.at, message, Some("for instance realm = \"{realm}\"".to_owned()));
                        None
                    }
                }
            }),
        };
        Self { source: source.unwrap_or(RealmSource::Unset), realms: realms.clone() }
    }

    fn of_field(scope: &Scope<'_>) -> Option<RealmSource> {
        let field = FieldPath::find(scope.schema, FIELD).ok()?;
        (*field.kind() == Kind::String).then_some(RealmSource::Field(field))
    }

    /// The realm that an event names.
    fn named(&self, event: &Event) -> Result<Option<Arc<str>>, Unroutable> {
        match &self.source {
            RealmSource::Unset => Ok(None),
            RealmSource::Route(realm) => Ok(Some(Arc::clone(realm))),
            // Where there is but one realm, a field of this name says something else.
            RealmSource::Field(_) if self.realms.first().is_none() => Ok(None),
            RealmSource::Field(field) => match field.read(&event.record) {
                Value::String(name) => match self.realms.find(name) {
                    Some(realm) => Ok(Some(Arc::clone(realm))),
                    None => Err(Unroutable::UnknownRealm { field: field.name().to_owned() }),
                },
                _ => Ok(None),
            },
        }
    }

    /// The one realm in which the event means its users.
    pub(super) fn one(&self, event: &Event) -> Result<Option<Arc<str>>, Unroutable> {
        Ok(self.named(event)?.or_else(|| self.realms.first().cloned()))
    }

    /// The realms in which a logout ends sessions.
    pub(super) fn of_logout(&self, event: &Event) -> Result<InRealm, Unroutable> {
        Ok(match self.named(event)? {
            None => InRealm::Every,
            named => InRealm::One(named),
        })
    }

    /// The realms of the users that get it; one without a name if there is only one.
    pub(super) fn hearing(&self, event: &Event, every: bool) -> Result<RealmNames, Unroutable> {
        if every && self.realms.first().is_some() && self.named(event)?.is_none() {
            return Ok(self.realms.0.iter().cloned().map(Some).collect());
        }
        Ok(RealmNames::from_elem(self.one(event)?, 1))
    }
}
