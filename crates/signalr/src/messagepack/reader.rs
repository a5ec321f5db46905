//! The parts of MessagePack: markers, lengths and their bytes.

use std::borrow::Cow;

use rmp::Marker;

use crate::{ProtocolError, Value};

/// Reads MessagePack from its start, borrowing text and bytes.
pub(super) struct Reader<'a> {
    body: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts before the first byte.
    pub(super) fn new(body: &'a [u8]) -> Self {
        Self { body, at: 0 }
    }

    /// Consumes a nil if it is next.
    pub(super) fn nil(&mut self) -> bool {
        self.attempt(|_, marker| (marker == Marker::Null).then_some(())).is_some()
    }

    /// Consumes a boolean if it is next.
    pub(super) fn boolean(&mut self) -> Option<bool> {
        self.attempt(|_, marker| match marker {
            Marker::True => Some(true),
            Marker::False => Some(false),
            _ => None,
        })
    }

    /// Consumes a whole number if it is next.
    pub(super) fn integer(&mut self) -> Option<Value<'a>> {
        self.attempt(|reader, marker| reader.integer_after(marker).ok()?)
    }

    /// Consumes text if it is next.
    pub(super) fn string(&mut self) -> Option<Cow<'a, str>> {
        self.attempt(|reader, marker| {
            let length = reader.string_length(marker).ok()??;
            reader.text(length).ok()
        })
    }

    /// Consumes the start of an array if it is next, and returns its claimed number of items.
    pub(super) fn array_length(&mut self) -> Option<usize> {
        self.attempt(|reader, marker| reader.array_length_after(marker).ok()?)
    }

    /// Consumes the start of a map if it is next, and returns its claimed number of entries.
    pub(super) fn map_length(&mut self) -> Option<usize> {
        self.attempt(|reader, marker| reader.map_length_after(marker).ok()?)
    }

    /// Consumes the next marker.
    pub(super) fn marker(&mut self) -> Result<Marker, ProtocolError> {
        let [byte] = self.array()?;
        Ok(Marker::from_u8(byte))
    }

    /// The whole number after the marker, if it is the marker of one.
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

    /// The size of the text after the marker, if it is the marker of text.
    pub(super) fn string_length(&mut self, marker: Marker) -> Result<Option<usize>, ProtocolError> {
        match marker {
            Marker::FixStr(length) => Ok(Some(length.into())),
            Marker::Str8 => self.length::<1>().map(Some),
            Marker::Str16 => self.length::<2>().map(Some),
            Marker::Str32 => self.length::<4>().map(Some),
            _ => Ok(None),
        }
    }

    /// The claimed number of items, if the marker is that of an array.
    pub(super) fn array_length_after(&mut self, marker: Marker) -> Result<Option<usize>, ProtocolError> {
        match marker {
            Marker::FixArray(length) => Ok(Some(length.into())),
            Marker::Array16 => self.length::<2>().map(Some),
            Marker::Array32 => self.length::<4>().map(Some),
            _ => Ok(None),
        }
    }

    /// The claimed number of entries, if the marker is that of a map.
    pub(super) fn map_length_after(&mut self, marker: Marker) -> Result<Option<usize>, ProtocolError> {
        match marker {
            Marker::FixMap(length) => Ok(Some(length.into())),
            Marker::Map16 => self.length::<2>().map(Some),
            Marker::Map32 => self.length::<4>().map(Some),
            _ => Ok(None),
        }
    }

    /// The number of bytes, if the marker is that of bytes.
    pub(super) fn binary_length(&mut self, marker: Marker) -> Result<Option<usize>, ProtocolError> {
        match marker {
            Marker::Bin8 => self.length::<1>().map(Some),
            Marker::Bin16 => self.length::<2>().map(Some),
            Marker::Bin32 => self.length::<4>().map(Some),
            _ => Ok(None),
        }
    }

    /// The number of bytes after the extension's type, if the marker is that of an extension.
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
    /// JavaScript encodes half a surrogate pair as bytes that are not UTF-8. It is replaced: text that was cut apart is
    /// no reason to end the connection.
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

    /// The next bytes, of a length that is known at compile time.
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

    /// Reads a marker and its value, or consumes nothing.
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
