//! Text that contains arbitrary JSON.

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::reader::BadBytes;
use crate::Value;

/// Parses a text into values, in the text's order, and counts them.
pub(super) fn read(text: &str, values: usize, levels: usize) -> Result<(Value, usize), BadBytes> {
    let mut left = Left { values, levels, bound: None };
    let mut json = serde_json::Deserializer::from_str(text);
    let value = Reader(&mut left).deserialize(&mut json).and_then(|value| json.end().map(|()| value));
    match (value, left.bound) {
        (Ok(value), _) => Ok((value, values - left.values)),
        (Err(_), Some(bound)) => Err(bound),
        (Err(error), None) => Err(BadBytes::NoJson { line: error.line(), column: error.column() }),
    }
}

/// How much may still be read, and which bound was reached.
struct Left {
    values: usize,
    levels: usize,
    bound: Option<BadBytes>,
}

struct Reader<'l>(&'l mut Left);

impl Reader<'_> {
    fn spend<E: serde::de::Error>(&mut self) -> Result<(), E> {
        let left = self.0.values.checked_sub(1);
        self.0.values = left.ok_or_else(|| self.met(BadBytes::TooManyValues))?;
        Ok(())
    }

    fn descend<E: serde::de::Error>(&mut self) -> Result<(), E> {
        let left = self.0.levels.checked_sub(1);
        self.0.levels = left.ok_or_else(|| self.met(BadBytes::TooDeep))?;
        Ok(())
    }

    fn met<E: serde::de::Error>(&mut self, bound: BadBytes) -> E {
        self.0.bound = Some(bound);
        E::custom("a bound")
    }
}

impl<'de> DeserializeSeed<'de> for Reader<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<Value, D::Error> {
        self.spend()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reader<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        self.descend()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Reader(self.0))? {
            list.push(item);
        }
        self.0.levels += 1;
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut entries: A) -> Result<Value, A::Error> {
        self.descend()?;
        let mut read: Vec<(Arc<str>, Value)> = Vec::new();
        while let Some(key) = entries.next_key::<std::borrow::Cow<'de, str>>()? {
            let value = entries.next_value_seed(Reader(self.0))?;
            read.push((key.as_ref().into(), value));
        }
        self.0.levels += 1;
        let mut keys: Vec<&str> = read.iter().map(|(key, _)| &**key).collect();
        keys.sort_unstable();
        if keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(A::Error::custom("a duplicate key"));
        }
        Ok(Value::Record(read))
    }
}
