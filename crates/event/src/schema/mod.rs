//! One version of an event type: its fields, and their other names.

mod attributes;
mod canonical;
mod definitions;
mod field;
mod fields;
mod kind;
mod layout;
mod parse;
mod place;
#[cfg(test)]
mod tests;

use std::fmt;

pub(crate) use definitions::Definitions;
pub use field::Field;
pub(crate) use field::{find, suggest};
pub use kind::{Fields, Kind, Symbols, Unit};
pub(crate) use layout::{Layout, Layouts, Logical, MAX_CHAIN};
pub(crate) use parse::{Foreign, parse, parse_foreign};
pub(crate) use place::line_of;

use crate::TypeName;

/// The attribute of a field whose text is JSON.
const JSON: &str = "fanfare.json";

/// One version of an event type.
pub struct Schema {
    /// The event type.
    pub event_type: TypeName,
    /// The version, counted from 1.
    pub version: u32,
    /// The CRC-64-AVRO fingerprint of the canonical form, which the single-object encoding starts with.
    pub fingerprint: u64,
    /// The fields, in the order of the schema.
    pub fields: Vec<Field>,
    /// The fields that together are the key of this event's state; empty if it sets no state.
    pub key: Vec<usize>,
    /// The field with the producer's revision of that state.
    pub revision: Option<usize>,
    /// What the record is for, from the schema's `doc`.
    pub doc: Option<String>,
    /// The fingerprint that apache-avro writes, if it differs: it keeps part of logical types in the canonical form,
    /// against the specification. Producers that use it are accepted too.
    pub(crate) variant_fingerprint: Option<u64>,
    /// The layout of its records in the bytes.
    pub(crate) layouts: Layouts,
}

impl Schema {
    /// Whether the event sets state: the newest event per key is then kept forever.
    pub fn is_stateful(&self) -> bool {
        !self.key.is_empty()
    }

    /// The position of a field, by its name or an alias.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        find(&self.fields, name)
    }

    /// A field, by its name or an alias.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.index_of(name).map(|index| &self.fields[index])
    }

    /// The field that a misspelt name may mean.
    pub fn suggest(&self, name: &str) -> Option<&str> {
        suggest(&self.fields, name)
    }
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{} ({:016x})", self.event_type, self.version, self.fingerprint)
    }
}

/// A fault in a schema file, and its field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The path of the field, if the fault is in one.
    pub(crate) field: Option<String>,
    /// The line, if it is known already.
    pub(crate) line: Option<usize>,
    /// What is wrong, and what would be right.
    pub(crate) reason: String,
}

impl Fault {
    pub(crate) fn of_file(reason: impl Into<String>) -> Self {
        Self { field: None, line: None, reason: reason.into() }
    }

    pub(crate) fn of_field(field: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { field: Some(field.into()), line: None, reason: reason.into() }
    }
}

/// The text of a library's error on one line, as faults are reported.
pub(crate) fn one_line(error: &dyn fmt::Display) -> String {
    error.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
