//! The errors of a broker, by whose fault they are.

use crate::position::Position;

/// Why a message was not published.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// The message is certainly not stored; trying again is safe.
    #[error("not stored: {0}")]
    NotStored(String),
    /// The broker answers but does not accept messages of this topic: a right or the topic itself is missing. The
    /// message is certainly not stored. Trying again helps once somebody has changed that. Other topics may work.
    #[error("refused: {0}")]
    Refused(String),
    /// The message may or may not be stored; try again with the same id.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// The message itself is wrong; trying again does not help.
    #[error("invalid message: {0}")]
    Invalid(String),
    /// A part of the message is larger than the broker accepts; trying again does not help.
    #[error("{part} has {size} bytes, at most {limit} are allowed")]
    TooLarge {
        /// The part of the message.
        part: &'static str,
        /// Its size in bytes.
        size: usize,
        /// The largest size allowed.
        limit: usize,
    },
}

/// Why reading from a broker failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BrokerError {
    /// The position is from another incarnation of the stream: the stream was recreated, or lost its end.
    #[error("the position belongs to another incarnation of the stream: {reason}")]
    OtherIncarnation {
        /// What differs.
        reason: String,
    },
    /// Records after the position were removed by the retention.
    #[error("records after the position are no longer kept")]
    Trimmed {
        /// The position just before the oldest stored record.
        oldest: Position,
    },
    /// The broker cannot be reached or its disk fails; trying again later may help.
    #[error("broker unavailable: {0}")]
    Unavailable(String),
    /// The broker answers and refuses: wrong credentials, missing rights, or a stream with wrong settings. Trying again
    /// does not help until somebody changes that.
    #[error("broker refuses: {0}")]
    Refused(String),
    /// The broker contains something that it cannot have written.
    #[error("broker holds damaged data: {0}")]
    Damaged(String),
    /// The broker was closed by this process.
    #[error("broker is closed")]
    Closed,
}
