//! Events in the JSON format of CloudEvents: attributes and data in one object (structured mode).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::{Map, Value as Json};
use thiserror::Error;

use crate::{Attributes, AttributesError, BadJson, Timestamp, parse_json};

/// An event in the JSON format of CloudEvents, before its data is compared with a schema.
#[derive(Debug, Clone, PartialEq)]
pub struct CloudEvent {
    /// The attributes.
    pub attributes: Attributes,
    /// The data.
    pub data: Data,
}

/// The data of an event.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// JSON, to be checked against the schema.
    Json(Json),
    /// An Avro record in single-object encoding.
    Avro(Vec<u8>),
}

/// Why a JSON value is not an event; its author must fix it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CloudEventError {
    /// It is not an object.
    #[error("an event in structured mode is a JSON object with specversion, id, source, type and data")]
    NotObject,
    /// The attributes are faulty.
    #[error("{}", without_prefix(.0))]
    Attributes(#[from] AttributesError),
    /// A member has a bad value.
    #[error("{member}: expected {expected}")]
    Member {
        /// The member, such as `data_base64`.
        member: &'static str,
        /// The expected value.
        expected: &'static str,
    },
}

impl CloudEventError {
    /// The faulty member, if it is one.
    pub fn member(&self) -> Option<&'static str> {
        match self {
            Self::NotObject => None,
            Self::Attributes(error) => error.attribute().strip_prefix("ce-"),
            Self::Member { member, .. } => Some(member),
        }
    }

    /// The expected value.
    pub fn expected(&self) -> &'static str {
        match self {
            Self::NotObject => "an object",
            Self::Attributes(error) => error.expected(),
            Self::Member { expected, .. } => expected,
        }
    }
}

/// In JSON the attributes have their bare names.
fn without_prefix(error: &AttributesError) -> String {
    let text = error.to_string();
    text.strip_prefix("ce-").map_or(text.clone(), str::to_owned)
}

/// The members that are read, and their headers in binary mode. All but `dataversion` are text.
const MEMBERS: [(&str, &str); 9] = [
    ("specversion", "ce-specversion"),
    ("id", "ce-id"),
    ("source", "ce-source"),
    ("type", "ce-type"),
    ("time", "ce-time"),
    ("subject", "ce-subject"),
    ("org", "ce-org"),
    ("dataversion", "ce-dataversion"),
    ("traceparent", "traceparent"),
];

impl CloudEvent {
    /// Splits an event. Without a time, it happened when it was `received`.
    pub fn from_json(json: Json, received: Timestamp) -> Result<Self, CloudEventError> {
        let Json::Object(mut members) = json else { return Err(CloudEventError::NotObject) };
        let data = data(&mut members)?;
        let mut pairs = Vec::with_capacity(MEMBERS.len());
        for (member, header) in MEMBERS {
            if let Some(text) = text(member, members.remove(member))? {
                pairs.push((header, text));
            }
        }
        let has = |header: &str| pairs.iter().any(|(name, _)| *name == header);
        if !has("ce-specversion") {
            return Err(CloudEventError::Member { member: "specversion", expected: "1.0" });
        }
        if !has("ce-time") {
            pairs.push(("ce-time", received.to_rfc3339()));
        }
        let attributes = Attributes::from_plain(pairs.iter().map(|(name, value)| (*name, value.as_str())))?;
        Ok(Self { attributes, data })
    }
}

/// The value of an attribute; null counts as absent.
fn text(member: &'static str, value: Option<Json>) -> Result<Option<String>, CloudEventError> {
    match value {
        None | Some(Json::Null) => Ok(None),
        Some(Json::String(text)) => Ok(Some(text)),
        Some(Json::Number(number)) if member == "dataversion" => Ok(Some(number.to_string())),
        Some(_) => Err(CloudEventError::Member { member, expected: "text" }),
    }
}

