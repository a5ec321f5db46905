//! Names of event types.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

const MAX_PART: usize = 64;

/// The name of an event type: `{service}.{Event}`, for example `license.FlagToggled`.
///
/// A service has letters, digits, `-` and `_` and starts with a letter or digit; an event is named like an Avro record.
/// Each has at most 64 characters.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TypeName {
    text: Arc<str>,
    dot: usize,
}

/// A text that is not a [`TypeName`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a type name of the form `service.Event` such as `license.FlagToggled`: {found:?}")]
pub struct TypeNameError {
    /// The text, cut to a readable length.
    pub found: String,
}

impl TypeName {
    /// Checks a text and converts it into a type name.
    pub fn parse(text: &str) -> Result<Self, TypeNameError> {
        match text.split_once('.') {
            Some((service, event)) if is_service(service) && is_event(event) => {
                Ok(Self { text: text.into(), dot: service.len() })
            }
            _ => Err(TypeNameError { found: shortened(text) }),
        }
    }

    /// The service that publishes the event: the part before the dot.
    pub fn service(&self) -> &str {
        &self.text[..self.dot]
    }

    /// The event: the part after the dot.
    pub fn event(&self) -> &str {
        &self.text[self.dot + 1..]
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

pub(crate) fn is_service(part: &str) -> bool {
    part.len() <= MAX_PART
        && part.starts_with(|c: char| c.is_ascii_alphanumeric())
        && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

fn is_event(part: &str) -> bool {
    part.len() <= MAX_PART
        && part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The part of a faulty text that an error repeats.
pub(crate) fn shortened(text: &str) -> String {
    text.chars().take(2 * MAX_PART).collect()
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl std::str::FromStr for TypeName {
    type Err = TypeNameError;

    fn from_str(text: &str) -> Result<Self, TypeNameError> {
        Self::parse(text)
    }
}

impl Serialize for TypeName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for TypeName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_a_service_and_an_event() {
        let name = TypeName::parse("license.FlagToggled").unwrap();
        assert_eq!((name.service(), name.event()), ("license", "FlagToggled"));
        assert_eq!(name.to_string(), "license.FlagToggled");
    }

    #[test]
    fn other_texts_are_no_names() {
        let long = format!("a.{}", "B".repeat(65));
        for text in [
            "", ".", "license", "license.", ".Flag", "a.b.c", "a.*", "*", "a b.C", "a.C-D", "a.1C", "ä.C", "-a.B",
            &long,
        ] {
            assert!(TypeName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn serde_checks_too() {
        let name: TypeName = serde_json::from_str("\"a.B\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"a.B\"");
        assert!(serde_json::from_str::<TypeName>("\"ab\"").is_err());
    }
}
