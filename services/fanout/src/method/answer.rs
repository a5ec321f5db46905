//! The answer of an authorizer to a call.

use fanfare_broker::Position;
use fanfare_token::OtherClaims;

/// What an authorizer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Yes, as things stood at this position of the log, and what else it said of the caller.
    Allowed(Position, OtherClaims),
    /// No.
    Refused,
    /// Nothing that counts as an answer.
    Unknown,
}

impl Answer {
    /// The answer as a metric label.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::Allowed(..) => "allowed",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}
