//! The answer of an authorizer to a call.

use fanfare_broker::Position;
use fanfare_token::OtherClaims;

/// The answer of an authorizer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Yes, as of this position of the log, with the claims that it returned.
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
