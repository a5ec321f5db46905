//! The place of a claim in a token: its name, or a path into nested objects.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

/// The largest number of parts in a path.
const MAX_PARTS: usize = 16;

/// The name of a claim.
///
/// First the whole text is looked up as a name (`https://app.example/roles`). If there is no such claim, its dots make
/// it a path into nested objects: `realm_access.roles`. A part that contains dots is in quotes, or has backslashes
/// before them: `resource_access."shop.example.com".roles`, `resource_access.shop\.example\.com.roles`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimName {
    text: Arc<str>,
    path: Box<[Box<str>]>,
    spaces: bool,
}

/// Why a text is not the name of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ClaimNameError {
    /// The name or one of its parts is empty.
    #[error("a part of the name is empty")]
    Empty,
    /// A quote has no partner, or is within a part.
    #[error("a quote must begin and end a part of the name")]
    Quote,
    /// A backslash is the last character.
    #[error("a backslash must stand before a dot, a quote or a backslash")]
    Escape,
    /// There are too many parts.
    #[error("a path has at most {MAX_PARTS} parts")]
    TooLong,
}

impl ClaimName {
    /// Parses the name of a claim.
    ///
    /// # Errors
    /// [`ClaimNameError`] with what is wrong.
    pub fn parse(text: &str) -> Result<Self, ClaimNameError> {
        let path = parts(text)?;
        if path.len() > MAX_PARTS {
            return Err(ClaimNameError::TooLong);
        }
        if path.iter().any(|part| part.is_empty()) {
            return Err(ClaimNameError::Empty);
        }
        Ok(Self { text: text.into(), path: path.into(), spaces: false })
    }

    /// A name without dots, quotes and backslashes.
    pub(crate) fn plain(text: &str) -> Self {
        Self { text: text.into(), path: [text.into()].into(), spaces: false }
    }

    /// The same claim, as a list of words in one text: `"scp": "tickets.read tickets.write"`.
    #[must_use]
    pub fn separated_by_spaces(self) -> Self {
        Self { spaces: true, ..self }
    }

    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether its text is a list of words.
    pub fn has_words(&self) -> bool {
        self.spaces
    }

    /// The claim in a token; `null` counts as absent.
    pub(crate) fn find<'p>(&self, claims: &'p Map<String, Value>) -> Option<&'p Value> {
        let nested = || {
            let (first, rest) = self.path.split_first()?;
            rest.iter().try_fold(claims.get(&**first)?, |value, part| value.get(&**part))
        };
        claims.get(&*self.text).or_else(nested).filter(|value| !value.is_null())
    }
}

impl fmt::Display for ClaimName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn parts(text: &str) -> Result<Vec<Box<str>>, ClaimNameError> {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '.' => parts.push(std::mem::take(&mut part).into()),
            '\\' => part.push(letters.next().ok_or(ClaimNameError::Escape)?),
            '"' if part.is_empty() => {
                loop {
                    match letters.next().ok_or(ClaimNameError::Quote)? {
                        '"' => break,
                        '\\' => part.push(letters.next().ok_or(ClaimNameError::Escape)?),
                        other => part.push(other),
                    }
                }
                if !matches!(letters.peek(), None | Some('.')) {
                    return Err(ClaimNameError::Quote);
                }
            }
            '"' => return Err(ClaimNameError::Quote),
            other => part.push(other),
        }
    }
    parts.push(part.into());
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn found(name: &str, claims: &Value) -> Option<Value> {
        ClaimName::parse(name).unwrap().find(claims.as_object().unwrap()).cloned()
    }

    #[test]
    fn a_name_is_read_literally_first_and_then_as_a_path() {
        let claims = json!({
            "https://app.example/roles": 1,
            "realm_access": {"roles": 2},
            "resource_access": {"shop.example.com": {"roles": 3}},
            "a.b": 4, "a": {"b": 5, "c": null},
        });
        for (name, value) in [
            ("https://app.example/roles", Some(1)),
            ("realm_access.roles", Some(2)),
            ("resource_access.\"shop.example.com\".roles", Some(3)),
            (r"resource_access.shop\.example\.com.roles", Some(3)),
            ("resource_access.shop.example.com.roles", None),
            ("a.b", Some(4)),
            ("a.\"b\"", Some(5)),
            ("a.c", None),
            ("a.b.c", None),
        ] {
            assert_eq!(found(name, &claims), value.map(|value| json!(value)), "{name}");
        }
    }

    #[test]
    fn bad_names_are_reported() {
        for (name, error) in [
            ("", ClaimNameError::Empty),
            ("a..b", ClaimNameError::Empty),
            ("a.\"\"", ClaimNameError::Empty),
            ("a.\"b", ClaimNameError::Quote),
            ("a\"b\"", ClaimNameError::Quote),
            ("\"a\"b", ClaimNameError::Quote),
            ("a\\", ClaimNameError::Escape),
            (&["x"; 17].join("."), ClaimNameError::TooLong),
        ] {
            assert_eq!(ClaimName::parse(name), Err(error), "{name}");
        }
    }
}
