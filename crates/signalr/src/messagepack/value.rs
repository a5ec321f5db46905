//! Values of any kind, and the limits for untrusted ones.

use std::borrow::Cow;

use rmp::Marker;

use super::reader::Reader;
use crate::nesting::deeper;
use crate::timestamp::MAX_NANOSECONDS;
use crate::{ProtocolError, Value};

/// The extension type of timestamps.
pub(super) const TIMESTAMP: i8 = -1;

/// The capacity reserved for a container before its items are read. Lengths are claims: trusting them would let five
/// bytes request gigabytes.
const MAX_RESERVED: usize = 16;

/// Why a value is refused.
#[derive(Debug)]
pub(super) enum ValueError {
    /// The bytes are invalid; so is everything after them.
    Protocol(ProtocolError),
    /// The value is valid MessagePack, but of a kind that no argument can have.
    Unsupported,
}

impl From<ProtocolError> for ValueError {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

/// Reads the values of an array, nested in `depth` arrays and maps.
pub(super) fn read_values<'a>(
    reader: &mut Reader<'a>,
    length: usize,
    depth: usize,
) -> Result<Vec<Value<'a>>, ValueError> {
    let mut items = Vec::with_capacity(length.min(MAX_RESERVED));
    for _ in 0..length {
        items.push(read_value(reader, depth)?);
    }
    Ok(items)
}

/// Reads any value, nested in `depth` arrays and maps.
pub(super) fn read_value<'a>(reader: &mut Reader<'a>, depth: usize) -> Result<Value<'a>, ValueError> {
    let marker = reader.marker()?;
    if let Some(integer) = reader.integer_after(marker)? {
        return Ok(integer);
    }
    if let Some(length) = reader.string_length(marker)? {
        return Ok(Value::String(reader.text(length)?));
    }
    if let Some(length) = reader.array_length_after(marker)? {
        return Ok(Value::Array(read_values(reader, length, deeper(depth)?)?));
    }
    if let Some(length) = reader.map_length_after(marker)? {
        return read_map(reader, length, deeper(depth)?);
    }
    if let Some(length) = reader.binary_length(marker)? {
        return Ok(Value::Binary(Cow::Borrowed(reader.bytes(length)?)));
    }
    if let Some(length) = reader.extension_length(marker)? {
        return read_extension(reader, length);
    }
    match marker {
        Marker::Null => Ok(Value::Null),
        Marker::True => Ok(Value::Bool(true)),
        Marker::False => Ok(Value::Bool(false)),
        Marker::F32 => Ok(Value::Float(shortest(f32::from_be_bytes(reader.array()?)))),
        Marker::F64 => Ok(Value::Float(f64::from_be_bytes(reader.array()?))),
        _ => Err(reader.fault("a byte without a meaning").into()),
    }
}

/// The number with the fewest digits, which is what the same client writes in JSON: 0.1 instead of 0.10000000149011612.
fn shortest(number: f32) -> f64 {
    number.to_string().parse().unwrap_or_else(|_| number.into())
}

fn read_map<'a>(reader: &mut Reader<'a>, length: usize, depth: usize) -> Result<Value<'a>, ValueError> {
    let mut entries = Vec::with_capacity(length.min(MAX_RESERVED));
    for _ in 0..length {
        let name = match read_value(reader, depth)? {
            Value::String(name) => name,
            // As in JSON.
            Value::Int(number) => Cow::Owned(number.to_string()),
            Value::UInt(number) => Cow::Owned(number.to_string()),
            _ => return Err(ValueError::Unsupported),
        };
        entries.push((name, read_value(reader, depth)?));
    }
    Ok(Value::Map(entries))
}

fn read_extension<'a>(reader: &mut Reader<'a>, length: usize) -> Result<Value<'a>, ValueError> {
    let [kind] = reader.array()?;
    let data = reader.bytes(length)?;
    if i8::from_be_bytes([kind]) != TIMESTAMP {
        return Err(ValueError::Unsupported);
    }
    timestamp(data).ok_or_else(|| reader.fault("a timestamp of another form").into())
}

/// Reads the three forms of a timestamp.
fn timestamp<'a>(data: &[u8]) -> Option<Value<'a>> {
    let (seconds, nanoseconds) = match *data {
        [a, b, c, d] => (i64::from(u32::from_be_bytes([a, b, c, d])), 0),
        [_, _, _, _, _, _, _, _] => {
            let both = u64::from_be_bytes(data.try_into().ok()?);
            // 30 bits of nanoseconds before 34 bits of seconds.
            (i64::try_from(both & 0x3_ffff_ffff).ok()?, u32::try_from(both >> 34).ok()?)
        }
        [a, b, c, d, ref seconds @ ..] => {
            (i64::from_be_bytes(seconds.try_into().ok()?), u32::from_be_bytes([a, b, c, d]))
        }
        _ => return None,
    };
    (nanoseconds <= MAX_NANOSECONDS).then_some(Value::Timestamp { seconds, nanoseconds })
}
