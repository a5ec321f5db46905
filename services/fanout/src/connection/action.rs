//! What a connection asks its transport to do.

use std::borrow::Cow;

use fanfare_signalr::{Headers, Protocol, Value};

use super::CloseReason;
use super::streaming::Streamed;
use super::trail::traceparent;

/// A call of a hub method, as the client made it.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The client's id for the answer; without one nothing is answered, not even an error.
    pub id: Option<String>,
    /// The method's name, in the client's case.
    pub target: String,
    /// The arguments, without the streams that the client uploads.
    pub arguments: Vec<Value<'static>>,
    /// The ids of the streams that the client uploads.
    pub uploads: Vec<String>,
    /// Whether the client wants a stream for an answer.
    pub streaming: bool,
    /// The W3C `traceparent` of the call's headers.
    pub traceparent: Option<Box<str>>,
}

impl Call {
    pub(super) fn new(
        id: Option<Cow<'_, str>>,
        target: &str,
        arguments: Vec<Value<'_>>,
        uploads: &[Cow<'_, str>],
        streaming: bool,
        headers: &Headers<'_>,
    ) -> Self {
        Self {
            id: id.map(Cow::into_owned),
            target: target.to_owned(),
            arguments: arguments.into_iter().map(Value::into_owned).collect(),
            uploads: uploads.iter().map(ToString::to_string).collect(),
            streaming,
            traceparent: headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("traceparent"))
                .and_then(|(_, value)| traceparent(value)),
        }
    }
}

impl Call {
    /// About how much memory the call takes while it waits.
    #[must_use]
    pub fn memory(&self) -> usize {
        let ids = self.id.as_ref().map_or(0, String::len) + self.uploads.iter().map(|id| id.len() + 48).sum::<usize>();
        let ids = ids + self.traceparent.as_ref().map_or(0, |parent| parent.len());
        size_of::<Self>() + ids + self.target.len() + self.arguments.iter().map(value_memory).sum::<usize>()
    }
}

fn value_memory(value: &Value<'_>) -> usize {
    let held = match value {
        Value::String(text) => text.len(),
        Value::Binary(bytes) => bytes.len(),
        Value::Array(items) => items.iter().map(value_memory).sum(),
        Value::Map(entries) => {
            entries.iter().map(|(name, value)| size_of::<Cow<'_, str>>() + name.len() + value_memory(value)).sum()
        }
        _ => 0,
    };
    size_of::<Value<'_>>() + held
}

/// What the transport has to do, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Send these bytes of the hub protocol.
    Send {
        /// The framed message.
        hub_bytes: Vec<u8>,
        /// Whether stateful reconnect counts it.
        tracked: bool,
    },
    /// The handshake is done: join the groups, then send what is owed at connect.
    Opened {
        /// The protocol agreed on.
        protocol: Protocol,
        /// Whether a lost socket may be replaced by another.
        stateful: bool,
    },
    /// Carry out a call.
    Call(Call),
    /// Hand over what the client sent besides its calls.
    Streamed(Streamed),
    /// The client has everything up to this message (stateful reconnect).
    Acknowledged(u64),
    /// The connection is over; send nothing more than what was asked for before.
    End(CloseReason),
}
