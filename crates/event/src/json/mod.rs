//! JSON input, checked against a schema.

mod read;
mod scalar;
#[cfg(test)]
mod tests;
mod text;

use serde_json::Value as Json;
use thiserror::Error;

pub use text::{BadJson, parse};

pub(crate) use read::{Convention, default_value, record};

use crate::encoding::{self, Unfit};
use crate::{EventType, Field, Input, MAX_BODY, Schema, TypeName};

/// Where JSON input does not fit its schema; its author must fix it.
///
/// It contains types and field names, never the values of the input, so that it may be logged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}{event_type} v{version}: expected {expected}, found {found}{}", at(field), hint(suggestion))]
pub struct JsonMismatch {
    /// The event type.
    pub event_type: TypeName,
    /// The path of the field, such as `items[2].name`; empty for the input as a whole.
    pub field: String,
    /// What the schema expects there.
    pub expected: String,
    /// The kind of the value.
    pub found: String,
    /// A known name that is similar to an unknown one.
    pub suggestion: Option<Box<str>>,
    /// The version of the schema.
    pub version: u32,
}

fn at(field: &str) -> String {
    if field.is_empty() { String::new() } else { format!("`{field}` of ") }
}

fn before(field: &str) -> String {
    if field.is_empty() { String::new() } else { format!("`{field}`: ") }
}

fn hint(suggestion: &Option<Box<str>>) -> String {
    suggestion.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// A mismatch before its schema is added.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{}expected {expected}, found {found}{}", before(field), hint(suggestion))]
pub(crate) struct Mismatch {
    pub(crate) field: String,
    pub(crate) expected: String,
    pub(crate) found: String,
    pub(crate) suggestion: Option<Box<str>>,
}

impl Mismatch {
    fn whole(expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { field: String::new(), expected: expected.into(), found: found.into(), suggestion: None }
    }

    fn of(self, event_type: &TypeName, version: u32) -> JsonMismatch {
        let Self { field, expected, found, suggestion } = self;
        JsonMismatch { event_type: event_type.clone(), field, expected, found, suggestion, version }
    }
}

impl EventType {
    /// Encodes a JSON object as the newest version, or as the given one.
    ///
    /// Fields may be given by an alias. Those with a default and those that may be null may be left out. Dates and
    /// times are ISO 8601 text or numbers, decimals text or numbers, bytes `{"base64": "..."}` or Avro's text form. The
    /// result is in single-object encoding.
    pub fn encode_json(&self, version: Option<u32>, json: &Json) -> Result<Vec<u8>, JsonMismatch> {
        self.encode(version, &Input::from(json), Convention::Published)
    }

    /// Encodes the arguments of a client's call, in the forms that the official SignalR clients use: bytes as bytes or
    /// as base64, numbers also as text, moments also with a separate offset.
    pub fn encode_call(&self, version: Option<u32>, input: &Input<'_>) -> Result<Vec<u8>, JsonMismatch> {
        self.encode(version, input, Convention::Called)
    }

    fn encode(&self, version: Option<u32>, input: &Input<'_>, convention: Convention) -> Result<Vec<u8>, JsonMismatch> {
        let wanted = version.unwrap_or(self.newest().version);
        let Some(schema) = self.version(wanted) else {
            let known = format!("a version from 1 to {}", self.newest().version);
            return Err(Mismatch::whole(known, format!("version {wanted}")).of(self.name(), wanted));
        };
        encode(schema, input, convention).map_err(|mismatch| mismatch.of(self.name(), wanted))
    }
}

fn encode(schema: &Schema, input: &Input<'_>, convention: Convention) -> Result<Vec<u8>, Mismatch> {
    let values = record(&schema.fields, input, convention)?;
    let body = encoding::encode(schema, &values).map_err(|Unfit { field, misfit }| {
        let expected = |field: &Field| (field.name.to_string(), field.kind.to_string());
        let whole = || (String::new(), "values that the schema can hold".to_owned());
        let (field, expected) = field.and_then(|at| schema.fields.get(at)).map_or_else(whole, expected);
        Mismatch { field, ..Mismatch::whole(expected, misfit.to_string()) }
    })?;
    if body.len() > MAX_BODY {
        return Err(Mismatch::whole(format!("at most {MAX_BODY} bytes encoded"), format!("{} bytes", body.len())));
    }
    Ok(body)
}
