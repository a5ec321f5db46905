//! The kinds of fields.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use super::Field;
use crate::Value;

/// The kind of a field's value.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// Only null.
    Null,
    /// `true` or `false`.
    Boolean,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A floating-point number of 32 bits.
    Float,
    /// A floating-point number of 64 bits.
    Double,
    /// Text.
    String,
    /// Bytes; in published JSON `{"base64": "..."}`, or a string whose characters U+0000 to U+00FF are one byte each,
    /// as Avro defines it.
    Bytes,
    /// Bytes of a fixed length.
    Fixed(usize),
    /// An exact number, as text (`decimal`, `big-decimal`).
    Decimal {
        /// The number of digits after the point; without it each value has its own.
        scale: Option<u32>,
    },
    /// A UUID that is written as 16 bytes, as text.
    Uuid,
    /// Months, days and milliseconds, as the text of an ISO 8601 duration (`duration`).
    Duration,
    /// A point in time (`timestamp-millis` and its finer kin), counted from 1970.
    Timestamp(Unit),
    /// A date with a time of day, wherever that is (`local-timestamp-millis` and its finer kin).
    LocalTimestamp(Unit),
    /// A day, counted from 1970-01-01 (`date`).
    Date,
    /// A time of day, counted from midnight (`time-millis`, `time-micros`).
    TimeOfDay(Unit),
    /// Any JSON, written as text (`"fanfare.json": true` of the field).
    Json,
    /// One of these symbols.
    Enum(Symbols),
    /// A list.
    Array(Box<Kind>),
    /// Values by name.
    Map(Box<Kind>),
    /// A nested record.
    Record(Fields),
    /// One of these kinds; the value alone determines which.
    Union(Arc<[Kind]>),
    /// An item of a list or a map that may be null; for a field, [`Field::nullable`] does this.
    Nullable(Box<Kind>),
}

/// The unit of a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Thousandths of a second.
    Millis,
    /// Millionths of a second.
    Micros,
    /// Thousand-millionths of a second.
    Nanos,
}

impl Unit {
    /// The number of units in a second.
    #[must_use]
    pub fn per_second(self) -> i64 {
        match self {
            Self::Millis => 1_000,
            Self::Micros => 1_000_000,
            Self::Nanos => 1_000_000_000,
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Millis => "milliseconds",
            Self::Micros => "microseconds",
            Self::Nanos => "nanoseconds",
        })
    }
}

/// The symbols of an enum, in their order.
#[derive(Debug, Clone, PartialEq)]
pub struct Symbols(Arc<Enumeration>);

#[derive(Debug, PartialEq)]
struct Enumeration {
    /// Its name and its aliases, without their namespaces.
    names: Vec<Arc<str>>,
    symbols: Vec<Arc<str>>,
    default: Option<Arc<str>>,
}

impl Symbols {
    pub(super) fn new(names: Vec<Arc<str>>, symbols: Vec<Arc<str>>, default: Option<Arc<str>>) -> Self {
        Self(Arc::new(Enumeration { names, symbols, default }))
    }

    /// The replacement for a symbol of another version that is not among these.
    #[must_use]
    pub fn default(&self) -> Option<&Arc<str>> {
        self.0.default.as_ref()
    }

    /// Whether the enum, or an alias of it, has this name, in any namespace.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.0.names.iter().any(|known| &**known == name)
    }
}

impl Deref for Symbols {
    type Target = [Arc<str>];

    fn deref(&self) -> &[Arc<str>] {
        &self.0.symbols
    }
}

/// The fields of a nested record.
///
/// A record that contains itself has these fields again. Such a schema is never freed: the schemas of a registry live
/// as long as the readers of events.
#[derive(Clone)]
pub struct Fields(Arc<Nested>);

struct Nested {
    /// Its name and its aliases, without their namespaces.
    names: Vec<Arc<str>>,
    /// Empty only while the record itself is being read.
    fields: OnceLock<Vec<Field>>,
}

impl Fields {
    /// Fields that have not been read yet.
    pub(super) fn open(names: Vec<Arc<str>>) -> Self {
        Self(Arc::new(Nested { names, fields: OnceLock::new() }))
    }

    /// Sets the fields, once.
    pub(super) fn close(&self, fields: Vec<Field>) {
        // The code that opened the record closes it, so this is the first call.
        let _ = self.0.fields.set(fields);
    }

    /// Whether the record, or an alias of it, has this name, in any namespace.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.0.names.iter().any(|known| &**known == name)
    }

    /// The identity of these fields.
    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(&self.0) as usize
    }
}

impl Deref for Fields {
    type Target = [Field];

