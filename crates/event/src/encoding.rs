//! Values to bytes: the single-object encoding of Avro.

use thiserror::Error;

use crate::schema::{Layout, RecordLayout};
use crate::{Schema, Value};

/// The first two bytes of the single-object encoding.
pub(crate) const MARKER: [u8; 2] = [0xC3, 0x01];
/// The length of the marker and the fingerprint.
pub(crate) const HEADER: usize = 10;

/// A value of another type than the schema has there. What JSON is read as never is one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("a value that is no {0}")]
pub(crate) struct Misfit(&'static str);

/// Encodes the values of a record, which must be in the field order of that very schema.
pub(crate) fn encode(schema: &Schema, values: &[Value]) -> Result<Vec<u8>, Misfit> {
    let mut body = Vec::with_capacity(128);
    body.extend(MARKER);
    body.extend(schema.fingerprint.to_le_bytes());
    record(&mut body, &schema.layout, values.iter())?;
    Ok(body)
}

fn record<'a>(
    out: &mut Vec<u8>,
    layout: &RecordLayout,
    values: impl ExactSizeIterator<Item = &'a Value>,
) -> Result<(), Misfit> {
    if values.len() != layout.len() {
        return Err(Misfit("record of as many fields"));
    }
    layout.iter().zip(values).try_for_each(|((_, layout), value)| write(out, layout, value))
}

fn write(out: &mut Vec<u8>, layout: &Layout, value: &Value) -> Result<(), Misfit> {
    match (layout, value) {
        (Layout::Nullable { null_first, .. }, Value::Null) => out.push(branch(!null_first)),
        (Layout::Nullable { null_first, value: layout }, value) => {
            out.push(branch(*null_first));
            write(out, layout, value)?;
        }
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
        (Layout::Enum(symbols), Value::String(text)) => match symbols.iter().position(|symbol| symbol == text) {
            Some(position) => length(out, position),
            None => return Err(Misfit("symbol of the enum")),
        },
        (Layout::Array(layout), Value::List(items)) => block(out, items, |out, item| write(out, layout, item))?,
        (Layout::Map(layout), Value::Record(entries)) => block(out, entries, |out, (key, value)| {
            bytes(out, key.as_bytes());
            write(out, layout, value)
        })?,
        (Layout::Record(fields), Value::Record(entries)) => {
            record(out, fields, entries.iter().map(|(_, value)| value))?;
        }
        (layout, _) => return Err(Misfit(name(layout))),
    }
    Ok(())
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
        Layout::Boolean => "boolean",
        Layout::Int => "int",
        Layout::Long => "long",
        Layout::Float => "float",
        Layout::Double => "double",
        Layout::String => "string",
        Layout::Bytes => "bytes",
        Layout::Fixed(_) => "fixed of that size",
        Layout::Enum(_) => "enum",
        Layout::Array(_) => "array",
        Layout::Map(_) => "map",
        Layout::Record(_) => "record",
        Layout::Nullable { .. } => "union",
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
        let body = encode(registry.event_type("a.Changed").unwrap().newest(), &[value])?;
        Ok(body[HEADER..].to_vec())
    }

    #[test]
    fn values_are_written_as_the_specification_says() {
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
