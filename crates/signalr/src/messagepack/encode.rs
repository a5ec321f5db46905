//! Encodes a message as a MessagePack array, directly into the bytes to send.
//!
//! Every message has all of its elements: the Python client silently drops an Invocation without stream ids. Headers
//! are always an empty map.

use std::borrow::Cow;

use rmp::encode as write;

use super::value::TIMESTAMP;
use crate::timestamp::{MAX_NANOSECONDS, SECONDS_PER_DAY};
use crate::{Message, Outcome, Value};

/// Appends the message without its length.
pub(crate) fn encode(message: &Message<'_>, out: &mut Vec<u8>) {
    let number = message.message_type();
    match message {
        Message::Invocation { invocation_id, target, arguments, stream_ids } => {
            start_with_headers(6, number, out);
            write_optional(invocation_id.as_deref(), out);
            write_call(target, arguments, stream_ids, out);
        }
        Message::StreamInvocation { invocation_id, target, arguments, stream_ids } => {
            start_with_headers(6, number, out);
            write_string(invocation_id, out);
            write_call(target, arguments, stream_ids, out);
        }
        Message::StreamItem { invocation_id, item } => {
            start_with_headers(4, number, out);
            write_string(invocation_id, out);
            write_value(item, out);
        }
        Message::Completion { invocation_id, outcome } => write_completion(number, invocation_id, outcome, out),
        Message::CancelInvocation { invocation_id } => {
            start_with_headers(3, number, out);
            write_string(invocation_id, out);
        }
        Message::Ping => start(1, number, out),
        Message::Close { error, allow_reconnect } => {
            start(3, number, out);
            write_optional(error.as_deref(), out);
            write_value(&Value::Bool(*allow_reconnect), out);
        }
        Message::Ack { sequence_id } | Message::Sequence { sequence_id } => {
            start(2, number, out);
            sure(write::write_uint(out, *sequence_id));
        }
    }
}

/// Appends an Invocation without an id, without its length.
pub(crate) fn encode_push(target: &str, arguments: &[Value<'_>], out: &mut Vec<u8>) {
    start_with_headers(6, 1, out);
    write_optional(None, out);
    write_call(target, arguments, &[], out);
}

fn start(elements: u32, number: u8, out: &mut Vec<u8>) {
    sure(write::write_array_len(out, elements));
    sure(write::write_uint(out, number.into()));
}

fn start_with_headers(elements: u32, number: u8, out: &mut Vec<u8>) {
    start(elements, number, out);
    sure(write::write_map_len(out, 0));
}

fn write_call(target: &str, arguments: &[Value<'_>], stream_ids: &[Cow<'_, str>], out: &mut Vec<u8>) {
    write_string(target, out);
    write_array(arguments, out);
    sure(write::write_array_len(out, length(stream_ids)));
    for id in stream_ids {
        write_string(id, out);
    }
}

fn write_completion(number: u8, id: &str, outcome: &Outcome<'_>, out: &mut Vec<u8>) {
    let (elements, kind) = match outcome {
        Outcome::Error(_) => (5, 1),
        Outcome::Void => (4, 2),
        Outcome::Value(_) => (5, 3),
    };
    start_with_headers(elements, number, out);
    write_string(id, out);
    sure(write::write_uint(out, kind));
    match outcome {
        Outcome::Void => {}
        Outcome::Value(result) => write_value(result, out),
        Outcome::Error(error) => write_string(error, out),
    }
}

fn write_value(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => write_optional(None, out),
        Value::Bool(bool) => sure(write::write_bool(out, *bool)),
        Value::Int(int) => sure(write::write_sint(out, *int)),
        Value::UInt(int) => sure(write::write_uint(out, *int)),
        Value::Float(float) => sure(write::write_f64(out, *float)),
        Value::String(text) => write_string(text, out),
        Value::Binary(bytes) => {
            sure(write::write_bin_len(out, length(bytes)));
            out.extend_from_slice(bytes);
        }
        Value::Timestamp { seconds, nanoseconds } | Value::Local { seconds, nanoseconds } => {
            write_timestamp(*seconds, *nanoseconds, out);
        }
        Value::Date { days } => write_timestamp(days.saturating_mul(SECONDS_PER_DAY), 0, out),
        Value::Array(items) => write_array(items, out),
        Value::Map(entries) => {
            sure(write::write_map_len(out, length(entries)));
            for (name, value) in entries {
                write_string(name, out);
                write_value(value, out);
            }
        }
    }
}

/// Writes the shortest of the three timestamp forms.
fn write_timestamp(seconds: i64, nanoseconds: u32, out: &mut Vec<u8>) {
    let nanoseconds = nanoseconds.min(MAX_NANOSECONDS);
    match (u32::try_from(seconds), u64::try_from(seconds)) {
        (Ok(seconds), _) if nanoseconds == 0 => {
            sure(write::write_ext_meta(out, 4, TIMESTAMP));
            out.extend_from_slice(&seconds.to_be_bytes());
        }
        (_, Ok(seconds)) if seconds >> 34 == 0 => {
            sure(write::write_ext_meta(out, 8, TIMESTAMP));
            out.extend_from_slice(&(u64::from(nanoseconds) << 34 | seconds).to_be_bytes());
        }
        _ => {
            sure(write::write_ext_meta(out, 12, TIMESTAMP));
            out.extend_from_slice(&nanoseconds.to_be_bytes());
            out.extend_from_slice(&seconds.to_be_bytes());
        }
    }
}

fn write_array(items: &[Value<'_>], out: &mut Vec<u8>) {
    sure(write::write_array_len(out, length(items)));
    for item in items {
        write_value(item, out);
    }
}

fn write_optional(text: Option<&str>, out: &mut Vec<u8>) {
    match text {
        Some(text) => write_string(text, out),
        None => sure(write::write_nil(out)),
    }
}

fn write_string(text: &str, out: &mut Vec<u8>) {
    sure(write::write_str_len(out, length(text.as_bytes())));
    out.extend_from_slice(text.as_bytes());
}

/// A length for the wire. If it does not fit, neither does the message, which is left out.
fn length<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(u32::MAX)
}

/// Writing to a vector cannot fail.
fn sure<T, E>(_: Result<T, E>) {}
