//! What a client sends to a running call of an embedder's code. Without the feature `embed`, `no_streaming.rs` takes
//! its place.

use fanfare_signalr::{Message, Outcome, Value};

/// What a client sends besides its calls.
#[derive(Debug, Clone, PartialEq)]
pub enum Streamed {
    /// An item of a stream that the client uploads.
    Item {
        /// The stream's id.
        id: String,
        /// The item.
        item: Value<'static>,
    },
    /// The client has ended an upload, or answered a call that the server made.
    Completed {
        /// The id of the stream or the call.
        id: String,
        /// How it ended.
        outcome: Outcome<'static>,
    },
    /// The client wants no more of a stream.
    Cancel(String),
}

impl Streamed {
    /// What a message says, if it is of this kind.
    pub(super) fn of(message: Message<'_>) -> Option<Self> {
        match message {
            Message::StreamItem { invocation_id, item } => {
                Some(Self::Item { id: invocation_id.into_owned(), item: item.into_owned() })
            }
            Message::Completion { invocation_id, outcome } => {
                Some(Self::Completed { id: invocation_id.into_owned(), outcome: outcome.into_owned() })
            }
            Message::CancelInvocation { invocation_id } => Some(Self::Cancel(invocation_id.into_owned())),
            _ => None,
        }
    }
}
