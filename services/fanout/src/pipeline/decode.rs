//! Decodes records of the log into events; pure.

use std::borrow::Cow;

use fanfare_broker::Record;
use fanfare_event::{
    Attributes, AttributesError, DecodeError, Event, Id, JsonMismatch, Record as Body, Registry, Timestamp, TypeName,
    Value,
};
use thiserror::Error;

use super::{Written, address, structured};
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
        /// The type of the schema that wrote the body.
        is: TypeName,
    },
    /// Subject or key, headers and body do not name the same org.
    #[error("the {place} names {}, the body {}", org_name(.said.as_deref()), org_name(.is.as_deref()))]
    OtherOrg {
        /// Where the other org is named.
        place: &'static str,
        /// The org there.
        said: Option<String>,
        /// The org in the body.
        is: Option<String>,
    },
    /// Subject, topic or key say something else than the event.
    #[error(transparent)]
    Address(#[from] address::Mismatch),
    /// The envelope of a CloudEvent in structured mode cannot be read.
    #[error("envelope: {0}")]
    Envelope(#[from] structured::EnvelopeError),
    /// JSON in an envelope does not fit its schema.
    #[error("body: {0}")]
    Json(#[from] JsonMismatch),
    /// The body is too large to be delivered.
    #[error("the body has {size} bytes, at most {limit} are delivered")]
    TooLarge {
        /// Its size in bytes.
        size: usize,
        /// The largest size.
        limit: usize,
    },
    /// It contains something that cannot be routed.
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
    pub const LABELS: &[&str] = &[
        "attributes",
        "body",
        "schema",
        "other_type",
        "other_org",
        "address",
        "envelope",
        "too_large",
        "unroutable",
        "conflict",
    ];

    /// The kind of fault as a metric label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Attributes(_) => "attributes",
            Self::Body(_) | Self::Json(_) => "body",
            Self::Schema(_) => "schema",
            Self::OtherType { .. } => "other_type",
            Self::OtherOrg { .. } => "other_org",
            Self::Address(_) => "address",
            Self::Envelope(_) => "envelope",
            Self::TooLarge { .. } => "too_large",
            Self::Unroutable(_) => "unroutable",
            Self::Conflict => "conflict",
        }
    }
}

/// Reads a record that was `written` by the schema that it names; `None` for a tombstone, which contains no event.
///
/// # Errors
/// [`Unusable`] with the reason for the dead letter.
pub fn decode(registry: &Registry, record: &Record, written: &Written) -> Result<Option<Event>, Unusable> {
    if record.message.is_tombstone() {
        return Ok(None);
    }
    let Opened { attributes, body } = open(registry, record)?;
    let body = written.decode(registry, &attributes.event_type, &body)?;
    if body.event_type().name() != &attributes.event_type {
        let (said, is) = (attributes.event_type, body.event_type().name().clone());
        return Err(Unusable::OtherType { said, is });
    }
    let org = resolve_org(&attributes, &body, record)?;
    let named = address::Named { org: org.as_ref().map(Id::as_str), user: text(&body, "user"), key: body.key() };
    address::check(&record.message, &attributes.event_type, &named)?;
    Ok(Some(Event { attributes: Attributes { org, ..attributes }, record: body }))
}

/// The event in a record, in either of CloudEvents' two modes.
struct Opened<'r> {
    attributes: Attributes,
    body: Cow<'r, [u8]>,
}

fn open<'r>(registry: &Registry, record: &'r Record) -> Result<Opened<'r>, Unusable> {
    let message = &record.message;
    let pairs = |headers: &'r [(String, String)]| headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    if !structured::is_structured(pairs(&message.headers)) {
        let attributes = attributes(pairs(&message.headers), record.time, |pairs| Attributes::from_headers(pairs))?;
        return Ok(Opened { attributes, body: Cow::Borrowed(&message.body) });
    }
    let envelope = structured::open(&message.body)?;
    let own = envelope.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    // The trace may be outside the envelope.
    let beside = pairs(&message.headers).filter(|(name, _)| name.eq_ignore_ascii_case("traceparent"));
    let attributes = attributes(own.chain(beside), record.time, |pairs| Attributes::from_plain(pairs))?;
    let body = match envelope.data {
        structured::Data::Bytes(bytes) => bytes,
        structured::Data::Json(json) => {
            let known = registry.event_type(attributes.event_type.as_str());
            let unknown = || Unusable::Schema(format!("no schema of the type {} is known", attributes.event_type));
            known.ok_or_else(unknown)?.encode_json(attributes.data_version, &json)?
        }
    };
    Ok(Opened { attributes, body: Cow::Owned(body) })
}

