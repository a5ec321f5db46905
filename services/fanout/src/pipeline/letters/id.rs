//! The ids of dead letters.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The id of a dead letter: the place of its record, written as `{partition}-{offset}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct LetterId {
    /// The partition of the record.
    pub partition: u32,
    /// The offset of the record.
    pub offset: u64,
}

/// The text names no dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not the id of a dead letter: {0:?}; it is partition and offset, for instance 0-17")]
pub struct LetterIdError(String);

impl LetterId {
    /// The name of the letter about the record at a place.
    #[must_use]
    pub fn of((partition, offset): (u32, u64)) -> Self {
        Self { partition, offset }
    }

    /// The place of the record.
    #[must_use]
    pub fn place(self) -> (u32, u64) {
        (self.partition, self.offset)
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.partition, self.offset)
    }
}

impl FromStr for LetterId {
    type Err = LetterIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = |text: &str| {
            let (partition, offset) = text.split_once('-')?;
            let id = Self { partition: partition.parse().ok()?, offset: offset.parse().ok()? };
            // One letter has one name: no `+`, no zeros in front.
            (id.to_string() == text).then_some(id)
        };
        parse(text).ok_or_else(|| LetterIdError(text.chars().take(64).collect()))
    }
}

impl From<LetterId> for String {
    fn from(id: LetterId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for LetterId {
    type Error = LetterIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_one_text() {
        let id = LetterId { partition: 7, offset: u64::MAX };
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in ["", "7", "7-", "-7", "07-1", "+7-1", "7-1-1", "7-18446744073709551616", "4294967296-1", "a-b"] {
            let error = wrong.parse::<LetterId>().expect_err("no id");
            assert!(error.to_string().contains("for instance 0-17"), "{error}");
        }
    }
}
