//! Conversions between values and the types of Rust, serde and `serde_json`.

use std::borrow::Cow;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};

use super::Value;
use crate::timestamp::{Form, Iso8601};

macro_rules! from_small_integers {
    ($($integer:ty),+) => {
        $(impl From<$integer> for Value<'_> {
            fn from(int: $integer) -> Self {
                Self::Int(i64::from(int))
            }
        })+
    };
}

from_small_integers!(i8, i16, i32, i64, u8, u16, u32);

impl From<u64> for Value<'_> {
    fn from(int: u64) -> Self {
        i64::try_from(int).map_or(Self::UInt(int), Self::Int)
    }
}

impl From<f64> for Value<'_> {
    fn from(float: f64) -> Self {
        Self::Float(float)
    }
}

impl From<bool> for Value<'_> {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::String(Cow::Borrowed(text))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::String(Cow::Owned(text))
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self::String(text)
    }
}

impl<'a> From<Vec<Value<'a>>> for Value<'a> {
    fn from(items: Vec<Value<'a>>) -> Self {
        Self::Array(items)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<'a> From<&'a serde_json::Value> for Value<'a> {
    fn from(value: &'a serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match value {
            Json::Null => Self::Null,
            Json::Bool(bool) => Self::Bool(*bool),
            Json::Number(number) => from_number(number),
            Json::String(text) => Self::from(text.as_str()),
            Json::Array(items) => Self::Array(items.iter().map(Self::from).collect()),
            Json::Object(entries) => {
                Self::Map(entries.iter().map(|(key, value)| (Cow::Borrowed(key.as_str()), value.into())).collect())
            }
        }
    }
}

impl From<serde_json::Value> for Value<'static> {
    fn from(value: serde_json::Value) -> Self {
        Value::from(&value).into_owned()
    }
}

fn from_number<'a>(number: &serde_json::Number) -> Value<'a> {
    if let Some(int) = number.as_i64() {
        Value::Int(int)
    } else if let Some(int) = number.as_u64() {
        Value::UInt(int)
    } else {
        number.as_f64().map_or(Value::Null, Value::Float)
    }
}

/// The value's JSON form: bytes as base64, timestamps as ISO 8601.
impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(bool) => serializer.serialize_bool(*bool),
            Self::Int(int) => serializer.serialize_i64(*int),
            Self::UInt(int) => serializer.serialize_u64(*int),
            Self::Float(float) => serializer.serialize_f64(*float),
            Self::String(text) => serializer.serialize_str(text),
            Self::Binary(bytes) => serializer.collect_str(&Base64Display::new(bytes, &STANDARD)),
            Self::Timestamp { seconds, nanoseconds } => {
                serializer.collect_str(&Iso8601 { seconds: *seconds, nanoseconds: *nanoseconds, form: Form::Utc })
            }
            Self::Local { seconds, nanoseconds } => {
                serializer.collect_str(&Iso8601 { seconds: *seconds, nanoseconds: *nanoseconds, form: Form::Local })
            }
            Self::Date { days } => serializer.collect_str(&Iso8601::date(*days)),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Map(entries) => serializer.collect_map(entries.iter().map(|(key, value)| (key, value))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_their_one_form() {
        assert_eq!(Value::from(5_u64), Value::Int(5));
        assert_eq!(Value::from(u64::MAX), Value::UInt(u64::MAX));
        assert_eq!(Value::from(&serde_json::json!(u64::MAX)), Value::UInt(u64::MAX));
        assert_eq!(Value::from(&serde_json::json!(-1)), Value::Int(-1));
        assert_eq!(Value::from(&serde_json::json!(1.5)), Value::Float(1.5));
    }

    #[test]
    fn json_and_back() {
        let json = serde_json::json!({"a": [1, null, true, "x"], "b": {"c": 0.25}});
        assert_eq!(serde_json::to_value(Value::from(&json)).unwrap(), json);
        assert_eq!(Value::from(json.clone()), Value::from(&json));
    }

    #[test]
    fn what_json_lacks_becomes_text() {
        let value = Value::map([
            ("bytes", Value::binary(&[1_u8, 2, 3][..])),
            ("time", Value::Timestamp { seconds: 1_491_868_800, nanoseconds: 0 }),
        ]);
        let json = serde_json::json!({"bytes": "AQID", "time": "2017-04-11T00:00:00Z"});
        assert_eq!(serde_json::to_value(value).unwrap(), json);
    }
}
