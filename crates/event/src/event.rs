//! Events, and typed events to be published.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::{Attributes, AttributesError, DecodeError, Input, MAX_BODY, Record, Registry, TypeName, encoding, json};

/// An event that a producer published.
#[derive(Debug, Clone)]
pub struct Event {
    /// The CloudEvents attributes.
    pub attributes: Attributes,
    /// The data.
    pub record: Record,
}

impl Event {
    /// Decodes a body and checks that it agrees with its attributes.
    pub fn decode(registry: &Registry, attributes: Attributes, body: &[u8]) -> Result<Self, DecodeError> {
        let record = registry.decode(body)?;
        let written = record.event_type().name();
        if *written != attributes.event_type {
            return Err(DecodeError::OtherType { declared: attributes.event_type, written: written.clone() });
        }
        Ok(Self { attributes, record })
    }
}

/// An event ready for the outbox or the broker.
#[derive(Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The CloudEvents attributes.
    pub attributes: Attributes,
    /// The record in single-object encoding.
    pub body: Vec<u8>,
    /// The key of the state that the event sets, if it does; see [`Record::key`].
    pub key: Option<String>,
}

/// Only the attributes and sizes: payloads do not belong in a log.
impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded")
            .field("attributes", &self.attributes)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("stateful", &self.key.is_some())
            .finish()
    }
}

/// A struct with the fields of an event type's newest version.
///
/// It must serialize to the input of [`EventType::encode_json`](crate::EventType::encode_json), as a derived
/// `Serialize` does: a timestamp as milliseconds, a symbol as a unit variant of its name.
pub trait TypedEvent: Serialize {
    /// The name of the event type.
    const TYPE: &'static str;
}

/// Why an event cannot be encoded; the producer's code is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The attributes name another type than the event's.
    #[error("the attributes say {declared}, the event is a {event}")]
    OtherType {
        /// The type that the attributes name.
        declared: TypeName,
        /// The type of the event.
        event: &'static str,
    },
    /// An attribute is wrong.
    #[error(transparent)]
    Attributes(#[from] AttributesError),
    /// No schema is known for the type of the event.
    #[error("no schema is known for {event}")]
    UnknownType {
        /// The type of the event.
        event: &'static str,
    },
    /// The struct does not fit its schema.
    #[error("{event} v{version}: the event does not fit the schema: {reason}")]
    Mismatch {
        /// The type of the event.
        event: &'static str,
        /// The newest version.
        version: u32,
        /// What does not fit.
        reason: String,
    },
    /// The encoded event is too large.
    #[error("{event}: the event has {size} bytes, at most {MAX_BODY} are allowed")]
    TooLarge {
        /// The type of the event.
        event: &'static str,
        /// Its size.
        size: usize,
    },
}

/// Encodes an event of the platform's vocabulary as the newest built-in version of its type.
///
/// The attributes must name that type; their `data_version` is set.
pub fn encode<E: TypedEvent>(attributes: Attributes, event: &E) -> Result<Encoded, EncodeError> {
    Registry::builtin().encode(attributes, event)
}

