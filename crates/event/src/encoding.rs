//! Encodes values into bytes: the single-object encoding of Avro.

use std::cell::Cell;

use thiserror::Error;

use crate::scalar::{decimal, duration};
use crate::schema::{Layout, Layouts, Logical};
use crate::{MAX_VALUES, Schema, Value};

/// The first two bytes of the single-object encoding.
pub(crate) const MARKER: [u8; 2] = [0xC3, 0x01];
/// The size of the marker and the fingerprint.
pub(crate) const HEADER: usize = 10;

/// The largest number of values written, including attempts.
const MAX_WRITES: usize = 8 * MAX_VALUES;

/// A value that does not fit the schema's type there. Values read from JSON always fit.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a value that is no {0}")]
pub(crate) struct Misfit(&'static str);

/// The field of the event with the value; none if the record as a whole is at fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unfit {
    /// The index of the schema's field.
    pub(crate) field: Option<usize>,
    pub(crate) misfit: Misfit,
}

/// Encodes the values of a record, which must be in the schema's field order.
pub(crate) fn encode(schema: &Schema, values: &[Value]) -> Result<Vec<u8>, Unfit> {
    let mut body = Vec::with_capacity(128);
    body.extend(MARKER);
    body.extend(schema.fingerprint.to_le_bytes());
    let writer = Writer { layouts: &schema.layouts, left: Cell::new(MAX_WRITES) };
    let fields = &schema.layouts.event().fields;
    if values.len() != fields.len() {
        return Err(Unfit { field: None, misfit: Misfit("record of as many fields") });
    }
    for (field, ((_, layout), value)) in fields.iter().zip(values).enumerate() {
        writer.write(&mut body, layout, value).map_err(|misfit| Unfit { field: Some(field), misfit })?;
    }
    Ok(body)
}

struct Writer<'l> {
    layouts: &'l Layouts,
    /// The number of values that may still be written, including those that turn out to belong to another type of a
    /// union: similar types nested in each other could be tried forever.
    left: Cell<usize>,
}

