//! The answers about dead letters: the same types for the node that writes them and the command that reads them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::LetterId;

/// The most letters of one answer.
pub const MOST_LISTED: usize = 1000;

/// The most letters of one request to replay.
pub const MOST_REPLAYED: usize = 100;

/// Some dead letters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// The letters.
    pub letters: Vec<Summary>,
}

/// A dead letter in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Its name.
    pub id: LetterId,
    /// When it was written, in milliseconds since the epoch.
    pub time: i64,
    /// The event type that the record was published as.
    pub topic: String,
    /// The org of the record, as the broker has it.
    pub org: Option<String>,
    /// How many bytes the body has.
    pub size: u64,
    /// The kind of fault.
    pub kind: String,
    /// Why the record could not be used.
    pub reason: String,
}

/// A dead letter as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The entry in the list.
    #[serde(flatten)]
    pub summary: Summary,
    /// `events` or `state`.
    pub stream: String,
    /// The key under which the broker keeps it.
    pub key: Option<String>,
    /// The broker's id of the message.
    pub message_id: String,
    /// The headers as they came.
    pub headers: Vec<(String, String)>,
    /// The body in base64: all of it if the letter or the log still has it.
    pub body: String,
    /// Whether that is all of the body.
    pub complete: bool,
    /// The outcome of a replay now.
    pub now: Now,
}

/// Whether a record could be used now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Now {
    /// Why not, or nothing if it could.
    pub fault: Option<String>,
    /// The event's data if the body can be decoded.
    pub data: Option<Value>,
}

/// A request to publish letters again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayRequest {
    /// The letters, in the order in which they are published.
    pub ids: Vec<LetterId>,
    /// Publish also letters that no node could use now.
    #[serde(default)]
    pub force: bool,
    /// Only report the outcomes.
    #[serde(default)]
    pub dry_run: bool,
}

/// The outcomes of a request, in its order. It ends early at the first letter that the broker did not take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replays {
    /// One for each letter.
    pub letters: Vec<Outcome>,
}

/// The outcome of one letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The letter.
    pub id: LetterId,
    /// Its outcome.
    #[serde(flatten)]
    pub fate: Fate,
}

/// The outcome of a letter's replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Fate {
    /// It is in the log again.
    Stored {
        /// Where.
        at: LetterId,
    },
    /// It would have been stored; nothing was, as asked.
    WouldStore,
    /// No node could use it now either.
    Unusable {
        /// Why.
        reason: String,
    },
    /// It sets state, and something newer was stored under its key.
    Superseded,
    /// There is no such letter.
    Unknown,
    /// The letter holds a part of the body, and the record is no longer kept.
    Cut {
        /// How many bytes the letter holds.
        kept: u64,
        /// How many the body had.
        size: u64,
    },
    /// The broker did not take it.
    Failed {
        /// Why.
        reason: String,
    },
}
