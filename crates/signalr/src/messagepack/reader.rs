//! The parts that MessagePack is made of: markers, lengths and the bytes behind them.

use std::borrow::Cow;

use rmp::Marker;

use crate::{ProtocolError, Value};

/// Reads MessagePack from its start, and borrows text and bytes from it.
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
        self.attempt(|_, marker| (marker == Marker::Null).then_some(())).is_some()
    }

    /// Takes a boolean if one is next.
    pub(super) fn boolean(&mut self) -> Option<bool> {
        self.attempt(|_, marker| match marker {
            Marker::True => Some(true),
            Marker::False => Some(false),
            _ => None,
        })
    }

    /// Takes a whole number if one is next.
    pub(super) fn integer(&mut self) -> Option<Value<'a>> {
        self.attempt(|reader, marker| reader.integer_after(marker).ok()?)
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

    /// Takes the marker of whatever is next.
    pub(super) fn marker(&mut self) -> Result<Marker, ProtocolError> {
        let [byte] = self.array()?;
        Ok(Marker::from_u8(byte))
    }

    /// The whole number that the marker starts, if it starts one.
    pub(super) fn integer_after(&mut self, marker: Marker) -> Result<Option<Value<'a>>, ProtocolError> {
        Ok(Some(match marker {
            Marker::FixPos(int) => Value::from(int),
            Marker::FixNeg(int) => Value::from(int),
            Marker::U8 => Value::from(u8::from_be_bytes(self.array()?)),
            Marker::U16 => Value::from(u16::from_be_bytes(self.array()?)),
            Marker::U32 => Value::from(u32::from_be_bytes(self.array()?)),
            Marker::U64 => Value::from(u64::from_be_bytes(self.array()?)),
            Marker::I8 => Value::from(i8::from_be_bytes(self.array()?)),
            Marker::I16 => Value::from(i16::from_be_bytes(self.array()?)),
            Marker::I32 => Value::from(i32::from_be_bytes(self.array()?)),
            Marker::I64 => Value::from(i64::from_be_bytes(self.array()?)),
            _ => return Ok(None),
        }))
    }

    /// How many bytes of text the marker starts, if it starts text.
    pub(super) fn string_length(&mut self, marker: Marker) -> Result<Option<usize>, ProtocolError> {
        match marker {
            Marker::FixStr(length) => Ok(Some(length.into())),
            Marker::Str8 => self.length::<1>().map(Some),
            Marker::Str16 => self.length::<2>().map(Some),
            Marker::Str32 => self.length::<4>().map(Some),
            _ => Ok(None),
        }
    }

    /// How many items the array claims that the marker starts, if it starts one.
    pub(super) fn array_length_after(&mut self, marker: Marker) -> Result<Option<usize>, ProtocolError> {
        match marker {
            Marker::FixArray(length) => Ok(Some(length.into())),
            Marker::Array16 => self.length::<2>().map(Some),
            Marker::Array32 => self.length::<4>().map(Some),
            _ => Ok(None),
        }
    }

    /// How many entries the map claims that the marker starts, if it starts one.
    pub(super) fn map_length_after(&mut self, marker: Marker) -> Result<Option<usize>, ProtocolError> {
        match marker {
            Marker::FixMap(length) => Ok(Some(length.into())),
            Marker::Map16 => self.length::<2>().map(Some),
            Marker::Map32 => self.length::<4>().map(Some),
            _ => Ok(None),
        }
    }

    /// How many bytes the marker starts, if it starts bytes.
    pub(super) fn binary_length(&mut self, marker: Marker) -> Result<Option<usize>, ProtocolError> {
        match marker {
            Marker::Bin8 => self.length::<1>().map(Some),
            Marker::Bin16 => self.length::<2>().map(Some),
            Marker::Bin32 => self.length::<4>().map(Some),
            _ => Ok(None),
        }
    }

    /// How many bytes the extension has behind its type, if the marker starts one.
    pub(super) fn extension_length(&mut self, marker: Marker) -> Result<Option<usize>, ProtocolError> {
        match marker {
            Marker::FixExt1 => Ok(Some(1)),
            Marker::FixExt2 => Ok(Some(2)),
            Marker::FixExt4 => Ok(Some(4)),
            Marker::FixExt8 => Ok(Some(8)),
            Marker::FixExt16 => Ok(Some(16)),
            Marker::Ext8 => self.length::<1>().map(Some),
            Marker::Ext16 => self.length::<2>().map(Some),
            Marker::Ext32 => self.length::<4>().map(Some),
            _ => Ok(None),
        }
    }

    fn length<const N: usize>(&mut self) -> Result<usize, ProtocolError> {
        let bytes: [u8; N] = self.array()?;
        Ok(bytes.into_iter().fold(0, |sum, byte| sum << 8 | usize::from(byte)))
    }

    /// The next bytes as text.
    ///
    /// JavaScript encodes half a surrogate pair as bytes that are no UTF-8. It is replaced: a
    /// text cut apart is no reason to end the connection.
    pub(super) fn text(&mut self, length: usize) -> Result<Cow<'a, str>, ProtocolError> {
        self.bytes(length).map(String::from_utf8_lossy)
    }

    /// The next bytes.
    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], ProtocolError> {
        let Some((bytes, _)) = self.body[self.at..].split_at_checked(length) else {
            return Err(self.fault("the bytes end too early"));
        };
        self.at += length;
        Ok(bytes)
    }

    /// The next bytes, of a length that is known when this is compiled.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ProtocolError> {
        let Some(bytes) = self.body[self.at..].first_chunk() else {
            return Err(self.fault("the bytes end too early"));
        };
        self.at += N;
        Ok(*bytes)
    }

    /// A fault at the current place.
    pub(super) fn fault(&self, reason: &'static str) -> ProtocolError {
        ProtocolError::MessagePack { reason, at: self.at }
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
}
