//! Records of the log as events; pure.

use fanfare_broker::Record;
use fanfare_event::{Attributes, AttributesError, DecodeError, Event, Id, Registry, TypeName, Value};
use thiserror::Error;

use super::Written;
use crate::route::Unroutable;

/// Why a record cannot be used; the reason in its dead letter.
#[derive(Debug, Error)]
pub enum Unusable {
    /// The headers are no CloudEvents attributes.
    #[error("attributes: {0}")]
    Attributes(#[from] AttributesError),
    /// The body is no record of a known schema.
    #[error("body: {0}")]
    Body(#[from] DecodeError),
    /// The schema that the body names cannot be had or used.
    #[error("schema: {0}")]
    Schema(String),
    /// Headers and body name two event types.
    #[error("the headers say {said}, the body is a {is}")]
    OtherType {
        /// The type in the headers.
        said: TypeName,
        /// The type whose schema wrote the body.
        is: TypeName,
    },
    /// Subject or key, headers and body do not name the same org.
    #[error("the {place} names {}, the body {}", org_name(.said.as_deref()), org_name(.is.as_deref()))]
    OtherOrg {
        /// Where the other org stands.
        place: &'static str,
        /// The org there.
        said: Option<String>,
        /// The org in the body.
        is: Option<String>,
    },
    /// It names what cannot be routed.
    #[error(transparent)]
    Unroutable(#[from] Unroutable),
    /// Another event with this id was here before.
    #[error("its id was used before for an event with another body")]
    Conflict,
}

/// An org in an error's text.
pub(super) fn org_name(org: Option<&str>) -> String {
    org.map_or_else(|| "no org".to_owned(), |org| format!("org `{org}`"))
}

impl Unusable {
    /// All kinds of fault.
    pub const LABELS: &[&str] = &["attributes", "body", "schema", "other_type", "other_org", "unroutable", "conflict"];

    /// The kind of fault as a metric label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Attributes(_) => "attributes",
            Self::Body(_) => "body",
            Self::Schema(_) => "schema",
            Self::OtherType { .. } => "other_type",
            Self::OtherOrg { .. } => "other_org",
            Self::Unroutable(_) => "unroutable",
            Self::Conflict => "conflict",
        }
    }
}

/// Reads a record that was `written` by the schema that it names; `None` for a tombstone, which tells nothing by itself.
///
/// # Errors
/// [`Unusable`] with the reason for the dead letter.
pub fn decode(registry: &Registry, record: &Record, written: &Written) -> Result<Option<Event>, Unusable> {
    if record.message.is_tombstone() {
        return Ok(None);
    }
    let headers = record.message.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let attributes = Attributes::from_headers(headers)?;
    let body = written.decode(registry, &attributes.event_type, &record.message.body)?;
    if body.event_type().name() != &attributes.event_type {
        let (said, is) = (attributes.event_type, body.event_type().name().clone());
        return Err(Unusable::OtherType { said, is });
    }
    let event = Event { attributes, record: body };
    check_org(&event, record)?;
    Ok(Some(event))
}

/// Isolation rests on the org that the broker's subject or key carries, so all must agree (SEMANTICS 1.2).
fn check_org(event: &Event, record: &Record) -> Result<(), Unusable> {
    let attribute = event.attributes.org.as_ref().map(Id::as_str);
    if record.message.org.as_deref() != attribute {
        let (said, is) = (record.message.org.clone(), attribute.map(str::to_owned));
        return Err(Unusable::OtherOrg { place: "subject", said, is });
    }
    let in_body = org_of(event);
    if event.record.get("org").is_some() && in_body != attribute {
        let (said, is) = (attribute.map(str::to_owned), in_body.map(str::to_owned));
        return Err(Unusable::OtherOrg { place: "ce-org header", said, is });
    }
    Ok(())
}

fn org_of(event: &Event) -> Option<&str> {
    match event.record.get("org") {
        Some(Value::String(org)) => Some(org),
        _ => None,
    }
}
