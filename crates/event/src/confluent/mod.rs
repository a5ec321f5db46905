//! Confluent's wire format: a zero byte, the id of a schema in a schema registry, and an Avro record.
//!
//! Pure: the caller fetches a schema's text from the registry and passes it to [`ForeignSchema::parse`];
//! [`Registry::writer`](crate::Registry::writer) then plans how to read with it.

mod schema;
#[cfg(test)]
mod tests;
mod writer;

pub use schema::{ForeignSchema, MAX_SCHEMA, MAX_SCHEMAS, SchemaError};
pub use writer::{Writer, WriterError};

/// The first byte of a body in this format; no body in single-object encoding starts with it.
const MAGIC: u8 = 0;

/// Splits a body into the id of its schema and the encoded record; none if it is in another format.
#[must_use]
pub fn split(body: &[u8]) -> Option<(u32, &[u8])> {
    let (&MAGIC, rest) = body.split_first()? else { return None };
    let (id, datum) = rest.split_first_chunk()?;
    Some((u32::from_be_bytes(*id), datum))
}

/// The body of a record in this format.
#[must_use]
pub fn join(schema: u32, datum: &[u8]) -> Vec<u8> {
    [&[MAGIC][..], &schema.to_be_bytes(), datum].concat()
}
