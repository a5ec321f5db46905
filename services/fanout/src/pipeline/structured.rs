//! CloudEvents in structured mode: attributes and data in one JSON object; pure.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanfare_event::{BadJson, parse_json};
use serde_json::{Map, Value};
use thiserror::Error;

/// The beginning of an envelope's content type.
const ENVELOPE: &str = "application/cloudevents";

/// Why an envelope cannot be read.
#[derive(Debug, Error)]
pub enum EnvelopeError {
    /// It is no JSON that can be taken.
    #[error(transparent)]
    Json(#[from] BadJson),
    /// It is no object.
    #[error("it must be a JSON object with the attributes and `data`")]
    NotAnObject,
    /// An attribute is an object or a list.
    #[error("the attribute `{0}` must be text, a number or a boolean")]
    Attribute(String),
    /// The data is missing or there twice.
    #[error("it must have exactly one of `data` and `data_base64`")]
    Data,
    /// The data is no base64.
    #[error("`data_base64` is not base64")]
    NotBase64,
}

/// An envelope that was opened.
#[derive(Debug)]
pub(super) struct Envelope {
    /// The attributes, named as headers; their text is plain.
    pub(super) headers: Vec<(String, String)>,
    pub(super) data: Data,
}

#[derive(Debug)]
pub(super) enum Data {
    /// An Avro record, as a body has it.
    Bytes(Vec<u8>),
    /// To be checked against the schema.
    Json(Value),
}

/// Whether headers say that attributes stand in the body.
pub(super) fn is_structured<'h>(mut headers: impl Iterator<Item = (&'h str, &'h str)>) -> bool {
    let content = headers.find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    content.is_some_and(|(_, value)| {
        value.trim().get(..ENVELOPE.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(ENVELOPE))
    })
}

/// Opens an envelope.
pub(super) fn open(body: &[u8]) -> Result<Envelope, EnvelopeError> {
    let parsed = parse_json(body)?;
    let Value::Object(mut members) = parsed else { return Err(EnvelopeError::NotAnObject) };
    let data = data(&mut members)?;
    let headers = members.into_iter().filter_map(|(name, value)| attribute(name, value).transpose());
    Ok(Envelope { headers: headers.collect::<Result<_, _>>()?, data })
}

fn data(members: &mut Map<String, Value>) -> Result<Data, EnvelopeError> {
    match (members.remove("data"), members.remove("data_base64")) {
        (Some(json), None) => Ok(Data::Json(json)),
        (None, Some(Value::String(text))) => {
            STANDARD.decode(text).map(Data::Bytes).map_err(|_| EnvelopeError::NotBase64)
        }
        (None, Some(_)) => Err(EnvelopeError::NotBase64),
        _ => Err(EnvelopeError::Data),
    }
}

/// An attribute as a header; null is as good as none.
fn attribute(name: String, value: Value) -> Result<Option<(String, String)>, EnvelopeError> {
    let text = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text,
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Array(_) | Value::Object(_) => return Err(EnvelopeError::Attribute(name)),
    };
    Ok(Some((format!("ce-{name}"), text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_become_headers_and_data_bytes_or_json() {
        let envelope = open(br#"{"id":"1","n":7,"on":true,"none":null,"data_base64":"wwE="}"#).expect("opened");
        let mut headers = envelope.headers;
        headers.sort();
        let expected = [("ce-id", "1"), ("ce-n", "7"), ("ce-on", "true")];
        assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(matches!(envelope.data, Data::Bytes(bytes) if bytes == [0xC3, 1]));
        assert!(matches!(open(br#"{"data":{"a":1}}"#).expect("opened").data, Data::Json(_)));
    }

    #[test]
    fn each_fault_is_named() {
        for (body, fault) in [
            (&b"{"[..], "not JSON"),
            (b"[1]", "must be a JSON object"),
            (br#"{"id":["1"],"data":1}"#, "`id`"),
            (br#"{"id":"1"}"#, "exactly one"),
            (br#"{"data":1,"data_base64":""}"#, "exactly one"),
            (br#"{"data_base64":"%%"}"#, "not base64"),
        ] {
            let reason = open(body).expect_err("refused").to_string();
            assert!(reason.contains(fault), "{reason}");
        }
    }

    #[test]
    fn the_content_type_decides() {
        let is = |value: &'static str| is_structured([("Content-Type", value)].into_iter());
        assert!(is("application/cloudevents+json") && is("Application/CloudEvents+json; charset=UTF-8"));
        assert!(!is("application/json") && !is("application/avro") && !is(""));
        assert!(!is_structured([("ce-id", "1")].into_iter()));
    }
}