    fn deref(&self) -> &[Field] {
        self.0.fields.get().map_or(&[], Vec::as_slice)
    }
}

/// Only the names of the fields: a record that contains itself has no end.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter().map(|field| &field.name)).finish()
    }
}

/// Records of the same name with fields of the same names.
impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.0.names.first() == other.0.names.first()
            && self.iter().map(|field| &field.name).eq(other.iter().map(|field| &field.name))
    }
}

impl Kind {
    /// The kind of a value, if this is one of several kinds.
    #[must_use]
    pub fn of_value(&self, value: &Value) -> &Self {
        match self {
            Self::Nullable(kind) => kind.of_value(value),
            Self::Union(kinds) => kinds.iter().find(|kind| kind.may_hold(value)).unwrap_or(self),
            kind => kind,
        }
    }

    /// The kind of the contents of a list, a map or free JSON; this kind itself for any other.
    #[must_use]
    pub fn item(&self) -> &Self {
        match self {
            Self::Array(kind) | Self::Map(kind) => kind,
            kind => kind,
        }
    }

    /// The kind of the entry at a position of a record, or of any entry of a map.
    #[must_use]
    pub fn entry(&self, at: usize) -> &Self {
        match self {
            Self::Record(fields) => fields.get(at).map_or(self, |field| &field.kind),
            kind => kind.item(),
        }
    }

    /// Whether this is a date or a time.
    pub(crate) fn is_time(&self) -> bool {
        matches!(self, Self::Timestamp(_) | Self::LocalTimestamp(_) | Self::Date | Self::TimeOfDay(_))
    }

    fn may_hold(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Json, _) | (Self::Boolean, Value::Bool(_)) => true,
            (Self::Int | Self::Long, Value::Int(_)) => true,
            (kind, Value::Int(_)) => kind.is_time(),
            (Self::Float | Self::Double, Value::Float(_)) => true,
            (Self::String | Self::Enum(_) | Self::Decimal { .. } | Self::Uuid | Self::Duration, Value::String(_)) => {
                true
            }
            (Self::Bytes | Self::Fixed(_), Value::Bytes(_)) => true,
            (Self::Array(_), Value::List(_)) | (Self::Map(_), Value::Record(_)) => true,
            (Self::Record(fields), Value::Record(entries)) => {
                fields.iter().map(|field| &field.name).eq(entries.iter().map(|(name, _)| name))
            }
            _ => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean => f.write_str("boolean"),
            Self::Int => f.write_str("int"),
            Self::Long => f.write_str("long"),
            Self::Float => f.write_str("float"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Fixed(size) => write!(f, "fixed of {size} bytes"),
            Self::Decimal { scale: Some(0) } => {
                f.write_str("decimal without a fraction (text such as 12, or a number)")
            }
            Self::Decimal { scale: Some(scale) } => {
                write!(f, "decimal of at most {scale} digits after the point (text such as 12.5, or a number)")
            }
            Self::Decimal { scale: None } => f.write_str("decimal (text such as 12.34, or a number)"),
            Self::Uuid => f.write_str("uuid (text such as 067e6162-3b6f-4ae2-a171-2470b63dff00)"),
            Self::Duration => f.write_str("duration (ISO 8601 text such as P1M2DT3.5S)"),
            Self::Timestamp(unit) => write!(f, "timestamp (RFC 3339 text or {unit})"),
            Self::LocalTimestamp(unit) => {
                write!(f, "local timestamp (ISO 8601 text without an offset, such as 2026-01-02T03:04:05, or {unit})")
            }
            Self::Date => f.write_str("date (text such as 2026-01-02, or days)"),
            Self::TimeOfDay(unit) => write!(f, "time of day (text such as 03:04:05.678, or {unit})"),
            Self::Json => f.write_str("any JSON"),
            Self::Enum(symbols) => write!(f, "one of {}", symbols.join(", ")),
            Self::Array(items) => write!(f, "array of {items}"),
            Self::Map(values) => write!(f, "map of {values}"),
            Self::Record(fields) => {
                f.write_str("record of ")?;
                for (index, field) in fields.iter().enumerate() {
                    write!(f, "{}{}", if index == 0 { "" } else { ", " }, field.name)?;
                }
                if fields.is_empty() { f.write_str("no fields") } else { Ok(()) }
            }
            Self::Union(kinds) => {
                for (index, kind) in kinds.iter().enumerate() {
                    write!(f, "{}{kind}", if index == 0 { "" } else { " or " })?;
                }
                Ok(())
            }
            Self::Nullable(kind) => write!(f, "{kind} or null"),
        }
    }
}
