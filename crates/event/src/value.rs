//! Values of the fields of a record.

use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap, Serializer};

/// The value of a field.
///
/// Cloning is cheap except for lists, maps and nested records.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value, in a field that may be null.
    Null,
    /// A boolean.
    Bool(bool),
    /// An `int`, a `long`, or a date or time in its kind's unit.
    Int(i64),
    /// A `float` or a `double`.
    Float(f64),
    /// A string, the symbol of an enum, or the text of a decimal, a uuid or a duration.
    String(Arc<str>),
    /// `bytes` or `fixed`.
    Bytes(Arc<[u8]>),
    /// An array.
    List(Vec<Value>),
    /// A map, sorted by its keys; a nested record in the field order of the newest schema; or an object of free JSON.
    Record(Vec<(Arc<str>, Value)>),
}

impl Value {
    /// The number of values, including nested ones.
    pub(crate) fn count(&self) -> usize {
        match self {
            Self::List(items) => 1 + items.iter().map(Self::count).sum::<usize>(),
            Self::Record(entries) => 1 + entries.iter().map(|(_, value)| value.count()).sum::<usize>(),
            _ => 1,
        }
    }

    /// Whether this is null.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The boolean, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The integer, if this is one.
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// The number, if this is a float.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// The text, if this is a string or a symbol.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(value) => Some(value),
            _ => None,
        }
    }

    /// The items, if this is a list.
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    /// The value of a key, if this is a map or a nested record that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Record(entries) => entries.iter().find(|(name, _)| &**name == key).map(|(_, value)| value),
            _ => None,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::String(value) => serializer.serialize_str(value),
            Self::Bytes(value) => serializer.serialize_bytes(value),
            Self::List(items) => serializer.collect_seq(items),
            Self::Record(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(&**key, value)?;
                }
                map.end()
            }
        }
    }
}
