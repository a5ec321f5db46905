//! The nine message types of the hub protocol, and the result of decoding a frame.

use std::borrow::Cow;

use crate::{BindingFailure, Value};

/// Headers of a received message, in their order.
///
/// They are never sent: the Java client refuses any message that has them.
pub type Headers<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// One hub message.
///
/// Targets and invocation ids are never empty in a received message, and must not be empty in a sent one: clients would
/// end the connection.
#[derive(Debug, Clone, PartialEq)]
pub enum Message<'a> {
    /// Type 1: calls a method of the other side.
    Invocation {
        /// The call's id if an answer is wanted.
        invocation_id: Option<Cow<'a, str>>,
        /// The method.
        target: Cow<'a, str>,
        /// Positional arguments, without the uploaded streams.
        arguments: Vec<Value<'a>>,
        /// Ids of the streams that the caller uploads.
        stream_ids: Vec<Cow<'a, str>>,
    },
    /// Type 2: one item of a stream, in either direction.
    StreamItem {
        /// The stream's id.
        invocation_id: Cow<'a, str>,
        /// The item.
        item: Value<'a>,
    },
    /// Type 3: ends a call or a stream.
    Completion {
        /// The id of the call or stream.
        invocation_id: Cow<'a, str>,
        /// The outcome.
        outcome: Outcome<'a>,
    },
    /// Type 4: calls a streaming method.
    StreamInvocation {
        /// The stream's id.
        invocation_id: Cow<'a, str>,
        /// The method.
        target: Cow<'a, str>,
        /// Positional arguments, without the uploaded streams.
        arguments: Vec<Value<'a>>,
        /// Ids of the streams that the caller uploads.
        stream_ids: Vec<Cow<'a, str>>,
    },
    /// Type 5: asks the other side to stop a stream.
    CancelInvocation {
        /// The stream's id.
        invocation_id: Cow<'a, str>,
    },
    /// Type 6: keeps the connection alive; has no answer.
    Ping,
    /// Type 7: ends the connection.
    Close {
        /// The error, if it ended because of one.
        error: Option<Cow<'a, str>>,
        /// Whether the client may reconnect automatically.
        allow_reconnect: bool,
    },
    /// Type 8: acknowledges the newest received message (stateful reconnect).
    Ack {
        /// The number of that message.
        sequence_id: u64,
    },
    /// Type 9: announces the number of the next message (stateful reconnect).
    Sequence {
        /// The number of the next message.
        sequence_id: u64,
    },
}

/// The outcome of a call or a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome<'a> {
    /// It ended without a result.
    Void,
    /// It ended with a result, which may be null.
    Value(Value<'a>),
    /// It failed.
    Error(Cow<'a, str>),
}

/// The result of decoding a well-formed frame.
#[derive(Debug, Clone, PartialEq)]
pub enum Decoded<'a> {
    /// A message to handle.
    Message {
        /// The message.
        message: Message<'a>,
        /// Its headers; empty for types that have none.
        headers: Headers<'a>,
    },
    /// A call whose arguments cannot be read. The call fails, the connection continues.
    BindingFailure(BindingFailure<'a>),
    /// A message of an unknown type; skip it.
    Ignored {
        /// The unknown type number.
        message_type: i64,
    },
}

impl Message<'_> {
    /// The type number on the wire.
    #[must_use]
    pub fn message_type(&self) -> u8 {
        match self {
            Self::Invocation { .. } => 1,
            Self::StreamItem { .. } => 2,
            Self::Completion { .. } => 3,
            Self::StreamInvocation { .. } => 4,
            Self::CancelInvocation { .. } => 5,
            Self::Ping => 6,
            Self::Close { .. } => 7,
            Self::Ack { .. } => 8,
            Self::Sequence { .. } => 9,
        }
    }

    /// Whether stateful reconnect counts, buffers and replays this message.
    #[must_use]
    pub fn is_trackable(&self) -> bool {
        self.message_type() <= 5
    }

    /// Copies borrowed data, so that the message can outlive its frame.
    #[must_use]
    pub fn into_owned(self) -> Message<'static> {
        match self {
            Self::Invocation { invocation_id, target, arguments, stream_ids } => Message::Invocation {
                invocation_id: invocation_id.map(owned),
                target: owned(target),
                arguments: arguments.into_iter().map(Value::into_owned).collect(),
                stream_ids: stream_ids.into_iter().map(owned).collect(),
            },
            Self::StreamItem { invocation_id, item } => {
                Message::StreamItem { invocation_id: owned(invocation_id), item: item.into_owned() }
            }
            Self::Completion { invocation_id, outcome } => {
                Message::Completion { invocation_id: owned(invocation_id), outcome: outcome.into_owned() }
            }
            Self::StreamInvocation { invocation_id, target, arguments, stream_ids } => Message::StreamInvocation {
                invocation_id: owned(invocation_id),
                target: owned(target),
                arguments: arguments.into_iter().map(Value::into_owned).collect(),
                stream_ids: stream_ids.into_iter().map(owned).collect(),
            },
            Self::CancelInvocation { invocation_id } => {
                Message::CancelInvocation { invocation_id: owned(invocation_id) }
            }
            Self::Ping => Message::Ping,
            Self::Close { error, allow_reconnect } => Message::Close { error: error.map(owned), allow_reconnect },
            Self::Ack { sequence_id } => Message::Ack { sequence_id },
            Self::Sequence { sequence_id } => Message::Sequence { sequence_id },
        }
    }
}

impl Outcome<'_> {
    /// Copies borrowed data.
    #[must_use]
    pub fn into_owned(self) -> Outcome<'static> {
        match self {
            Self::Void => Outcome::Void,
            Self::Value(value) => Outcome::Value(value.into_owned()),
            Self::Error(error) => Outcome::Error(owned(error)),
        }
    }
}

fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}
