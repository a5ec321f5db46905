//! Ids of users, organisations and sessions.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

const MAX_LENGTH: usize = 128;

/// The id of a user, an organisation or a session.
///
/// The alphabet keeps an id harmless wherever it ends up: in a group, a subject of the broker, a header or a log line.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(Arc<str>);

/// Why a text is not an [`Id`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdError {
    /// The text is empty.
    #[error("an id must not be empty")]
    Empty,
    /// The text is longer than an id may be.
    #[error("an id has at most {MAX_LENGTH} characters")]
    TooLong,
    /// The text holds a character that an id may not have there.
    #[error(
        "an id has letters, digits, `.`, `_`, `@` and `-` only and starts with none of `.` and `_`; found {found:?} at {at}"
    )]
    Character {
        /// The character.
        found: char,
        /// Its byte position.
        at: usize,
    },
}

impl Id {
    /// Checks a text and makes it an id.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.is_empty() {
            return Err(IdError::Empty);
        }
        for (at, found) in text.char_indices() {
            let allowed =
                found.is_ascii_alphanumeric() || matches!(found, '@' | '-') || (at > 0 && matches!(found, '.' | '_'));
            if !allowed {
                return Err(IdError::Character { found, at });
            }
        }
        if text.len() > MAX_LENGTH {
            return Err(IdError::TooLong);
        }
        Ok(Self(text.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl AsRef<str> for Id {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for Id {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_the_allowed_alphabet_are_kept_as_they_are() {
        for text in ["alice", "@me", "-", "0", "a.b_c@d-e", &"x".repeat(128)] {
            assert_eq!(Id::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        assert_eq!(Id::parse(""), Err(IdError::Empty));
        assert_eq!(Id::parse(&"x".repeat(129)), Err(IdError::TooLong));
        for (text, at) in [(".a", 0), ("_a", 0), ("a/b", 1), ("a b", 1), ("aé", 1), ("a*", 1), ("a>", 1), ("a\n", 1)] {
            match Id::parse(text) {
                Err(IdError::Character { at: found, .. }) => assert_eq!(found, at, "{text:?}"),
                other => panic!("{text:?} gave {other:?}"),
            }
        }
    }

    #[test]
    fn serde_checks_too() {
        let id: Id = serde_json::from_str("\"alice\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"alice\"");
        assert!(serde_json::from_str::<Id>("\"a/b\"").is_err());
        assert!(serde_json::from_str::<Id>("7").is_err());
    }
}