impl Writer<'_> {
    fn record<'a>(
        &self,
        out: &mut Vec<u8>,
        fields: &[(std::sync::Arc<str>, Layout)],
        values: impl ExactSizeIterator<Item = &'a Value>,
    ) -> Result<(), Misfit> {
        if values.len() != fields.len() {
            return Err(Misfit("record of as many fields"));
        }
        fields.iter().zip(values).try_for_each(|((_, layout), value)| self.write(out, layout, value))
    }

    fn write(&self, out: &mut Vec<u8>, layout: &Layout, value: &Value) -> Result<(), Misfit> {
        let left = self.left.get().checked_sub(1).ok_or(Misfit("value of a union that is found in time"))?;
        self.left.set(left);
        match (layout, value) {
            (Layout::Nullable { null_first, .. }, Value::Null) => out.push(branch(!null_first)),
            (Layout::Nullable { null_first, value: layout }, value) => {
                out.push(branch(*null_first));
                self.write(out, layout, value)?;
            }
            (Layout::Union(variants), value) => self.union(out, variants, value)?,
            (Layout::Null, Value::Null) => {}
            (Layout::Boolean, Value::Bool(value)) => out.push((*value).into()),
            (Layout::Int, Value::Int(value)) => match i32::try_from(*value) {
                Ok(value) => long(out, value.into()),
                Err(_) => return Err(Misfit("int, being out of its range")),
            },
            (Layout::Long, Value::Int(value)) => long(out, *value),
            (Layout::Float, Value::Float(value)) => out.extend((*value as f32).to_le_bytes()),
            (Layout::Double, Value::Float(value)) => out.extend(value.to_le_bytes()),
            (Layout::String, Value::String(text)) => bytes(out, text.as_bytes()),
            (Layout::Bytes, Value::Bytes(value)) => bytes(out, value),
            (Layout::Fixed(size), Value::Bytes(value)) if value.len() == *size => out.extend(&**value),
            (Layout::Enum { symbols, .. }, Value::String(text)) => {
                match symbols.iter().position(|symbol| symbol == text) {
                    Some(position) => length(out, position),
                    None => return Err(Misfit("symbol of the enum")),
                }
            }
            (Layout::Array(layout), Value::List(items)) => {
                block(out, items, |out, item| self.write(out, layout, item))?;
            }
            (Layout::Map(layout), Value::Record(entries)) => block(out, entries, |out, (key, value)| {
                bytes(out, key.as_bytes());
                self.write(out, layout, value)
            })?,
            (Layout::Record(number), Value::Record(entries)) => {
                let fields = &self.layouts.record(*number).fields;
                if !entries.iter().map(|(name, _)| name).eq(fields.iter().map(|(name, _)| name)) {
                    return Err(Misfit("record of these fields"));
                }
                self.record(out, fields, entries.iter().map(|(_, value)| value))?;
            }
            (Layout::Logical(logical, inner), value) => self.meant(out, *logical, inner, value)?,
            (layout, _) => return Err(Misfit(name(layout))),
        }
        Ok(())
    }

    /// Writes a value as the first of these types that fits.
    fn union(&self, out: &mut Vec<u8>, variants: &[Layout], value: &Value) -> Result<(), Misfit> {
        let start = out.len();
        for (position, layout) in variants.iter().enumerate() {
            length(out, position);
            if self.write(out, layout, value).is_ok() {
                return Ok(());
            }
            out.truncate(start);
        }
        Err(Misfit("value of any type of the union"))
    }

    /// Writes a value with a meaning beyond its bytes.
    fn meant(&self, out: &mut Vec<u8>, logical: Logical, inner: &Layout, value: &Value) -> Result<(), Misfit> {
        match (logical, inner, value) {
            (Logical::Json, _, value) => {
                let text = serde_json::to_string(value).map_err(|_| Misfit("JSON"))?;
                self.write(out, inner, &Value::String(text.into()))
            }
            (Logical::Decimal { scale }, _, Value::String(text)) => {
                let bad = |_| Misfit("decimal that fits");
                let size = if let Layout::Fixed(size) = inner { Some(*size) } else { None };
                let raw = decimal::bytes(&decimal::unscaled(text, scale).map_err(bad)?, size).map_err(bad)?;
                self.write(out, inner, &Value::Bytes(raw.into()))
            }
            (Logical::BigDecimal, _, Value::String(text)) => {
                let (unscaled, scale) = decimal::parsed(text).map_err(|_| Misfit("decimal that fits"))?;
                let mut raw = Vec::new();
                bytes(&mut raw, &unscaled.to_signed_bytes_be());
                long(&mut raw, scale.into());
                self.write(out, inner, &Value::Bytes(raw.into()))
            }
            (Logical::Uuid, Layout::Bytes | Layout::Fixed(_), Value::String(text)) => {
                let uuid = uuid::Uuid::parse_str(text).map_err(|_| Misfit("uuid"))?;
                self.write(out, inner, &Value::Bytes(uuid.as_bytes()[..].into()))
            }
            (Logical::Duration, _, Value::String(text)) => {
                let raw = duration::bytes(text).ok_or(Misfit("duration"))?;
                self.write(out, inner, &Value::Bytes(raw[..].into()))
            }
            (_, inner, value) => self.write(out, inner, value),
        }
    }
}

/// The zigzag varint of a position in a union of two.
fn branch(second: bool) -> u8 {
    if second { 2 } else { 0 }
}

/// Writes the items of a list or a map in one block, and the empty block that ends them.
fn block<T>(
    out: &mut Vec<u8>,
    items: &[T],
    mut write: impl FnMut(&mut Vec<u8>, &T) -> Result<(), Misfit>,
) -> Result<(), Misfit> {
    if !items.is_empty() {
        length(out, items.len());
        items.iter().try_for_each(|item| write(out, item))?;
    }
    out.push(0);
    Ok(())
}

fn bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    length(out, bytes.len());
    out.extend(bytes);
}

/// Writes the length of something in memory, which is never above `i64::MAX`.
fn length(out: &mut Vec<u8>, length: usize) {
    long(out, length as i64);
}

