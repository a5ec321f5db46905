//! Decoded records.

use std::fmt;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::{EventType, Schema, Value};

/// The data of an event, in the field order of the newest known version of its type.
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

    /// The version of the layout: the newest known one.
    pub fn schema(&self) -> &Arc<Schema> {
        self.event_type.newest()
    }

    /// The version that wrote the record.
    pub fn written_version(&self) -> u32 {
        self.written
    }

    /// The value of a field by its position in the newest schema; null if there is no such field.
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

    /// The key of the state that this event sets: the values of the key fields, joined so that different values never
    /// have the same key. None if the event sets no state.
    ///
    /// The parts are joined by `/`; in a part `~` becomes `~0` and `/` becomes `~1`, an empty part becomes `~2`, and
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
        // Other kinds are refused as key fields.
        _ => key.push('~'),
    }
}

/// Only the type and the version: payloads do not belong in a log.
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use crate::{Record, Registry};

    const KEYED: &str = r#"{"type": "record", "name": "Changed", "fanfare.key": ["a", "b", "n"], "fanfare.revision": "r",
        "fields": [{"name": "a", "type": "string"}, {"name": "b", "type": ["null", "string"], "default": null},
        {"name": "n", "type": "int", "default": 0}, {"name": "r", "type": ["null", "long"], "default": null}]}"#;

    fn record(a: &str, b: Option<&str>, n: i32) -> Record {
        let registry = Registry::of(&[("a/Changed.v1.avsc", KEYED)]).unwrap();
        let json = json!({"a": a, "b": b, "n": n, "r": n});
        let body = registry.event_type("a.Changed").unwrap().encode_json(None, &json).unwrap();
        registry.decode(&body).unwrap()
    }

    #[test]
    fn keys_join_their_parts() {
        let key = |a, b, n| record(a, b, n).key().unwrap();
        assert_eq!(key("alice", Some("s-1"), 7), "alice/s-1/7");
        assert_eq!(key("alice", None, -7), "alice/~/-7");
        assert_eq!(key("", Some("a/b~c"), 0), "~2/a~1b~0c/0");
    }

    #[test]
    fn stateless_events_have_no_key_and_no_revision() {
        let registry = Registry::builtin();
        let event_type = registry.event_type("auth.UserLoggedIn").unwrap();
        let body = event_type.encode_json(None, &json!({"user": "a", "org": "b", "session": "c"})).unwrap();
        let record = registry.decode(&body).unwrap();
        assert_eq!((record.key(), record.revision()), (None, None));
    }

    #[test]
    fn a_revision_is_that_of_the_producer() {
        assert_eq!(record("a", None, 12).revision(), Some(12));
    }

    proptest! {
        /// From few characters, so that collisions would be found.
        #[test]
        fn different_values_have_different_keys(a in "[~/0-2]{0,3}", b in proptest::option::of("[~/0-2]{0,3}"),
            c in "[~/0-2]{0,3}", d in proptest::option::of("[~/0-2]{0,3}"))
        {
            let (left, right) = (record(&a, b.as_deref(), 0).key(), record(&c, d.as_deref(), 0).key());
            prop_assert_eq!(left == right, (a, b) == (c, d));
        }
    }
}
