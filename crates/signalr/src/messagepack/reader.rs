//! A reader of MessagePack that borrows text and bytes from its input.

use std::borrow::Cow;

use rmp::Marker;

use crate::timestamp::MAX_NANOSECONDS;
use crate::{MAX_DEPTH, ProtocolError, Value};

/// The extension type of timestamps.
pub(super) const TIMESTAMP: i8 = -1;

/// Room that is made for a container before its items are seen. Lengths are claims: whoever
/// believes them lets five bytes ask for gigabytes.
const MAX_RESERVED: usize = 16;

/// Why a value cannot be taken.
#[derive(Debug)]
pub(super) enum ValueError {
    /// The bytes make no sense; neither does what follows.
    Protocol(ProtocolError),
    /// The value is MessagePack, but of a kind that no argument can have here.
    Unsupported,
}

impl From<ProtocolError> for ValueError {
    fn from(error: ProtocolError) -> Self {
        Self::Protocol(error)
    }
}

/// Reads MessagePack values one after the other.
pub(super) struct Reader<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts before the first byte.
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { body, at: 0 }
    }

    /// Takes a nil if one is next.
    pub(super) fn nil(&mut self) -> bool {
        self.take_if(|marker| (marker == Marker::Null).then_some(())).is_some()
    }

    /// Takes a boolean if one is next.
    pub(super) fn boolean(&mut self) -> Option<bool> {
        self.take_if(|marker| match marker {
            Marker::True => Some(true),
            Marker::False => Some(false),
            _ => None,
        })
    }

    /// Takes a whole number if one is next.
    pub(super) fn integer(&mut self) -> Option<Value<'a>> {
        self.attempt(|reader, marker| reader.integer_after(marker))
    }

    /// Takes text if it is next.
    pub(super) fn string(&mut self) -> Option<Cow<'a, str>> {
        self.attempt(|reader, marker| {
            let length = reader.string_length(marker).ok()??;
            reader.text(length).ok()
        })
    }

    /// Takes the start of an array if one is next, and tells how many items it claims.
    pub(super) fn array_length(&mut self) -> Option<usize> {
        self.attempt(|reader, marker| reader.array_length_after(marker).ok()?)
    }

    /// Takes the start of a map if one is next, and tells how many entries it claims.
    pub(super) fn map_length(&mut self) -> Option<usize> {
        self.attempt(|reader, marker| reader.map_length_after(marker).ok()?)
    }

    /// Reads as many values as an array claims that is nested in `depth - 1` others.
    pub(super) fn values(&mut self, length: usize, depth: usize) -> Result<Vec<Value<'a>>, ValueError> {
        let mut items = Vec::with_capacity(length.min(MAX_RESERVED));
        for _ in 0..length {
            items.push(self.value(depth)?);
        }
        Ok(items)
    }

    /// Reads any value that is nested in `depth` arrays and maps.
    pub(super) fn value(&mut self, depth: usize) -> Result<Value<'a>, ValueError> {
        let marker = self.marker()?;
        if let Some(length) = self.string_length(marker)? {
            return Ok(Value::String(self.text(length)?));
        }
        if let Some(length) = self.array_length_after(marker)? {
            return Ok(Value::Array(self.values(length, deeper(depth)?)?));
        }
        if let Some(length) = self.map_length_after(marker)? {
            return self.map(length, deeper(depth)?);
        }
        match marker {
            Marker::Null => Ok(Value::Null),
            Marker::True => Ok(Value::Bool(true)),
            Marker::False => Ok(Value::Bool(false)),
            Marker::F32 => Ok(Value::Float(f32::from_be_bytes(self.array()?).into())),
            Marker::F64 => Ok(Value::Float(f64::from_be_bytes(self.array()?))),
            Marker::Bin8 | Marker::Bin16 | Marker::Bin32 => {
                let length = self.length(marker, Marker::Bin8, Marker::Bin16)?;
                Ok(Value::Binary(Cow::Borrowed(self.bytes(length)?)))
            }
            Marker::FixExt1 => self.extension(1),
            Marker::FixExt2 => self.extension(2),
            Marker::FixExt4 => self.extension(4),
            Marker::FixExt8 => self.extension(8),
            Marker::FixExt16 => self.extension(16),
            Marker::Ext8 | Marker::Ext16 | Marker::Ext32 => {
                let length = self.length(marker, Marker::Ext8, Marker::Ext16)?;
                self.extension(length)
            }
            _ => match self.integer_after(marker) {
                Some(integer) => Ok(integer),
                None => Err(self.fault("the bytes end, or are none of MessagePack's").into()),
            },
        }
    }

    fn map(&mut self, length: usize, depth: usize) -> Result<Value<'a>, ValueError> {
        let mut entries = Vec::with_capacity(length.min(MAX_RESERVED));
        for _ in 0..length {
            let name = match self.value(depth)? {
                Value::String(name) => name,
                // JSON would carry them as text as well.
                Value::Int(number) => Cow::Owned(number.to_string()),
                Value::UInt(number) => Cow::Owned(number.to_string()),
                _ => return Err(ValueError::Unsupported),
            };
            entries.push((name, self.value(depth)?));
        }
        Ok(Value::Map(entries))
    }

    fn extension(&mut self, length: usize) -> Result<Value<'a>, ValueError> {
        let [kind] = self.array()?;
        let data = self.bytes(length)?;
        if i8::from_be_bytes([kind]) != TIMESTAMP {
            return Err(ValueError::Unsupported);
        }
        timestamp(data).ok_or_else(|| self.fault("a timestamp of another form").into())
    }

    fn text(&mut self, length: usize) -> Result<Cow<'a, str>, ProtocolError> {
        // JavaScript encodes half a surrogate pair as bytes that are no UTF-8; that is no
        // reason to end the connection.
        Ok(String::from_utf8_lossy(self.bytes(length)?))
    }

    fn integer_after(&mut self, marker: Marker) -> Option<Value<'a>> {
        Some(match marker {
            Marker::FixPos(int) => Value::from(int),
            Marker::FixNeg(int) => Value::from(int),
            Marker::U8 => Value::from(u8::from_be_bytes(self.array().ok()?)),
            Marker::U16 => Value::from(u16::from_be_bytes(self.array().ok()?)),
            Marker::U32 => Value::from(u32::from_be_bytes(self.array().ok()?)),
            Marker::U64 => Value::from(u64::from_be_bytes(self.array().ok()?)),
            Marker::I8 => Value::from(i8::from_be_bytes(self.array().ok()?)),
            Marker::I16 => Value::from(i16::from_be_bytes(self.array().ok()?)),
            Marker::I32 => Value::from(i32::from_be_bytes(self.array().ok()?)),
            Marker::I64 => Value::from(i64::from_be_bytes(self.array().ok()?)),
            _ => return None,
        })
    }

    fn string_length(&mut self, marker: Marker) -> Result<Option<usize>, ProtocolError> {
        match marker {
            Marker::FixStr(length) => Ok(Some(length.into())),
            Marker::Str8 | Marker::Str16 | Marker::Str32 => self.length(marker, Marker::Str8, Marker::Str16).map(Some),
            _ => Ok(None),
        }
    }

    fn array_length_after(&mut self, marker: Marker) -> Result<Option<usize>, ProtocolError> {
        match marker {
            Marker::FixArray(length) => Ok(Some(length.into())),
            Marker::Array16 => Ok(Some(u16::from_be_bytes(self.array()?).into())),
            Marker::Array32 => Ok(Some(u32::from_be_bytes(self.array()?) as usize)),
            _ => Ok(None),
        }
    }

    fn map_length_after(&mut self, marker: Marker) -> Result<Option<usize>, ProtocolError> {
        match marker {
            Marker::FixMap(length) => Ok(Some(length.into())),
            Marker::Map16 => Ok(Some(u16::from_be_bytes(self.array()?).into())),
            Marker::Map32 => Ok(Some(u32::from_be_bytes(self.array()?) as usize)),
            _ => Ok(None),
        }
    }

    /// A length of one, two or four bytes, as the marker is the one for one byte, for two, or another.
    fn length(&mut self, marker: Marker, one: Marker, two: Marker) -> Result<usize, ProtocolError> {
        if marker == one {
            Ok(u8::from_be_bytes(self.array()?).into())
        } else if marker == two {
            Ok(u16::from_be_bytes(self.array()?).into())
        } else {
            Ok(u32::from_be_bytes(self.array()?) as usize)
        }
    }

    fn marker(&mut self) -> Result<Marker, ProtocolError> {
        let [byte] = self.array()?;
        Ok(Marker::from_u8(byte))
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ProtocolError> {
        let Some(bytes) = self.body[self.at..].first_chunk() else {
            return Err(self.fault("the bytes end too early"));
        };
        self.at += N;
        Ok(*bytes)
    }

    fn bytes(&mut self, length: usize) -> Result<&'a [u8], ProtocolError> {
        let Some((bytes, _)) = self.body[self.at..].split_at_checked(length) else {
            return Err(self.fault("the bytes end too early"));
        };
        self.at += length;
        Ok(bytes)
    }

    /// Reads a marker and what belongs to it, or takes nothing at all.
    fn attempt<T>(&mut self, read: impl FnOnce(&mut Self, Marker) -> Option<T>) -> Option<T> {
        let start = self.at;
        let marker = self.marker().ok()?;
        let read = read(self, marker);
        if read.is_none() {
            self.at = start;
        }
        read
    }

    fn take_if<T>(&mut self, read: impl FnOnce(Marker) -> Option<T>) -> Option<T> {
        self.attempt(|_, marker| read(marker))
    }

    fn fault(&self, reason: &'static str) -> ProtocolError {
        ProtocolError::MessagePack { reason, at: self.at }
    }
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

/// One level further down.
pub(super) fn deeper(depth: usize) -> Result<usize, ProtocolError> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(ProtocolError::TooDeep { limit: MAX_DEPTH }) }
}
