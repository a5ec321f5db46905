//! Events: CloudEvents attributes, Avro schemas with their versions, and the platform's vocabulary.
//!
//! An event is its [`Attributes`] and a [`Record`]. A [`Registry`] has every version of every event type. It decodes a
//! record of any known version into the layout of the newest version, and it encodes JSON ([`EventType::encode_json`])
//! and typed events ([`encode`]) into the single-object encoding of Avro.
//!
//! The crate is pure: it opens no socket, reads no clock and draws no random numbers. Only [`Registry::load`] reads
//! files.

mod attributes;
mod cloud_event;
pub mod confluent;
mod decode;
mod encoding;
mod event;
mod id;
mod input;
mod json;
mod record;
mod registry;
mod resolution;
mod scalar;
mod schema;
pub mod suggest;
mod timestamp;
mod type_name;
mod type_pattern;
mod value;
pub mod vocabulary;

pub use attributes::{Attributes, AttributesError};
pub use cloud_event::{CloudEvent, CloudEventError, Data};
pub use decode::{DecodeError, MAX_BODY, MAX_DEPTH, MAX_VALUES};
pub use event::{EncodeError, Encoded, Event, TypedEvent, encode};
pub use id::{Id, IdError, MAX_NAME_CHARS, check_name};
pub use input::Input;
pub use json::{BadJson, JsonMismatch, parse as parse_json};
pub use record::Record;
pub use registry::{DeclaredSchema, EventType, Registry, RegistryError};
pub use schema::{Field, Fields, Kind, Schema, Symbols, Unit};
pub use timestamp::{Timestamp, TimestampError};
pub use type_name::{TypeName, TypeNameError};
pub use type_pattern::{TypePattern, TypePatternError};
pub use value::Value;
