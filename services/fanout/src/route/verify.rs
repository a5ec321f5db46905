//! What an event must contain to be routed at all.

use fanfare_event::{Event, EventType, Id, Kind, check_name};

/// The names of fields that hold ids, or their aliases.
const ID_FIELDS: [&str; 6] = ["user", "user_id", "org", "org_id", "session", "session_id"];

/// The names, or aliases, of a field that holds the org.
const ORG_FIELDS: [&str; 2] = ["org", "org_id"];

/// Whether a field says whom an event is for.
pub(super) fn is_address(field: &fanfare_event::Field) -> bool {
    ID_FIELDS.iter().any(|name| field.is_called(name))
}

/// Why an event cannot be routed; it belongs into the dead letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unroutable {
    /// The body is of another type than the attributes say.
    #[error("the attributes say {attributes} and the body is {body}")]
    OtherType {
        /// The type of the attributes.
        attributes: String,
        /// The type of the body.
        body: String,
    },
    /// The body names another org than the attributes.
    #[error("the attributes name another org than the field `{field}`")]
    OtherOrg {
        /// The field of the body.
        field: String,
    },
    /// A field for an id has an invalid value.
    #[error("the field `{field}` is not an id: {reason}")]
    BadId {
        /// The field.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A role in a list of roles is none.
    #[error("a role in the field `{field}` is invalid: {reason}")]
    BadRole {
        /// The field.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No issuer of users has the realm that the event names.
    #[error("the field `{field}` names a realm that no issuer of users has")]
    UnknownRealm {
        /// The field.
        field: String,
    },
    /// A value cannot be part of a group's name.
    #[error("route {route}: no group can be named: {reason}")]
    BadGroup {
        /// The route.
        route: String,
        /// What is wrong with the value.
        reason: String,
    },
}

/// The fields of an event type that hold ids.
#[derive(Debug, Clone, Default)]
pub(super) struct IdFields {
    fields: Box<[(usize, Box<str>)]>,
    org: Option<usize>,
}

impl IdFields {
    pub(super) fn of(event_type: &EventType) -> Self {
        let schema = event_type.newest();
        let named = |names: &[&str]| {
            let is_id = move |(_, field): &(usize, &fanfare_event::Field)| {
                matches!(field.kind, Kind::String | Kind::Uuid) && names.iter().any(|name| field.is_called(name))
            };
            schema.fields.iter().enumerate().filter(is_id).collect::<Vec<_>>()
        };
        Self {
            fields: named(&ID_FIELDS).into_iter().map(|(at, field)| (at, (&*field.name).into())).collect(),
            org: named(&ORG_FIELDS).first().map(|(at, _)| *at),
        }
    }

    /// Checks the event's ids, and that it names one org only.
    pub(super) fn verify(&self, event: &Event) -> Result<(), Unroutable> {
        for (at, name) in &self.fields {
            let value = event.record.at(*at);
            if let Some(Err(error)) = value.as_str().map(check_name) {
                return Err(Unroutable::BadId { field: name.to_string(), reason: error.to_string() });
            }
            let named = event.attributes.org.as_ref().map(Id::as_str);
            if self.org == Some(*at) && named.is_some() && !value.is_null() && value.as_str() != named {
                return Err(Unroutable::OtherOrg { field: name.to_string() });
            }
        }
        Ok(())
    }
}

/// The org that an event belongs to, by its attributes or else by its body.
pub(super) fn org(event: &Event) -> Option<&str> {
    let named = event.attributes.org.as_ref().map(Id::as_str);
    let field = || ORG_FIELDS.into_iter().find_map(|name| event.record.get(name)?.as_str());
    named.or_else(field)
}
