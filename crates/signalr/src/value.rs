//! The values of arguments, items and results.

mod convert;

use std::borrow::Cow;

use crate::timestamp::{Form, Iso8601};

/// A value that both JSON and MessagePack can express.
///
/// A whole number that fits an `i64` is always decoded as [`Value::Int`]; [`Value::UInt`] is only for larger ones. JSON
/// has no bytes and no timestamps: they become base64 and ISO 8601 text, and are decoded as text.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value<'a> {
    /// Nothing.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above `i64::MAX`.
    UInt(u64),
    /// Any other number. In JSON one that is not finite becomes null.
    Float(f64),
    /// Text.
    String(Cow<'a, str>),
    /// Bytes.
    Binary(Cow<'a, [u8]>),
    /// A moment, counted from 1970-01-01T00:00:00Z.
    Timestamp {
        /// Whole seconds, negative before 1970.
        seconds: i64,
        /// Nanoseconds that follow them, below 1,000,000,000.
        nanoseconds: u32,
    },
    /// A local clock's time, counted from 1970-01-01T00:00:00 there: ISO 8601 text without an offset in JSON.
    /// MessagePack has only moments, so it contains the clock's time as if that were UTC.
    Local {
        /// Whole seconds, negative before 1970.
        seconds: i64,
        /// Nanoseconds that follow them, below 1,000,000,000.
        nanoseconds: u32,
    },
    /// A day, counted from 1970-01-01: ISO 8601 text in JSON, its midnight in UTC in MessagePack.
    Date {
        /// Whole days, negative before 1970.
        days: i64,
    },
    /// Values in order.
    Array(Vec<Value<'a>>),
    /// Named values in order.
    Map(Vec<(Cow<'a, str>, Value<'a>)>),
}

impl<'a> Value<'a> {
    /// Bytes, borrowed or owned.
    pub fn binary(bytes: impl Into<Cow<'a, [u8]>>) -> Self {
        Self::Binary(bytes.into())
    }

    /// A map from names and values.
    pub fn map<K: Into<Cow<'a, str>>, V: Into<Self>>(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }

    /// A moment in milliseconds from 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn timestamp_millis(millis: i64) -> Self {
        // rem_euclid of 1000 is 0..=999, which fits.
        let nanoseconds = millis.rem_euclid(1000) as u32 * 1_000_000;
        Self::Timestamp { seconds: millis.div_euclid(1000), nanoseconds }
    }

    /// The ISO 8601 text of a moment, a date or a local time; none for any other value.
    #[must_use]
    pub fn iso_text(&self) -> Option<String> {
        Some(match *self {
            Self::Timestamp { seconds, nanoseconds } => Iso8601 { seconds, nanoseconds, form: Form::Utc }.to_string(),
            Self::Local { seconds, nanoseconds } => Iso8601 { seconds, nanoseconds, form: Form::Local }.to_string(),
            Self::Date { days } => Iso8601::date(days).to_string(),
            _ => return None,
        })
    }

    /// Copies borrowed data, so that the value can outlive its frame.
    #[must_use]
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(bool) => Value::Bool(bool),
            Self::Int(int) => Value::Int(int),
            Self::UInt(int) => Value::UInt(int),
            Self::Float(float) => Value::Float(float),
            Self::String(text) => Value::String(Cow::Owned(text.into_owned())),
            Self::Binary(bytes) => Value::Binary(Cow::Owned(bytes.into_owned())),
            Self::Timestamp { seconds, nanoseconds } => Value::Timestamp { seconds, nanoseconds },
            Self::Local { seconds, nanoseconds } => Value::Local { seconds, nanoseconds },
            Self::Date { days } => Value::Date { days },
            Self::Array(items) => Value::Array(items.into_iter().map(Value::into_owned).collect()),
            Self::Map(entries) => Value::Map(
                entries.into_iter().map(|(key, value)| (Cow::Owned(key.into_owned()), value.into_owned())).collect(),
            ),
        }
    }

    /// Whether it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The boolean, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(bool) => Some(*bool),
            _ => None,
        }
    }

    /// The whole number, if it is one that fits.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match self {
            Self::Int(int) => Some(*int),
            Self::UInt(int) => i64::try_from(*int).ok(),
            _ => None,
        }
    }

    /// The whole number, if it is one and not negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Int(int) => u64::try_from(*int).ok(),
            Self::UInt(int) => Some(*int),
            _ => None,
        }
    }

    /// The number, if it is one; large whole numbers are rounded.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(int) => Some(*int as f64),
            Self::UInt(int) => Some(*int as f64),
            Self::Float(float) => Some(*float),
            _ => None,
        }
    }

    /// The text, if it is text.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            _ => None,
        }
    }

    /// The bytes, if they are bytes.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The items, if it is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Value<'a>]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The entries, if it is a map.
    #[must_use]
    pub fn as_map(&self) -> Option<&[(Cow<'a, str>, Value<'a>)]> {
        match self {
            Self::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value with that key, if it is a map that has one; the last, if it has several.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value<'a>> {
        self.as_map()?.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value)
    }
}
