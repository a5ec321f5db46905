//! Records of the log as events; pure.

use fanfare_broker::{Record, Stream};
use fanfare_event::{Attributes, AttributesError, DecodeError, Event, Id, Record as Body, Registry, TypeName, Value};
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
    /// Its broker's key is none that the event has.
    #[error(
        "the key of the record is `{said}`, but should be `{is}`: the org of the event, else its user, else its type"
    )]
    OtherKey {
        /// The key.
        said: String,
        /// What it should be.
        is: String,
    },
    /// The body is too large to be delivered.
    #[error("the body has {size} bytes, at most {limit} are delivered")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The largest size.
        limit: usize,
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
    pub const LABELS: &[&str] =
        &["attributes", "body", "schema", "other_type", "other_org", "too_large", "unroutable", "conflict"];

    /// The kind of fault as a metric label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Attributes(_) => "attributes",
            Self::Body(_) => "body",
            Self::Schema(_) => "schema",
            Self::OtherType { .. } => "other_type",
            Self::OtherOrg { .. } | Self::OtherKey { .. } => "other_org",
            Self::TooLarge { .. } => "too_large",
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
    let org = settle_org(&attributes, &body, record)?;
    check_key(org.as_ref(), &body, record)?;
    Ok(Some(Event { attributes: Attributes { org, ..attributes }, record: body }))
}

/// The same for bodies of at most so many bytes: a queue takes only so much.
///
/// # Errors
/// [`Unusable`] with the reason for the dead letter.
pub(super) fn decode_within(
    registry: &Registry,
    record: &Record,
    written: &Written,
    limit: usize,
) -> Result<Option<Event>, Unusable> {
    let size = record.message.body.len();
    if size > limit {
        return Err(Unusable::TooLarge { size, limit });
    }
    decode(registry, record, written)
}

/// The org of an event: what its header names, else its subject, else its body.
///
/// Isolation rests on it, so all that name one must agree (SEMANTICS 1.2). A body that has a field for it and leaves
/// it empty says that the event is of no org.
fn settle_org(attributes: &Attributes, body: &Body, record: &Record) -> Result<Option<Id>, Unusable> {
    let in_header = attributes.org.as_ref().map(Id::as_str);
    let in_subject = record.message.org.as_deref();
    let (place, named) = match (in_header, in_subject) {
        (Some(header), Some(subject)) if header != subject => {
            let (said, is) = (Some(subject.to_owned()), Some(header.to_owned()));
            return Err(Unusable::OtherOrg { place: "subject", said, is });
        }
        (Some(header), _) => ("ce-org header", Some(header)),
        (None, subject) => ("subject", subject),
    };
    let in_body = text(body, "org");
    if named.is_some() && body.get("org").is_some() && in_body != named {
        let (said, is) = (named.map(str::to_owned), in_body.map(str::to_owned));
        return Err(Unusable::OtherOrg { place, said, is });
    }
    let Some(org) = named.or(in_body) else { return Ok(None) };
    match Id::parse(org) {
        Ok(id) => Ok(Some(id)),
        Err(error) => {
            let reason = error.to_string();
            Err(Unusable::Unroutable(Unroutable::BadId { field: "org".to_owned(), reason }))
        }
    }
}

/// What a broker keeps the order of events by is the org, else the user, else the type (SEMANTICS 4.5): with another
/// key two events of one org might change their order, or one org might name another.
fn check_key(org: Option<&Id>, body: &Body, record: &Record) -> Result<(), Unusable> {
    let Some(key) = record.message.key.as_deref().filter(|_| record.message.stream == Stream::Events) else {
        return Ok(());
    };
    let is = org.map(Id::as_str).or_else(|| text(body, "user")).unwrap_or_else(|| body.event_type().name().as_str());
    if key != is {
        return Err(Unusable::OtherKey { said: key.to_owned(), is: is.to_owned() });
    }
    Ok(())
}

fn text<'b>(body: &'b Body, field: &str) -> Option<&'b str> {
    body.get(field).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;

    /// A record of an alert, with what its header, its subject and its key say.
    fn alert(body: &str, header: Option<&str>, subject: Option<&str>, key: Option<&str>) -> Result<String, String> {
        let mut scene = Scene::demo();
        let mut record = scene.event("system.Alert", body);
        let message = &mut record.message;
        message.headers.retain(|(name, _)| name != "ce-org");
        message.headers.extend(header.map(|org| ("ce-org".to_owned(), org.to_owned())));
        message.org = subject.map(str::to_owned);
        message.key = key.map(str::to_owned);
        let event =
            decode(&scene.registry, &record, &Written::Own).map_err(|error| error.to_string())?.expect("no tombstone");
        Ok(event.attributes.org.map_or_else(|| "-".to_owned(), |org| org.to_string()))
    }

    const OF_ACME: &str = r#"{"org":"acme","title":"t","message":"m"}"#;
    const OF_NONE: &str = r#"{"title":"t","message":"m"}"#;
    const OF_ALICE: &str = r#"{"user":"alice","title":"t","message":"m"}"#;

    #[test]
    fn the_org_stands_in_header_subject_or_body_and_all_that_name_it_agree() {
        for (header, subject) in
            [(None, None), (Some("acme"), None), (None, Some("acme")), (Some("acme"), Some("acme"))]
        {
            assert_eq!(alert(OF_ACME, header, subject, None), Ok("acme".to_owned()));
        }
        for (header, subject, place) in [
            (Some("globex"), None, "ce-org header names org `globex`"),
            (None, Some("globex"), "subject names org `globex`"),
            (Some("acme"), Some("globex"), "subject names org `globex`"),
        ] {
            let reason = alert(OF_ACME, header, subject, None).expect_err("two orgs");
            assert!(reason.contains(place) && reason.contains("org `acme`"), "{reason}");
        }
        assert_eq!(alert(OF_NONE, None, None, None), Ok("-".to_owned()));
        assert!(alert(OF_NONE, None, Some("acme"), None).is_err_and(|reason| reason.contains("the body no org")));
        assert!(alert(OF_NONE, None, Some("a\nb"), None).is_err());
    }

    #[test]
    fn the_key_is_the_org_else_the_user_else_the_type() {
        for (body, header, key) in [
            (OF_ACME, Some("acme"), "acme"),
            (OF_ACME, None, "acme"),
            (OF_ALICE, None, "alice"),
            (OF_NONE, None, "system.Alert"),
        ] {
            alert(body, header, None, Some(key)).expect("its own key");
            let reason = alert(body, header, None, Some("globex")).expect_err("another's key");
            assert!(reason.contains("`globex`") && reason.contains(&format!("`{key}`")), "{reason}");
        }
    }

    #[test]
    fn a_body_that_is_too_large_is_told_by_its_size() {
        let mut scene = Scene::demo();
        let record = scene.event("system.Alert", OF_NONE);
        let size = record.message.body.len();
        assert!(decode_within(&scene.registry, &record, &Written::Own, size).is_ok());
        let reason =
            decode_within(&scene.registry, &record, &Written::Own, size - 1).expect_err("too large").to_string();
        assert_eq!(reason, format!("the body has {size} bytes, at most {} are delivered", size - 1));
    }
}
