//! What an authorizer says to a call.

use fanfare_broker::Position;

/// What an authorizer said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Yes, as things stood at this position of the log.
    Allowed(Position),
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
            Self::Allowed(_) => "allowed",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }
}
