//! A JSON parser that borrows text from its input.
//!
//! `serde_json` would end a connection over half a surrogate pair, which browsers do send: `"😀".slice(0, 1)`. It also
//! nests deeper than MessagePack may here, and cannot return what a message contained before it broke off.

use std::borrow::Cow;

use super::text::read_text;
use crate::nesting::deeper;
use crate::{ProtocolError, Value};

/// Parses one JSON text from its start to its end.
pub(super) struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts before the first byte.
    pub(super) fn new(body: &'a [u8]) -> Result<Self, ProtocolError> {
        match std::str::from_utf8(body) {
            Ok(text) => Ok(Self { text, at: 0 }),
            Err(error) => Err(ProtocolError::Json { reason: "no UTF-8", at: error.valid_up_to() }),
        }
    }

    /// The next byte that is not white space, without consuming it.
    pub(super) fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let space = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        self.at += space.unwrap_or(rest.len());
        self.text.as_bytes().get(self.at).copied()
    }

    /// A fault at the current place.
    pub(super) fn fault(&self, reason: &'static str) -> ProtocolError {
        ProtocolError::Json { reason, at: self.at }
    }

    /// Parses an object and passes each name to the callback, with the reader before its value.
    pub(super) fn object(
        &mut self,
        mut entry: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        self.expect(b'{', "expected an object")?;
        if self.take(b'}') {
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(self.fault("expected a property name in quotes"));
            }
            let name = self.string()?;
            self.expect(b':', "expected ':' after a property name")?;
            entry(self, name)?;
            if self.take(b'}') {
                return Ok(());
            }
            self.expect(b',', "expected ',' or '}' after a property")?;
        }
    }

    /// Parses any value that is nested in `depth` arrays and objects.
    pub(super) fn value(&mut self, depth: usize) -> Result<Value<'a>, ProtocolError> {
        match self.peek() {
            Some(b'{') => {
                let depth = deeper(depth)?;
                let mut entries = Vec::new();
                self.object(|reader, name| {
                    entries.push((name, reader.value(depth)?));
                    Ok(())
                })?;
                Ok(Value::Map(entries))
            }
            Some(b'[') => self.array(deeper(depth)?),
            Some(b'"') => Ok(Value::String(self.string()?)),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'n') => self.literal("null", Value::Null),
            Some(b't') => self.literal("true", Value::Bool(true)),
            Some(b'f') => self.literal("false", Value::Bool(false)),
            Some(_) => Err(self.fault("expected a value")),
            None => Err(self.fault("expected a value, found the end")),
        }
    }

    /// Checks that nothing follows.
    pub(super) fn end(&mut self) -> Result<(), ProtocolError> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault("expected the end")),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Value<'a>, ProtocolError> {
        let mut items = Vec::new();
        self.expect(b'[', "expected an array")?;
        if self.take(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            if self.take(b']') {
                return Ok(Value::Array(items));
            }
            self.expect(b',', "expected ',' or ']' after an item")?;
        }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, ProtocolError> {
        let (string, end) = read_text(self.text, self.at + 1)?;
        self.at = end;
        Ok(string)
    }

    fn number(&mut self) -> Result<Value<'a>, ProtocolError> {
        let start = self.at;
        self.skip(b"-");
        if self.skip(b"0") == 0 && self.skip_digits() == 0 {
            return Err(self.fault("expected a digit"));
        }
        let mut whole = true;
        if self.skip(b".") == 1 {
            whole = false;
            if self.skip_digits() == 0 {
                return Err(self.fault("expected a digit after '.'"));
            }
        }
        if self.skip(b"eE") == 1 {
            whole = false;
            self.skip(b"+-");
            if self.skip_digits() == 0 {
                return Err(self.fault("expected a digit in the exponent"));
            }
        }
        let number = &self.text[start..self.at];
        if whole {
            if let Ok(int) = number.parse() {
                return Ok(Value::Int(int));
            }
            if let Ok(int) = number.parse() {
                return Ok(Value::UInt(int));
            }
        }
        match number.parse::<f64>() {
            Ok(float) if float.is_finite() => Ok(Value::Float(float)),
            _ => Err(ProtocolError::Json { reason: "number out of range", at: start }),
        }
    }

    fn literal(&mut self, literal: &str, value: Value<'a>) -> Result<Value<'a>, ProtocolError> {
        if !self.text[self.at..].starts_with(literal) {
            return Err(self.fault("expected a value"));
        }
        self.at += literal.len();
        Ok(value)
    }

    /// Consumes following bytes of these, and returns their number.
    fn skip(&mut self, any: &[u8]) -> usize {
        let taken = self.text.as_bytes().get(self.at).is_some_and(|byte| any.contains(byte));
        self.at += usize::from(taken);
        usize::from(taken)
    }

    fn skip_digits(&mut self) -> usize {
        let rest = &self.text.as_bytes()[self.at..];
        let digits = rest.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        self.at += digits;
        digits
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8, reason: &'static str) -> Result<(), ProtocolError> {
        if self.take(byte) { Ok(()) } else { Err(self.fault(reason)) }
    }
}
