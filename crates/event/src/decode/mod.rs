//! Decodes bytes into records: the single-object encoding of Avro, from any known version.

mod free_form;
mod plan;
mod reader;
#[cfg(test)]
mod tests;
mod values;

use thiserror::Error;

pub(crate) use plan::{Plan, Plans, Raw, RecordPlan, Step};
use values::Decoder;

use crate::encoding::{HEADER, MARKER};
use crate::{Schema, TypeName, Value};

/// The largest body of an event, in bytes.
pub const MAX_BODY: usize = 1024 * 1024;

/// The largest number of values in a record, including those in lists, maps and nested records. Together with
/// [`MAX_BODY`] it bounds what a hostile body can make the process allocate.
pub const MAX_VALUES: usize = 100_000;

/// The largest nesting depth of lists, maps and records in an event.
///
/// .NET reads JSON of 64 levels, and a notification adds some around what it sends.
pub const MAX_DEPTH: usize = 56;

/// Why a body is not an event; its producer must fix it, or the schemas here are older than the producer's.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The body is too large.
    #[error("the body has {size} bytes, an event has at most {MAX_BODY}")]
    TooLarge {
        /// Its size.
        size: usize,
    },
    /// The body does not start like the single-object encoding.
    #[error("the body is not in the single-object encoding of Avro: it should start with C3 01 and a fingerprint")]
    NotSingleObject,
    /// No known schema has this fingerprint.
    #[error("no known schema has the fingerprint {fingerprint:016x}; schemas must be rolled out before producers")]
    UnknownSchema {
        /// The fingerprint that the body starts with.
        fingerprint: u64,
    },
    /// No known schema has this fingerprint, but one has it with its bytes reversed.
    #[error(
        "no known schema has the fingerprint {fingerprint:016x}, but {event_type} v{version} has these bytes in reverse: \
         the eight bytes after C3 01 are the fingerprint with its lowest byte first"
    )]
    ReversedFingerprint {
        /// The fingerprint that the body starts with.
        fingerprint: u64,
        /// The event type that was probably meant.
        event_type: TypeName,
        /// Its version.
        version: u32,
    },
    /// The bytes do not fit the schema.
    #[error("{event_type} v{version}: the body does not fit the schema at `{field}`: {reason}")]
    Malformed {
        /// The event type.
        event_type: TypeName,
        /// The version that wrote the body.
        version: u32,
        /// The path of the field at which decoding failed.
        field: String,
        /// What is wrong there.
        reason: String,
    },
    /// Bytes follow the record.
    #[error("{event_type} v{version}: {count} bytes follow the record")]
    TrailingBytes {
        /// The event type.
        event_type: TypeName,
        /// The version that wrote the body.
        version: u32,
        /// The number of bytes.
        count: usize,
    },
    /// The bytes do not fit the schema from the schema registry.
    #[error("{event_type}: the body does not fit schema {schema} of the schema registry{}: {reason}", at(field))]
    RegisteredMalformed {
        /// The event type.
        event_type: TypeName,
        /// The id of the schema in its registry.
        schema: u32,
        /// The path of the field at which decoding failed; empty for the record as a whole.
        field: String,
        /// What is wrong there.
        reason: String,
    },
    /// The attributes name another type than the body's.
    #[error("the attributes say {declared}, the body is a {written}")]
    OtherType {
        /// The value of `ce-type`.
        declared: TypeName,
        /// The type of the body.
        written: TypeName,
    },
}

/// Parses a text as JSON with at most this many values and levels, and counts its values; or returns what is wrong with
/// it.
pub(crate) fn json(text: &str, values: usize, levels: usize) -> Result<(Value, usize), String> {
    free_form::read(text, values, levels).map_err(|bad| bad.to_string())
}

/// Splits a body into the fingerprint of its schema and the encoded record.
pub(crate) fn split(body: &[u8]) -> Result<(u64, &[u8]), DecodeError> {
    if body.len() > MAX_BODY {
        return Err(DecodeError::TooLarge { size: body.len() });
    }
    let Some((header, datum)) = body.split_first_chunk::<HEADER>() else {
        return Err(DecodeError::NotSingleObject);
    };
    let [first, second, fingerprint @ ..] = *header;
    if [first, second] != MARKER {
        return Err(DecodeError::NotSingleObject);
    }
    Ok((u64::from_le_bytes(fingerprint), datum))
}

fn at(field: &str) -> String {
    if field.is_empty() { String::new() } else { format!(" at `{field}`") }
}

/// Why bytes are not a record of a plan.
pub(crate) enum Misfit {
    /// They do not fit.
    Malformed {
        /// The path of the field at which decoding failed.
        field: String,
        /// What is wrong there.
        reason: String,
    },
    /// This many bytes follow the record.
    Trailing(usize),
}

/// Decodes a record with the layout of the plans.
pub(crate) fn read(plans: &Plans, datum: &[u8]) -> Result<Vec<Value>, Misfit> {
    let mut decoder = Decoder::new(plans, datum, MAX_VALUES);
    let values = decoder
        .record(plans.event())
        .map_err(|bad| Misfit::Malformed { field: decoder.failed_at(), reason: bad.to_string() })?;
    match decoder.left() {
        0 => Ok(values),
        count => Err(Misfit::Trailing(count)),
    }
}

/// Decodes a record that `written` has written, with the layout of the plans.
pub(crate) fn values(written: &Schema, plans: &Plans, datum: &[u8]) -> Result<Vec<Value>, DecodeError> {
    let (event_type, version) = (&written.event_type, written.version);
    read(plans, datum).map_err(|misfit| match misfit {
        Misfit::Malformed { field, reason } => {
            DecodeError::Malformed { event_type: event_type.clone(), version, field, reason }
        }
        Misfit::Trailing(count) => DecodeError::TrailingBytes { event_type: event_type.clone(), version, count },
    })
}
