//! The names that a route may use: the fields of its event, in every version that the route is for.

use std::sync::Arc;

use fanfare_event::{EventType, Schema};

use super::field::{FieldPath, article};
use super::source::{ATTRIBUTES, Source};
use super::text::{Part, Text, pieces};
use super::wire::is_readable;
use crate::document::section::{Section, integer};
use crate::document::{Document, Located, suggest};
use crate::vocabulary::braces::Piece;

/// The forms in which a value can be asked for: `{size:text}`.
const FORMS: [&str; 2] = ["text", "compact"];

/// When a template is filled in; that decides which names it may use.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// To find the audience: the notification has no id and cursor yet.
    Routing,
    /// To make the notification.
    Sending,
}

/// The event of one route.
pub(super) struct Scope<'c> {
    pub(super) document: &'c Document<'c>,
    /// The newest version, which says where a field is in a record.
    pub(super) schema: &'c Schema,
    /// The versions that the route lists; empty if it takes all.
    pub(super) versions: Vec<Arc<Schema>>,
}

impl Scope<'_> {
    /// A field by name or alias; it must be in every version that the route lists.
    pub(super) fn field(&self, name: Located<&str>) -> Option<FieldPath> {
        let field = match FieldPath::find(self.schema, name.value) {
            Ok(field) => field,
            Err(fault) => {
                self.document.fault(name.at, fault.message, fault.help);
                return None;
            }
        };
        for version in &self.versions {
            if FieldPath::find(version, name.value).is_err() {
                let (event, number) = (&version.event_type, version.version);
                let message = format!("`{}` is not in version {number} of {event}, which this route lists", name.value);
                self.document.fault(name.at, message, None);
            }
        }
        Some(field)
    }

    /// A template.
    pub(super) fn text(&self, template: Located<&str>, phase: Phase) -> Option<Text> {
        let pieces = match pieces(template.value) {
            Ok(pieces) => pieces,
            Err(message) => {
                self.document.fault(template.at, message, None);
                return None;
            }
        };
        let alone = pieces.len() == 1;
        let mut parts = Vec::with_capacity(pieces.len());
        let mut sound = true;
        for piece in pieces {
            match piece {
                Piece::Text(text) => parts.push(Part::Text(text.into())),
                Piece::Name(name) => match self.source(Located { value: name, at: template.at }, phase) {
                    Some(source) if alone || is_readable(&source.kind()) => parts.push(Part::Value(source)),
                    Some(_) => {
                        let message = format!("`{{{name}}}` cannot stand inside text");
                        self.document.fault(template.at, message, Some("it can stand alone".to_owned()));
                        sound = false;
                    }
                    None => sound = false,
                },
            }
        }
        sound.then(|| Text(parts.into()))
    }

    /// The value of a name between braces.
    pub(super) fn source(&self, name: Located<&str>, phase: Phase) -> Option<Source> {
        let Some((bare, form)) = name.value.split_once(':') else { return self.plain_source(name, phase) };
        let source = self.plain_source(Located { value: bare, at: name.at }, phase)?;
        let message = match (form, source) {
            ("text", source) if is_readable(&source.kind()) => return Some(Source::AsText(Box::new(source))),
            ("text", source) => format!("`{bare}` is {} and has no text", article(&source.kind())),
            ("compact", Source::Field(field)) => return Some(Source::Compact(field)),
            ("compact", _) => format!("`{bare}` is no field"),
            _ => format!("there is no form `{form}` of `{bare}`"),
        };
        let help = suggest::help(form, FORMS);
        self.document.fault(name.at, message, help.filter(|_| !FORMS.contains(&form)));
        None
    }

    fn plain_source(&self, name: Located<&str>, phase: Phase) -> Option<Source> {
        if !name.value.starts_with('$') {
            return self.field(name).map(Source::Field);
        }
        match ATTRIBUTES.iter().find(|(known, ..)| *known == name.value) {
            Some((_, source, true)) => Some(source.clone()),
            Some((_, source, false)) if phase == Phase::Sending => Some(source.clone()),
            Some(_) => {
                let message = format!("`{{{}}}` is not known before the notification is made", name.value);
                self.document.fault(name.at, message, None);
                None
            }
            None if name.value == "$event" => {
                let help = "it is an object: it stands alone, as one of the `arguments` of `send`";
                self.document.fault(name.at, "`{$event}` cannot stand here", Some(help.to_owned()));
                None
            }
            None => {
                let help = suggest::help(name.value, ATTRIBUTES.iter().map(|(known, ..)| *known));
                self.document.fault(name.at, format!("there is no `{{{}}}`", name.value), help);
                None
            }
        }
    }

    /// The one field that a template consists of, for instance `"{user}"`.
    pub(super) fn only_field(&self, template: Located<&str>, what: &str) -> Option<FieldPath> {
        let text = self.text(template, Phase::Routing)?;
        if let Some(Source::Field(field)) = text.single() {
            return Some(field.clone());
        }
        let message = format!("`{what}` must be one field of the event");
        self.document.fault(template.at, message, Some(format!("for instance {what} = \"{{{what}}}\"")));
        None
    }
}

/// The versions that a route lists; none if it takes all.
pub(super) fn versions(section: &Section<'_>, event_type: &EventType) -> Vec<Arc<Schema>> {
    let mut versions = Vec::new();
    let Some(list) = section.list("versions") else {
        return versions;
    };
    for node in list {
        let number = integer(node).and_then(|number| u32::try_from(number).ok());
        match number.and_then(|number| event_type.version(number)) {
            Some(version) => versions.push(version.clone()),
            None => {
                let known: Vec<_> = event_type.versions().iter().map(|known| known.version.to_string()).collect();
                let message = format!("{} has no such version", event_type.name());
                section.document().fault(node.span().start, message, Some(format!("known: {}", known.join(", "))));
            }
        }
    }
    if list.is_empty() {
        section.fault("versions", "no version is listed", Some("leave the key out to take all of them".to_owned()));
    }
    versions
}
