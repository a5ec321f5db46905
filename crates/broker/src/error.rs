//! What can go wrong with a broker, by whose fault it is.

use crate::position::Position;

/// Why a message was not published.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// The message is surely not stored; trying again is safe.
    #[error("not stored: {0}")]
    NotStored(String),
    /// The broker answers, but takes no messages of this topic: a right or the topic itself is missing. The message is
    /// surely not stored; trying again helps once somebody has changed that. Other topics may be well.
    #[error("refused: {0}")]
    Refused(String),
    /// The message may or may not be stored; try again with the same id.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// The message itself is wrong; trying again is pointless.
    #[error("invalid message: {0}")]
    Invalid(String),
    /// A part of the message is larger than the broker takes; trying again is pointless.
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
    /// The position does not belong to the stream as it is now: the stream was made anew, or lost
    /// its end.
    #[error("the position belongs to another incarnation of the stream: {reason}")]
    OtherIncarnation {
        /// What does not fit.
        reason: String,
    },
    /// Records after the position have left the retention.
    #[error("records after the position are no longer kept")]
    Trimmed {
        /// The position just before the oldest record that is still kept.
        oldest: Position,
    },
    /// The broker cannot be reached or its disk fails; trying again later may help.
    #[error("broker unavailable: {0}")]
    Unavailable(String),
    /// The broker answers and refuses: wrong credentials, missing rights, or a stream that is not as it must be.
    /// Trying again does not help until somebody changes that.
    #[error("broker refuses: {0}")]
    Refused(String),
    /// The broker holds something that it cannot have written.
    #[error("broker holds damaged data: {0}")]
    Damaged(String),
    /// The broker was closed by this process.
    #[error("broker is closed")]
    Closed,
}
