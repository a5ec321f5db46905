//! Values that become an event, from JSON or from a client's call.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::Value as Json;

use crate::{Kind, Unit};

/// A value that becomes part of an event: JSON, and what clients send in other encodings.
#[derive(Debug, Clone, PartialEq)]
pub enum Input<'a> {
    /// Nothing.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A whole number above `i64::MAX`.
    UInt(u64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// A moment, counted from 1970-01-01T00:00:00Z.
    Moment {
        /// Whole seconds.
        seconds: i64,
        /// Nanoseconds that follow them.
        nanoseconds: u32,
    },
    /// Values in order.
    List(Vec<Input<'a>>),
    /// Named values.
    Object(Vec<(Cow<'a, str>, Input<'a>)>),
}

impl<'a> From<&'a Json> for Input<'a> {
    fn from(json: &'a Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(number), _) => Self::Int(number),
                (None, Some(number)) => Self::UInt(number),
                // Without the feature for numbers of any length, each other number is one of these.
                (None, None) => Self::Float(number.as_f64().unwrap_or(f64::NAN)),
            },
            Json::String(text) => Self::Text(Cow::Borrowed(text)),
            Json::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Json::Object(entries) => {
                Self::Object(entries.iter().map(|(key, value)| (Cow::Borrowed(&**key), value.into())).collect())
            }
        }
    }
}

impl From<Json> for Input<'static> {
    fn from(json: Json) -> Self {
        match json {
            Json::String(text) => Self::Text(Cow::Owned(text)),
            Json::Array(items) => Self::List(items.into_iter().map(Self::from).collect()),
            Json::Object(entries) => {
                Self::Object(entries.into_iter().map(|(key, value)| (Cow::Owned(key), value.into())).collect())
            }
            other => match Input::from(&other) {
                Input::Bool(value) => Self::Bool(value),
                Input::Int(number) => Self::Int(number),
                Input::UInt(number) => Self::UInt(number),
                Input::Float(number) => Self::Float(number),
                _ => Self::Null,
            },
        }
    }
}

impl Input<'_> {
    /// Its kind, as errors name it.
    #[must_use]
    pub fn article(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::UInt(_) => "a number",
            Self::Float(number) if number.is_nan() => "not-a-number (NaN)",
            Self::Float(number) if number.is_infinite() => "a number that is infinite",
            Self::Float(_) => "a number",
            Self::Text(_) => "a string",
            Self::Bytes(_) => "bytes",
            Self::Moment { .. } => "a timestamp",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// The text for bytes and moments where only JSON is allowed; none for any other value.
    pub(crate) fn as_text(&self) -> Option<Cow<'_, str>> {
        use base64::Engine as _;
        match self {
            Self::Text(text) => Some(Cow::Borrowed(text)),
            Self::Bytes(bytes) => Some(Cow::Owned(base64::engine::general_purpose::STANDARD.encode(bytes))),
            Self::Moment { seconds, nanoseconds } => {
                let unit = [Unit::Millis, Unit::Micros, Unit::Nanos]
                    .into_iter()
                    .find(|unit| i64::from(*nanoseconds) % (1_000_000_000 / unit.per_second()) == 0)?;
                let count = unit.of_nanoseconds(i128::from(*seconds) * 1_000_000_000 + i128::from(*nanoseconds))?;
                Kind::Timestamp(unit).time_text(count).map(Cow::Owned)
            }
            _ => None,
        }
    }
}

/// As JSON, with base64 for bytes and ISO 8601 text for moments.
impl Serialize for Input<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::UInt(number) => serializer.serialize_u64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(_) | Self::Bytes(_) | Self::Moment { .. } => match self.as_text() {
                Some(text) => serializer.serialize_str(&text),
                None => serializer.serialize_unit(),
            },
            Self::List(items) => serializer.collect_seq(items),
            Self::Object(entries) => {
                let mut map = serializer.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
        }
    }
}
