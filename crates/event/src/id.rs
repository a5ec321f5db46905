//! Ids of users, organisations and sessions.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The most characters of an id, and of any other name that comes from an issuer, such as a role.
pub const MAX_NAME_CHARS: usize = 256;

/// The id of a user, an organisation or a session: any printable text of 1 to 256 characters.
///
/// Issuers choose ids freely (`auth0|64f0c2`, `urn:acme:user:17`), so no alphabet of ours applies. Wherever an id
/// becomes part of something else (a broker's subject, a header, a path), it is encoded there.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(Arc<str>);

/// Why a text is not an [`Id`], and not a role name either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum IdError {
    /// The text is empty or only white space.
    #[error("it must not be blank")]
    Blank,
    /// The text is longer than an id may be.
    #[error("it has at most {MAX_NAME_CHARS} characters")]
    TooLong,
    /// The text contains a character that is not printable on one line.
    #[error("it has printable characters only; found a control character at byte {at}")]
    Control {
        /// Its byte position.
        at: usize,
    },
}

impl IdError {
    /// The reason as a short constant name, for metrics.
    pub fn label(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::TooLong => "too_long",
            Self::Control { .. } => "control_character",
        }
    }
}

/// Checks that a text may be a name from an issuer: printable, not blank, at most [`MAX_NAME_CHARS`] characters.
///
/// # Errors
/// [`IdError`] with the reason; it contains nothing of the text.
pub fn check_name(text: &str) -> Result<(), IdError> {
    // By bytes first, so that a megabyte of text costs no counting of characters.
    if text.len() > 4 * MAX_NAME_CHARS {
        return Err(IdError::TooLong);
    }
    if let Some((at, _)) = text.char_indices().find(|(_, found)| breaks_lines(*found)) {
        return Err(IdError::Control { at });
    }
    if text.trim().is_empty() {
        return Err(IdError::Blank);
    }
    if text.chars().count() > MAX_NAME_CHARS {
        return Err(IdError::TooLong);
    }
    Ok(())
}

/// Control characters, and the two separators that end a line without being control characters.
fn breaks_lines(found: char) -> bool {
    found.is_control() || matches!(found, '\u{2028}' | '\u{2029}')
}

impl Id {
    /// Checks a text and converts it into an id.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        check_name(text)?;
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
    fn ids_are_kept_as_issuers_make_them() {
        let longest = "\u{1F600}".repeat(256);
        for text in [
            "alice",
            "auth0|64f0c2",
            "_eNtra",
            ".a",
            "urn:acme:user:17",
            "anna+test@example.org",
            "j\u{fc}rgen",
            "acme/role:admin",
            "Super Admin",
            "*",
            ">",
            &longest,
        ] {
            assert_eq!(Id::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for blank in ["", " ", "\u{a0} "] {
            assert_eq!(Id::parse(blank), Err(IdError::Blank));
        }
        for long in ["x".repeat(257), "\u{1F600}".repeat(257), "x".repeat(1 << 20)] {
            assert_eq!(Id::parse(&long), Err(IdError::TooLong));
        }
        for text in ["a\n", "a\0", "a\u{1f}b", "a\u{7f}", "a\u{85}", "a\u{2028}"] {
            assert_eq!(Id::parse(text), Err(IdError::Control { at: 1 }), "{text:?}");
        }
    }

    #[test]
    fn serde_checks_too() {
        let id: Id = serde_json::from_str("\"alice\"").unwrap();
        assert_eq!(serde_json::to_string(&id).unwrap(), "\"alice\"");
        assert!(serde_json::from_str::<Id>("\"a\\n\"").is_err());
        assert!(serde_json::from_str::<Id>("7").is_err());
    }
}