impl Registry {
    /// Encodes an event as the newest version of its type in this registry.
    ///
    /// The attributes must name that type; their `data_version` is set.
    pub fn encode<E: TypedEvent>(&self, attributes: Attributes, event: &E) -> Result<Encoded, EncodeError> {
        if attributes.event_type.as_str() != E::TYPE {
            return Err(EncodeError::OtherType { declared: attributes.event_type, event: E::TYPE });
        }
        attributes.validate()?;
        let event_type = self.event_type(E::TYPE).ok_or(EncodeError::UnknownType { event: E::TYPE })?;
        let schema = event_type.newest();
        let version = schema.version;
        let mismatch = |reason: String| EncodeError::Mismatch { event: E::TYPE, version, reason };
        let json = serde_json::to_value(event).map_err(|error| mismatch(error.to_string()))?;
        let values = json::record(&schema.fields, &Input::from(&json), json::Convention::Published)
            .map_err(|error| mismatch(error.to_string()))?;
        let body = encoding::encode(schema, &values).map_err(|unfit| mismatch(unfit.misfit.to_string()))?;
        if body.len() > MAX_BODY {
            return Err(EncodeError::TooLarge { event: E::TYPE, size: body.len() });
        }
        // Decoded for the key, so that the writer and every reader agree on it.
        let key = match schema.is_stateful() {
            true => self.decode(&body).map_err(|error| mismatch(error.to_string()))?.key(),
            false => None,
        };
        Ok(Encoded { attributes: Attributes { data_version: Some(version), ..attributes }, body, key })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Serialize;

    use super::{EncodeError, Encoded, TypedEvent};
    use crate::{Attributes, Record, Registry, Timestamp, TypeName, Value};

    const CHANGED: &str = r#"{"type": "record", "name": "Changed", "fields": [
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "load", "type": "double"},
        {"name": "colour", "type": {"type": "enum", "name": "Colour", "symbols": ["red", "green"]}},
        {"name": "parts", "type": {"type": "map", "values": {"type": "array", "items": {
            "type": "record", "name": "Part", "fields": [{"name": "size", "type": ["int", "null"]}]}}}},
        {"name": "added", "type": "string", "default": "later"}]}"#;

    #[derive(Serialize)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Green,
        Blue,
    }

    #[derive(Serialize)]
    struct Part {
        size: Option<i32>,
    }

    /// A struct from before the schema got its last field.
    #[derive(Serialize)]
    struct Changed {
        at: Timestamp,
        load: f64,
        colour: Colour,
        parts: BTreeMap<&'static str, Vec<Part>>,
    }

    impl TypedEvent for Changed {
        const TYPE: &'static str = "a.Changed";
    }

    fn changed() -> Changed {
        let parts = BTreeMap::from([("a", vec![Part { size: Some(i32::MIN) }, Part { size: None }])]);
        Changed { at: Timestamp(i64::MIN), load: 0.1, colour: Colour::Green, parts }
    }

    fn encoded(event: &Changed) -> Result<(Encoded, Record), EncodeError> {
        let registry = Registry::of(&[("a/Changed.v1.avsc", CHANGED)]).unwrap();
        let attributes = Attributes {
            id: "1".to_owned(),
            source: "/test".to_owned(),
            event_type: TypeName::parse("a.Changed").unwrap(),
            time: Timestamp(0),
            subject: None,
            org: None,
            data_version: None,
            traceparent: None,
        };
        let encoded = registry.encode(attributes, event)?;
        let record = registry.decode(&encoded.body).unwrap();
        Ok((encoded, record))
    }

    #[test]
    fn a_struct_is_encoded_by_the_names_of_its_fields() {
        let (encoded, record) = encoded(&changed()).unwrap();
        let part = |size| Value::Record(vec![("size".into(), size)]);
        let parts = Value::List(vec![part(Value::Int(i32::MIN.into())), part(Value::Null)]);
        let expected = [
            Value::Int(i64::MIN),
            Value::Float(0.1),
            Value::String("green".into()),
            Value::Record(vec![("a".into(), parts)]),
            Value::String("later".into()),
        ];
        assert_eq!(record.values(), expected);
        assert_eq!((encoded.attributes.data_version, encoded.key), (Some(1), None));
    }

    #[test]
    fn what_the_schema_cannot_hold_is_named() {
        let reason = |event: Changed| match encoded(&event) {
            Err(EncodeError::Mismatch { reason, .. }) => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            reason(Changed { colour: Colour::Blue, ..changed() }),
            "`colour`: expected one of red, green, found a string that is none of them"
        );
        assert_eq!(reason(Changed { load: f64::NAN, ..changed() }), "`load`: expected double, found null");
    }
}
