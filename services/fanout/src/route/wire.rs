//! Converts values of events to values of notifications, and to text.

use std::borrow::Cow;
use std::fmt::Write as _;

use fanfare_event::{Kind, Value};
use fanfare_signalr::Value as Wire;

/// How a hub sends dates and times where MessagePack has a type for them; in JSON they are ISO 8601 text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Times {
    /// As timestamps, which is what ASP.NET sends.
    #[default]
    Timestamps,
    /// As ISO 8601 text there too.
    Text,
}

/// The value with its type, borrowed from the event.
pub(super) fn value<'e>(value: &'e Value, kind: &Kind, times: Times) -> Wire<'e> {
    match value {
        Value::Null => Wire::Null,
        Value::Bool(value) => Wire::Bool(*value),
        Value::Int(value) => whole(*value, kind.of_value(&Value::Int(*value)), times),
        Value::Float(value) => Wire::Float(*value),
        Value::String(text) => Wire::String(Cow::Borrowed(text)),
        Value::Bytes(bytes) => Wire::Binary(Cow::Borrowed(bytes)),
        Value::List(items) => {
            let kind = kind.of_value(value).item();
            Wire::Array(items.iter().map(|item| self::value(item, kind, times)).collect())
        }
        Value::Record(entries) => {
            let kind = kind.of_value(value);
            let entries = entries.iter().enumerate();
            Wire::Map(
                entries
                    .map(|(at, (key, item))| (Cow::Borrowed(&**key), self::value(item, kind.entry(at), times)))
                    .collect(),
            )
        }
    }
}

/// The same without the fields of records that are null.
pub(super) fn compact<'e>(value: &'e Value, kind: &Kind, times: Times) -> Wire<'e> {
    match (value, kind.of_value(value)) {
        (Value::List(items), kind) => Wire::Array(items.iter().map(|item| compact(item, kind.item(), times)).collect()),
        (Value::Record(entries), kind) => {
            // A null in a map was set on purpose.
            let said = |value: &Value| !value.is_null() || !matches!(kind, Kind::Record(_));
            let entries = entries.iter().enumerate().filter(|(_, (_, value))| said(value));
            Wire::Map(
                entries
                    .map(|(at, (key, item))| (Cow::Borrowed(&**key), compact(item, kind.entry(at), times)))
                    .collect(),
            )
        }
        (value, kind) => self::value(value, kind, times),
    }
}

/// A whole number, or the date or time that it counts.
pub(super) fn whole(count: i64, kind: &Kind, times: Times) -> Wire<'static> {
    let text = || kind.time_text(count).map_or(Wire::Int(count), |text| Wire::String(Cow::Owned(text)));
    match (kind, times) {
        (Kind::Timestamp(unit), Times::Timestamps) => {
            let (seconds, nanoseconds) = unit.split(count);
            Wire::Timestamp { seconds, nanoseconds }
        }
        (Kind::LocalTimestamp(unit), Times::Timestamps) => {
            let (seconds, nanoseconds) = unit.split(count);
            Wire::Local { seconds, nanoseconds }
        }
        (Kind::Date, Times::Timestamps) => Wire::Date { days: count },
        _ => text(),
    }
}

/// Adds the value as people read it; says whether there was one.
pub(super) fn render(value: &Value, kind: &Kind, out: &mut String) -> bool {
    // Writing to a string never fails.
    let _ = match value {
        Value::Null => return false,
        Value::Bool(value) => write!(out, "{value}"),
        Value::Int(count) => match kind.of_value(value).time_text(*count) {
            Some(text) => out.write_str(&text),
            None => write!(out, "{count}"),
        },
        Value::Float(value) => write!(out, "{value}"),
        Value::String(text) => out.write_str(text),
        Value::List(items) => {
            let kind = kind.of_value(value).item();
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                render(item, kind, out);
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
        Kind::Bytes | Kind::Fixed(_) | Kind::Map(_) | Kind::Record(_) | Kind::Json => false,
        Kind::Array(kind) | Kind::Nullable(kind) => is_readable(kind),
        Kind::Union(kinds) => kinds.iter().all(is_readable),
        _ => true,
    }
}
