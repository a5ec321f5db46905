//! Patterns over event types.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::TypeName;
use crate::type_name::{is_service, shortened};

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
    /// Checks a text and converts it into a pattern.
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

    /// Whether the pattern matches an event type.
    pub fn matches(&self, name: &TypeName) -> bool {
        match &self.0 {
            Pattern::All => true,
            Pattern::Service(service) => name.service() == &**service,
            Pattern::One(one) => one == name,
        }
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

impl std::str::FromStr for TypePattern {
    type Err = TypePatternError;

    fn from_str(text: &str) -> Result<Self, TypePatternError> {
        Self::parse(text)
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
    fn patterns_cover_all_a_service_or_one() {
        let toggled = TypeName::parse("license.FlagToggled").unwrap();
        let other = TypeName::parse("licenses.FlagToggled").unwrap();
        for (pattern, covers, covers_other) in [
            ("*", true, true),
            ("license.*", true, false),
            ("license.FlagToggled", true, false),
            ("license.FlagRemoved", false, false),
            ("auth.*", false, false),
        ] {
            let parsed = TypePattern::parse(pattern).unwrap();
            assert_eq!(parsed.to_string(), pattern);
            assert_eq!((parsed.matches(&toggled), parsed.matches(&other)), (covers, covers_other), "{pattern}");
        }
    }

    #[test]
    fn other_texts_are_no_patterns() {
        for text in ["", "**", "*.*", "license.Flag*", "lic*", ".*", "a.b.*", "*.Alert"] {
            assert!(TypePattern::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn serde_checks_too() {
        let pattern: TypePattern = serde_json::from_str("\"a.*\"").unwrap();
        assert_eq!(serde_json::to_string(&pattern).unwrap(), "\"a.*\"");
        assert!(serde_json::from_str::<TypePattern>("\"a*\"").is_err());
    }
}