/// The attributes that headers say. A time is optional in CloudEvents: without it, it is the record's own.
fn attributes<'h>(
    headers: impl Iterator<Item = (&'h str, &'h str)> + Clone,
    stored: i64,
    read: impl for<'a> FnOnce(Vec<(&'a str, &'a str)>) -> Result<Attributes, AttributesError>,
) -> Result<Attributes, AttributesError> {
    let is_time = |name: &str| {
        let bare = name.get(..3).filter(|prefix| prefix.eq_ignore_ascii_case("ce-") || *prefix == "ce_");
        bare.is_some() && name[3..].eq_ignore_ascii_case("time")
    };
    if headers.clone().any(|(name, _)| is_time(name)) {
        return read(headers.collect());
    }
    let stored = Timestamp(stored).to_rfc3339();
    let mut headers: Vec<(&str, &str)> = headers.collect();
    headers.push(("ce-time", &stored));
    read(headers)
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

/// The org of an event: from its header, else its subject, else its body.
///
/// Isolation rests on it, so all that name one must agree (rule 1.2). A body that has a field for it and leaves
/// it empty says that the event is of no org.
fn resolve_org(attributes: &Attributes, body: &Body, record: &Record) -> Result<Option<Id>, Unusable> {
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

fn text<'b>(body: &'b Body, field: &str) -> Option<&'b str> {
    body.get(field).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::Scene;

    /// A record of an alert, with this header, subject and key.
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
    fn the_org_is_read_from_header_subject_or_body_and_they_must_agree() {
        for (header, subject) in [(None, Some("acme")), (Some("acme"), Some("acme"))] {
            assert_eq!(alert(OF_ACME, header, subject, None), Ok("acme".to_owned()));
        }
        // Where events are kept in order by a key of its own, that names no org.
        for header in [None, Some("acme")] {
            assert_eq!(alert(OF_ACME, header, None, Some("order-17")), Ok("acme".to_owned()));
        }
        for (header, subject, place) in [
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
    fn an_event_of_an_org_is_refused_under_a_subject_without_one() {
        for header in [None, Some("acme")] {
            let reason = alert(OF_ACME, header, None, None).expect_err("rights are given by subject");
            assert!(reason.contains("names no org") && reason.contains("`acme`"), "{reason}");
        }
    }

    #[test]
    fn the_key_of_an_event_of_no_org_is_its_user_else_its_type() {
        for (body, key) in [(OF_ALICE, "alice"), (OF_ALICE, "system.Alert"), (OF_NONE, "system.Alert")] {
            alert(body, None, None, Some(key)).expect("its own key");
            let reason = alert(body, None, None, Some("globex")).expect_err("it may be meant as an org");
            assert!(reason.contains("`globex`"), "{reason}");
        }
    }

    #[test]
    fn a_time_is_optional() {
        let mut scene = Scene::demo();
        let mut record = scene.event_at(86_400_000, "system.Alert", OF_NONE);
        record.message.headers.retain(|(name, _)| name != "ce-time");
        let event = scene.decode(&record);
        assert_eq!(event.attributes.time.to_rfc3339(), "1970-01-02T00:00:00.000Z", "the record's own");
        record.message.headers.push(("CE-Time".to_owned(), "yesterday".to_owned()));
        let fault = decode(&scene.registry, &record, &Written::Own).expect_err("no time");
        assert!(fault.to_string().contains("ce-time"), "{fault}");
    }

    fn enveloped(envelope: &str) -> Result<Event, Unusable> {
        let mut scene = Scene::demo();
        let mut record = scene.event_at(1_000, "system.Alert", OF_ACME);
        record.message.headers =
            vec![("content-type".to_owned(), "application/cloudevents+json; charset=utf-8".to_owned())];
        record.message.body = envelope.to_owned().into();
        decode(&scene.registry, &record, &Written::Own).map(|event| event.expect("no tombstone"))
    }

    #[test]
    fn an_event_in_structured_mode_is_read() {
        let event = enveloped(
            r#"{"specversion":"1.0","id":"1","source":"test","type":"system.Alert","org":"acme","extra":true,
                "data":{"org":"acme","title":"t","message":"m"}}"#,
        )
        .expect("read");
        assert_eq!(event.attributes.org.as_ref().map(Id::as_str), Some("acme"));
        assert_eq!((event.attributes.id.as_str(), event.attributes.time), ("1", Timestamp(1_000)));
        assert_eq!(text(&event.record, "title"), Some("t"));
    }

    #[test]
    fn an_envelope_with_another_org_type_or_shape_is_reported() {
        let with = |org: &str, event_type: &str, data: &str| {
            let envelope =
                format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"{event_type}","org":"{org}",{data}}}"#);
            let fault = enveloped(&envelope).expect_err("refused");
            (fault.label(), fault.to_string())
        };
        let data = r#""data":{"org":"acme","title":"t","message":"m"}"#;
        assert_eq!(with("globex", "system.Alert", data).0, "other_org");
        let (label, reason) = with("acme", "auth.UserLoggedOut", r#""data":{"user":"bob","org":"acme"}"#);
        assert_eq!(label, "address", "{reason}");
        assert!(reason.contains("system.Alert") && reason.contains("auth.UserLoggedOut"), "{reason}");
        assert_eq!(with("acme", "system.Alert", r#""data":{"titel":"t"}"#).0, "body");
        assert_eq!(with("acme", "system.Alert", r#""data":1,"data_base64":"AA==""#).0, "envelope");
        assert_eq!(with("acme", "no.Such", data).0, "schema");
        assert_eq!(enveloped("[]").expect_err("no object").label(), "envelope");
    }

    #[test]
    fn a_body_that_is_too_large_is_reported_with_its_size() {
        let mut scene = Scene::demo();
        let record = scene.event("system.Alert", OF_NONE);
        let size = record.message.body.len();
        assert!(decode_within(&scene.registry, &record, &Written::Own, size).is_ok());
        let reason =
            decode_within(&scene.registry, &record, &Written::Own, size - 1).expect_err("too large").to_string();
        assert_eq!(reason, format!("the body has {size} bytes, at most {} are delivered", size - 1));
    }
}
