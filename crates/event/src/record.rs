//! Decoded records.

use std::fmt;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::{EventType, Schema, Value};

/// The data of an event, in the field order of the newest version that is known of its type.
#[derive(Clone)]
pub struct Record {
    event_type: Arc<EventType>,
    written: u32,
    values: Vec<Value>,
}

impl Record {
    pub(crate) fn new(event_type: Arc<EventType>, written: u32, values: Vec<Value>) -> Self {
        Self { event_type, written, values }
    }

    /// The type of the event.
    pub fn event_type(&self) -> &Arc<EventType> {
        &self.event_type
    }

    /// The version that lays out the values: the newest that is known.
    pub fn schema(&self) -> &Arc<Schema> {
        self.event_type.newest()
    }

    /// The version that wrote the record.
    pub fn written_version(&self) -> u32 {
        self.written
    }

    /// The value of a field by its position in the newest schema; null where there is no such field.
    pub fn at(&self, index: usize) -> &Value {
        self.values.get(index).unwrap_or(&Value::Null)
    }

    /// The value of a field by its name or an alias.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.schema().index_of(name).map(|index| self.at(index))
    }

    /// All values, in the order of the newest schema.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// What the state of this event is about: the values of the key fields, joined so that different values never give
    /// the same key. None if the event sets no state.
    ///
    /// The parts are joined by `/`; in a part `~` becomes `~0` and `/` becomes `~1`, nothing at all becomes `~2`, and
    /// null is `~`. A key is never empty.
    pub fn key(&self) -> Option<String> {
        let mut key = String::new();
        for (index, field) in self.schema().key.iter().enumerate() {
            if index > 0 {
                key.push('/');
            }
            push_part(&mut key, self.at(*field));
        }
        self.schema().is_stateful().then_some(key)
    }

    /// The producer's revision of the state, if the event has one.
    pub fn revision(&self) -> Option<i64> {
        self.schema().revision.and_then(|index| self.at(index).as_i64())
    }
}

fn push_part(key: &mut String, value: &Value) {
    match value {
        Value::Bool(value) => key.push_str(if *value { "true" } else { "false" }),
        Value::Int(value) => key.push_str(&value.to_string()),
        Value::String(text) if text.is_empty() => key.push_str("~2"),
        Value::String(text) => {
            for character in text.chars() {
                match character {
                    '~' => key.push_str("~0"),
                    '/' => key.push_str("~1"),
                    other => key.push(other),
                }
            }
        }
        // No other kind passes as a key field.
        _ => key.push('~'),
    }
}

/// The type and the version only: what an event says does not belong in a log.
impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.event_type.name(), self.written)
    }
}

/// A map from the field names to the values.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len()))?;
        for (field, value) in self.schema().fields.iter().zip(&self.values) {
            map.serialize_entry(&*field.name, value)?;
        }
        map.end()
    }
}
