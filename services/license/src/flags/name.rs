//! Names of flags.

use serde::Deserialize;
use std::fmt;

const LONGEST: usize = 64;

/// The name of a flag: `[A-Za-z0-9._-]{1,64}`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct FlagName(String);

/// Why a text is not the name of a flag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a flag's name is 1 to 64 letters, digits, dots, underscores and hyphens")]
pub struct FlagNameError;

impl FlagName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for FlagName {
    type Error = FlagNameError;

    fn try_from(text: String) -> Result<Self, FlagNameError> {
        let fits = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'.' | b'_' | b'-');
        match !text.is_empty() && text.len() <= LONGEST && text.bytes().all(fits) {
            true => Ok(Self(text)),
            false => Err(FlagNameError),
        }
    }
}

impl fmt::Display for FlagName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for right in ["a", "new-editor", "A.b_c-9", &"x".repeat(64)] {
            assert!(FlagName::try_from(right.to_owned()).is_ok(), "{right}");
        }
        for wrong in ["", "a b", "a/b", "é", "a\n", &"x".repeat(65)] {
            assert!(FlagName::try_from(wrong.to_owned()).is_err(), "{wrong:?}");
        }
    }
}