fn data(members: &mut Map<String, Json>) -> Result<Data, CloudEventError> {
    let wrong = |member, expected| Err(CloudEventError::Member { member, expected });
    let media = text("datacontenttype", members.remove("datacontenttype"))?;
    let media = media.as_deref().and_then(|media| media.split(';').next()).unwrap_or("application/json").trim();
    let is_avro = media.eq_ignore_ascii_case("application/avro");
    let is_json = media.eq_ignore_ascii_case("application/json") || media.to_ascii_lowercase().ends_with("+json");
    if !is_avro && !is_json {
        return wrong("datacontenttype", "application/json or application/avro");
    }
    let bytes = match text("data_base64", members.remove("data_base64"))? {
        None => None,
        Some(text) => match STANDARD.decode(&text).or_else(|_| STANDARD_NO_PAD.decode(&text)) {
            Ok(bytes) => Some(bytes),
            Err(_) => return wrong("data_base64", "base64"),
        },
    };
    match (members.remove("data"), bytes) {
        (Some(_), Some(_)) => wrong("data_base64", "either data or data_base64"),
        (None, None) if is_avro => wrong("data_base64", "the record in base64"),
        (None, None) => wrong("data", "an object"),
        (None, Some(bytes)) if is_avro => Ok(Data::Avro(bytes)),
        (None, Some(bytes)) => match parse_json(&bytes) {
            Ok(json) => Ok(Data::Json(json)),
            Err(BadJson::Syntax(_)) => wrong("data_base64", "JSON, as datacontenttype says"),
            Err(BadJson::Twice { .. }) => wrong("data_base64", "JSON whose objects have each key once"),
            Err(BadJson::TooDeep) => wrong("data_base64", "JSON of at most 100 levels"),
        },
        (Some(_), None) if is_avro => wrong("data_base64", "the record in base64, and no data"),
        (Some(json), None) => Ok(Data::Json(json)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RECEIVED: Timestamp = Timestamp(1_767_323_045_678);

    fn event(change: impl FnOnce(&mut Map<String, Json>)) -> Result<CloudEvent, CloudEventError> {
        let mut event = json!({
            "specversion": "1.0", "id": "order 17%20", "source": "/é", "type": "a.B", "data": {"x": 1},
        });
        change(event.as_object_mut().unwrap());
        CloudEvent::from_json(event, RECEIVED)
    }

    #[test]
    fn values_are_the_text_itself() {
        let read = event(|_| {}).unwrap();
        assert_eq!((read.attributes.id.as_str(), read.attributes.source.as_str()), ("order 17%20", "/é"));
        assert_eq!((read.attributes.time, read.data), (RECEIVED, Data::Json(json!({"x": 1}))));
        let more = event(|event| {
            event.insert("org".into(), json!("acme"));
            event.insert("dataversion".into(), json!(2));
            event.insert("time".into(), json!("2026-01-02T03:04:05Z"));
            event.insert("subject".into(), Json::Null);
            event.insert("colour".into(), json!(["of", "others"]));
        });
        let more = more.unwrap().attributes;
        assert_eq!((more.org.as_ref().map(crate::Id::as_str), more.data_version), (Some("acme"), Some(2)));
        assert_eq!((more.subject, more.time), (None, Timestamp(1_767_323_045_000)));
    }

    #[test]
    fn data_is_json_or_avro() {
        let avro = event(|event| {
            event.remove("data");
            event.insert("datacontenttype".into(), json!("Application/Avro"));
            event.insert("data_base64".into(), json!("wwE="));
        });
        assert_eq!(avro.unwrap().data, Data::Avro(vec![0xc3, 1]));
        let json = event(|event| {
            event.remove("data");
            event.insert("datacontenttype".into(), json!("application/json; charset=utf-8"));
            event.insert("data_base64".into(), json!("e30="));
        });
        assert_eq!(json.unwrap().data, Data::Json(json!({})));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (member, value, told) in [
            ("specversion", Json::Null, "specversion: expected 1.0"),
            ("specversion", json!("0.3"), "specversion: expected 1.0"),
            ("id", Json::Null, "id is missing"),
            ("id", json!(7), "id: expected text"),
            ("type", json!("b"), "type: expected a type name"),
            ("time", json!("yesterday"), "time: expected an RFC 3339 time"),
            ("dataversion", json!(-1), "dataversion: expected a positive"),
            ("datacontenttype", json!("text/xml"), "datacontenttype: expected application/json or application/avro"),
            ("datacontenttype", json!("application/avro"), "data_base64: expected the record"),
            ("data_base64", json!("e30="), "data_base64: expected either"),
            ("data_base64", json!("!"), "data_base64: expected base64"),
        ] {
            let told_so = event(|event| drop(event.insert(member.into(), value.clone()))).unwrap_err();
            assert!(told_so.to_string().starts_with(told), "{member} {value}: {told_so}");
            assert!(told_so.member().is_some());
        }
        assert_eq!(event(|event| drop(event.remove("data"))).unwrap_err().to_string(), "data: expected an object");
        assert_eq!(CloudEvent::from_json(json!([]), RECEIVED), Err(CloudEventError::NotObject));
    }
}
