//! Events, and typed events on their way out.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

use crate::{Attributes, AttributesError, DecodeError, MAX_BODY, Record, Registry, TypeName, encoding};

/// A fact that a producer published.
#[derive(Debug, Clone)]
pub struct Event {
    /// The CloudEvents attributes.
    pub attributes: Attributes,
    /// The data.
    pub record: Record,
}

impl Event {
    /// Decodes a body and checks that it is what its attributes say.
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
    /// What the state of the event is about, if it sets state; see [`Record::key`].
    pub key: Option<String>,
}

/// The attributes and sizes only: what an event says does not belong in a log.
impl fmt::Debug for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded")
            .field("attributes", &self.attributes)
            .field("body", &format_args!("{} bytes", self.body.len()))
            .field("stateful", &self.key.is_some())
            .finish()
    }
}

/// A struct whose fields are those of the newest version of an event type.
pub trait TypedEvent: Serialize {
    /// The name of the event type.
    const TYPE: &'static str;
}

/// Why an event cannot be encoded; the producer's code is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// The attributes are of another type than the event.
    #[error("the attributes say {declared}, the event is a {event}")]
    OtherType {
        /// What the attributes say.
        declared: TypeName,
        /// What the event is.
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
    /// The struct is not what its schema says.
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
        let body = encoding::encode(schema, event).map_err(|error| mismatch(error.to_string()))?;
        if body.len() > MAX_BODY {
            return Err(EncodeError::TooLarge { event: E::TYPE, size: body.len() });
        }
        // Read back for the key, so that the writer and every reader agree on it.
        let key = match schema.is_stateful() {
            true => self.decode(&body).map_err(|error| mismatch(error.to_string()))?.key(),
            false => None,
        };
        Ok(Encoded { attributes: Attributes { data_version: Some(version), ..attributes }, body, key })
    }
}
