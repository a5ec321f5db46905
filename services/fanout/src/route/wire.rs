//! Values of events as values of notifications, and as text.

use std::borrow::Cow;
use std::fmt::Write as _;

use fanfare_event::{Kind, Timestamp, Value};
use fanfare_signalr::Value as Wire;

/// The value with its type, borrowed from the event.
pub(super) fn value<'e>(value: &'e Value, kind: &Kind) -> Wire<'e> {
    match value {
        Value::Null => Wire::Null,
        Value::Bool(value) => Wire::Bool(*value),
        Value::Int(value) if is_timestamp(kind) => Wire::timestamp_millis(*value),
        Value::Int(value) => Wire::Int(*value),
        Value::Float(value) => Wire::Float(*value),
        Value::String(text) => Wire::String(Cow::Borrowed(text)),
        Value::Bytes(bytes) => Wire::Binary(Cow::Borrowed(bytes)),
        Value::List(items) => {
            let kind = item_kind(kind);
            Wire::Array(items.iter().map(|item| self::value(item, kind)).collect())
        }
        Value::Record(entries) => {
            let entries = entries.iter().enumerate();
            Wire::Map(
                entries
                    .map(|(at, (key, item))| (Cow::Borrowed(&**key), self::value(item, entry_kind(kind, at))))
                    .collect(),
            )
        }
    }
}

fn is_timestamp(kind: &Kind) -> bool {
    match kind {
        Kind::Timestamp => true,
        Kind::Nullable(kind) => is_timestamp(kind),
        _ => false,
    }
}

fn item_kind(kind: &Kind) -> &Kind {
    match kind {
        Kind::Array(kind) | Kind::Map(kind) => kind,
        Kind::Nullable(kind) => item_kind(kind),
        other => other,
    }
}

fn entry_kind(kind: &Kind, at: usize) -> &Kind {
    match kind {
        Kind::Record(fields) => fields.get(at).map_or(kind, |field| &field.kind),
        Kind::Nullable(kind) => entry_kind(kind, at),
        other => item_kind(other),
    }
}

/// Adds the value as people read it; says whether there was one.
pub(super) fn render(value: &Value, kind: &Kind, out: &mut String) -> bool {
    // Writing to a string never fails.
    let _ = match value {
        Value::Null => return false,
        Value::Bool(value) => write!(out, "{value}"),
        Value::Int(value) if is_timestamp(kind) => write!(out, "{}", Timestamp(*value)),
        Value::Int(value) => write!(out, "{value}"),
        Value::Float(value) => write!(out, "{value}"),
        Value::String(text) => out.write_str(text),
        Value::List(items) => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                render(item, item_kind(kind), out);
            }
            Ok(())
        }
        // Refused when the route was compiled.
        Value::Bytes(_) | Value::Record(_) => return false,
    };
    true
}

/// Whether values of this kind can stand inside text.
pub(super) fn is_readable(kind: &Kind) -> bool {
    match kind {
        Kind::Bytes | Kind::Fixed(_) | Kind::Map(_) | Kind::Record(_) => false,
        Kind::Array(kind) | Kind::Nullable(kind) => is_readable(kind),
        _ => true,
    }
}