/// Writes a zigzag varint: the sign in the lowest bit, then seven bits to a byte, the lowest first.
fn long(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest > 0x7f {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn name(layout: &Layout) -> &'static str {
    match layout {
        Layout::Null => "null",
        Layout::Boolean => "boolean",
        Layout::Int => "int",
        Layout::Long => "long",
        Layout::Float => "float",
        Layout::Double => "double",
        Layout::String => "string",
        Layout::Bytes => "bytes",
        Layout::Fixed(_) => "fixed of that size",
        Layout::Enum { .. } => "enum",
        Layout::Array(_) => "array",
        Layout::Map(_) => "map",
        Layout::Record(_) => "record",
        Layout::Nullable { .. } | Layout::Union(_) => "union",
        Layout::Logical(..) => "value with that meaning",
    }
}

#[cfg(test)]
mod tests {
    use super::{HEADER, Misfit, encode};
    use crate::{Registry, Value};

    fn through(r#type: &str, value: Value) -> Result<Vec<u8>, Misfit> {
        let schema = format!(
            r#"{{"type": "record", "name": "Changed", "fields": [{{"name": "x", "type": {type}}}]}}"#,
            type = r#type
        );
        let registry = Registry::of(&[("a/Changed.v1.avsc", &schema)]).unwrap();
        let body =
            encode(registry.event_type("a.Changed").unwrap().newest(), &[value]).map_err(|unfit| unfit.misfit)?;
        Ok(body[HEADER..].to_vec())
    }

    #[test]
    fn values_are_encoded_as_specified() {
        let text = |text: &str| Value::String(text.into());
        let symbols = r#"{"type": "enum", "name": "E", "symbols": ["A", "B"]}"#;
        let numbers = r#"{"type": "array", "items": "long"}"#;
        for (r#type, value, bytes) in [
            (r#""boolean""#, Value::Bool(true), &[1][..]),
            (r#""int""#, Value::Int(-64), &[0x7f]),
            (r#""long""#, Value::Int(64), &[0x80, 0x01]),
            (r#""long""#, Value::Int(i64::MIN), &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
            (r#""float""#, Value::Float(1.5), &[0, 0, 0xc0, 0x3f]),
            (r#""double""#, Value::Float(1.5), &[0, 0, 0, 0, 0, 0, 0xf8, 0x3f]),
            (r#""string""#, text("foo"), b"\x06foo"),
            (symbols, text("B"), &[2]),
            (r#"["null", "string"]"#, Value::Null, &[0]),
            (r#"["null", "string"]"#, text("a"), b"\x02\x02a"),
            (r#"["string", "null"]"#, Value::Null, &[2]),
            (r#"["string", "null"]"#, text("a"), b"\x00\x02a"),
            (numbers, Value::List(vec![Value::Int(3), Value::Int(27)]), &[4, 6, 0x36, 0]),
            (numbers, Value::List(vec![]), &[0]),
            (
                r#"{"type": "map", "values": "int"}"#,
                Value::Record(vec![("k".into(), Value::Int(1))]),
                &[2, 2, b'k', 2, 0],
            ),
        ] {
            assert_eq!(through(r#type, value).as_deref(), Ok(bytes), "{type}", type = r#type);
        }
    }

    #[test]
    fn values_of_another_type_are_refused() {
        let fixed = r#"{"type": "fixed", "name": "F", "size": 2}"#;
        for (r#type, value) in [
            (r#""int""#, Value::Int(1 << 31)),
            (r#""int""#, Value::Null),
            (r#""string""#, Value::Bytes(b"a"[..].into())),
            (fixed, Value::Bytes(b"abc"[..].into())),
            (r#"{"type": "enum", "name": "E", "symbols": ["A"]}"#, Value::String("B".into())),
            (r#"{"type": "array", "items": "int"}"#, Value::List(vec![Value::Null])),
            (r#"{"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}"#, Value::Record(vec![])),
        ] {
            through(r#type, value).expect_err(r#type);
        }
    }
}
