//! JSON from text: stricter than JSON itself where a reader would have to choose, or could not stop.

use std::cell::RefCell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use thiserror::Error;

/// The largest nesting depth of objects and arrays.
const MOST_LEVELS: usize = 100;

/// How much of a key an error repeats.
const MOST_NAME: usize = 64;

/// Why a text is refused as JSON.
#[derive(Debug, Error)]
pub enum BadJson {
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    Syntax(#[from] serde_json::Error),
    /// An object has a key twice, and JSON parsers do not agree on which value counts.
    #[error("the key `{key}` is duplicated")]
    Twice {
        /// The path of the key.
        key: String,
    },
    /// It is nested too deeply.
    #[error("it is nested deeper than {MOST_LEVELS} levels")]
    TooDeep,
}

/// Parses JSON whose objects have unique keys, and whose nesting is bounded.
///
/// # Errors
/// [`BadJson`], with the path of a duplicate key.
pub fn parse(text: &[u8]) -> Result<Value, BadJson> {
    let seen = Seen::default();
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = Level { seen: &seen, depth: 0 }.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    read.map_err(|error| seen.fault.take().unwrap_or(BadJson::Syntax(error)))
}

/// The parser's place, and what is wrong there.
#[derive(Default)]
struct Seen {
    path: RefCell<Vec<Segment>>,
    fault: RefCell<Option<BadJson>>,
}

enum Segment {
    Key(String),
    Index(usize),
}

impl Seen {
    fn within<T>(&self, segment: Segment, read: impl FnOnce() -> T) -> T {
        self.path.borrow_mut().push(segment);
        let read = read();
        self.path.borrow_mut().pop();
        read
    }

    fn wrong<E: serde::de::Error>(&self, fault: BadJson) -> E {
        let told = E::custom(&fault);
        *self.fault.borrow_mut() = Some(fault);
        told
    }

    /// The path of a key of the current object.
    fn path_to(&self, key: &str) -> String {
        let mut told = String::new();
        let shown = |key: &str| key.chars().take(MOST_NAME).collect::<String>();
        for segment in self.path.borrow().iter() {
            match segment {
                Segment::Key(key) if told.is_empty() => told = shown(key),
                Segment::Key(key) => told.extend([".", &shown(key)]),
                Segment::Index(at) => told.push_str(&format!("[{at}]")),
            }
        }
        if told.is_empty() { shown(key) } else { format!("{told}.{}", shown(key)) }
    }
}

/// A value this many levels down.
#[derive(Clone, Copy)]
struct Level<'s> {
    seen: &'s Seen,
    depth: usize,
}

impl Level<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MOST_LEVELS {
            return Err(self.seen.wrong(BadJson::TooDeep));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Level<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Level<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let level = self.deeper()?;
        let mut read = Vec::new();
        loop {
            match self.seen.within(Segment::Index(read.len()), || items.next_element_seed(level))? {
                Some(item) => read.push(item),
                None => return Ok(Value::Array(read)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let level = self.deeper()?;
        let mut read = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if read.contains_key(&key) {
                let key = self.seen.path_to(&key);
                return Err(self.seen.wrong(BadJson::Twice { key }));
            }
            let value = self.seen.within(Segment::Key(key.clone()), || members.next_value_seed(level))?;
            read.insert(key, value);
        }
        Ok(Value::Object(read))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn refused(text: &str) -> String {
        parse(text.as_bytes()).expect_err(text).to_string()
    }

    #[test]
    fn a_key_that_is_there_twice_is_named_with_its_path() {
        for (text, told) in [
            (r#"{"a": 1, "a": 1}"#, "the key `a` is duplicated"),
            (r#"{"data": {"title": "x", "title": "y"}}"#, "the key `data.title` is duplicated"),
            (
                r#"[{"id": 1}, {"data": {"lines": [0, {"n": 1, "\u006e": 2}]}}]"#,
                "the key `[1].data.lines[1].n` is duplicated",
            ),
        ] {
            assert_eq!(refused(text), told);
        }
        assert_eq!(parse(br#"{"a": {"a": 1}, "b": {"a": 2}}"#).expect("sound"), json!({"a": {"a": 1}, "b": {"a": 2}}));
        let long = format!("{{\"{0}\": 1, \"{0}\": 2}}", "x".repeat(10_000));
        assert!(refused(&long).len() < 200);
    }

    #[test]
    fn nesting_has_an_end_which_is_named() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(nested(MOST_LEVELS).as_bytes()).is_ok());
        for levels in [MOST_LEVELS + 1, 128, 129, 1_000_000] {
            assert_eq!(refused(&nested(levels)), "it is nested deeper than 100 levels");
        }
        let objects = format!("{}1{}", "{\"a\":".repeat(5000), "}".repeat(5000));
        assert_eq!(refused(&objects), "it is nested deeper than 100 levels");
    }

    #[test]
    fn bad_json_is_reported_with_its_place() {
        for text in ["", "{", "{} {}", "[1,]", "nul", "\"\\x\""] {
            let told = refused(text);
            assert!(told.contains("not JSON") && told.contains("line 1 column"), "{told}");
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..8)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn all_else_is_read_as_ever(json in any_json()) {
            let text = json.to_string();
            let read: Value = serde_json::from_str(&text).expect("JSON");
            prop_assert_eq!(parse(text.as_bytes()).expect("the same"), read);
        }
    }
}
