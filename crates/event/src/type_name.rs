//! Names of event types, and patterns over them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

const MAX_PART: usize = 64;

/// The name of an event type: `{service}.{Event}`, for example `license.FlagToggled`.
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
    /// Checks a text and makes it a type name.
    pub fn parse(text: &str) -> Result<Self, TypeNameError> {
        match text.split_once('.') {
            Some((service, event)) if is_service(service) && is_event(event) => {
                Ok(Self { text: text.into(), dot: service.len() })
            }
            _ => Err(TypeNameError { found: shortened(text) }),
        }
    }

    /// The service that publishes the event: what is before the dot.
    pub fn service(&self) -> &str {
        &self.text[..self.dot]
    }

    /// The event: what is after the dot.
    pub fn event(&self) -> &str {
        &self.text[self.dot + 1..]
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

fn is_service(part: &str) -> bool {
    part.len() <= MAX_PART
        && part.starts_with(|c: char| c.is_ascii_alphanumeric())
        && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

/// Whether a text can be the name of an event, which is the name of an Avro record.
fn is_event(part: &str) -> bool {
    part.len() <= MAX_PART
        && part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn shortened(text: &str) -> String {
    text.chars().take(2 * MAX_PART).collect()
}

/// A set of event types: `*` (all), `license.*` (all of one service), `auth.UserLoggedOut` (one).
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TypePattern(Pattern);

#[derive(Clone, PartialEq, Eq, Hash)]
enum Pattern {
    All,
    Service(Arc<str>),
    One(TypeName),
}

/// A text that is not a [`TypePattern`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not a pattern of the form `*`, `service.*` or `service.Event`: {found:?}")]
pub struct TypePatternError {
    /// The text, cut to a readable length.
    pub found: String,
}

impl TypePattern {
    /// Checks a text and makes it a pattern.
    pub fn parse(text: &str) -> Result<Self, TypePatternError> {
        let error = || TypePatternError { found: shortened(text) };
        if text == "*" {
            return Ok(Self(Pattern::All));
        }
        match text.strip_suffix(".*") {
            Some(service) if is_service(service) => Ok(Self(Pattern::Service(service.into()))),
            Some(_) => Err(error()),
            None => TypeName::parse(text).map(|name| Self(Pattern::One(name))).map_err(|_| error()),
        }
    }

    /// Whether the pattern covers an event type.
    pub fn matches(&self, name: &TypeName) -> bool {
        match &self.0 {
            Pattern::All => true,
            Pattern::Service(service) => name.service() == &**service,
            Pattern::One(one) => one == name,
        }
    }
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

impl fmt::Display for TypePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::All => f.write_str("*"),
            Pattern::Service(service) => write!(f, "{service}.*"),
            Pattern::One(name) => fmt::Display::fmt(name, f),
        }
    }
}

impl fmt::Debug for TypePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl std::str::FromStr for TypeName {
    type Err = TypeNameError;

    fn from_str(text: &str) -> Result<Self, TypeNameError> {
        Self::parse(text)
    }
}

impl std::str::FromStr for TypePattern {
    type Err = TypePatternError;

    fn from_str(text: &str) -> Result<Self, TypePatternError> {
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

impl Serialize for TypePattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TypePattern {
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
        for text in
            ["", ".", "license", "license.", ".Flag", "a.b.c", "a.*", "*", "a b.C", "a.C-D", "a.1C", "ä.C", &long]
        {
            assert!(TypeName::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn patterns_cover_all_a_service_or_one() {
        let toggled = TypeName::parse("license.FlagToggled").unwrap();
        let other = TypeName::parse("licenses.FlagToggled").unwrap();
        for (pattern, covers, covers_other) in [
            ("*", true, true),
            ("license.*", true, false),
            ("license.FlagToggled", true, false),
            ("auth.*", false, false),
        ] {
            let parsed = TypePattern::parse(pattern).unwrap();
            assert_eq!(parsed.to_string(), pattern);
            assert_eq!((parsed.matches(&toggled), parsed.matches(&other)), (covers, covers_other), "{pattern}");
        }
        for text in ["", "**", "*.*", "license.Flag*", "lic*", ".*", "a.b.*", "*.Alert"] {
            assert!(TypePattern::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn serde_checks_too() {
        let name: TypeName = serde_json::from_str("\"a.B\"").unwrap();
        assert_eq!(serde_json::to_string(&name).unwrap(), "\"a.B\"");
        assert!(serde_json::from_str::<TypeName>("\"ab\"").is_err());
        let pattern: TypePattern = serde_json::from_str("\"a.*\"").unwrap();
        assert_eq!(serde_json::to_string(&pattern).unwrap(), "\"a.*\"");
        assert!(serde_json::from_str::<TypePattern>("\"a*\"").is_err());
    }
}
