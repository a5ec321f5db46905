//! Encodes a message as a JSON object, directly into the bytes to send.
//!
//! `type` comes first and `invocationId` before the arguments and results, so that the Java and .NET clients can bind
//! values while they read. Absent properties are left out, never null.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;

use base64::display::Base64Display;
use base64::engine::general_purpose::STANDARD;

use crate::timestamp::{Form, Iso8601};
use crate::{Message, Outcome, Value};

/// Appends the message without the record separator.
pub(crate) fn encode(message: &Message<'_>, out: &mut Vec<u8>) {
    write_display(format_args!("{{\"type\":{}", message.message_type()), out);
    match message {
        Message::Invocation { invocation_id, target, arguments, stream_ids } => {
            if let Some(id) = invocation_id {
                write_id(id, out);
            }
            write_call(target, arguments, stream_ids, out);
        }
        Message::StreamInvocation { invocation_id, target, arguments, stream_ids } => {
            write_id(invocation_id, out);
            write_call(target, arguments, stream_ids, out);
        }
        Message::StreamItem { invocation_id, item } => {
            write_id(invocation_id, out);
            out.extend_from_slice(b",\"item\":");
            write_value(item, out);
        }
        Message::Completion { invocation_id, outcome } => {
            write_id(invocation_id, out);
            write_outcome(outcome, out);
        }
        Message::CancelInvocation { invocation_id } => write_id(invocation_id, out),
        Message::Ping => {}
        Message::Close { error, allow_reconnect } => {
            if let Some(error) = error {
                out.extend_from_slice(b",\"error\":");
                write_string(error, out);
            }
            if *allow_reconnect {
                out.extend_from_slice(b",\"allowReconnect\":true");
            }
        }
        Message::Ack { sequence_id } | Message::Sequence { sequence_id } => {
            write_display(format_args!(",\"sequenceId\":{sequence_id}"), out);
        }
    }
    out.push(b'}');
}

/// Appends an Invocation without an id, without the record separator.
pub(crate) fn encode_push(target: &str, arguments: &[Value<'_>], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"type\":1");
    write_call(target, arguments, &[], out);
    out.push(b'}');
}

/// Appends the text in quotes.
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut written = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[written..at]);
        written = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => write_display(format_args!("\\u{byte:04x}"), out),
        }
    }
    out.extend_from_slice(&bytes[written..]);
    out.push(b'"');
}

fn write_id(id: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"invocationId\":");
    write_string(id, out);
}

fn write_call(target: &str, arguments: &[Value<'_>], stream_ids: &[Cow<'_, str>], out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"target\":");
    write_string(target, out);
    out.extend_from_slice(b",\"arguments\":");
    write_array(arguments, out, write_value);
    if !stream_ids.is_empty() {
        out.extend_from_slice(b",\"streamIds\":");
        write_array(stream_ids, out, |id, out| write_string(id, out));
    }
}

fn write_outcome(outcome: &Outcome<'_>, out: &mut Vec<u8>) {
    match outcome {
        Outcome::Void => {}
        Outcome::Value(result) => {
            out.extend_from_slice(b",\"result\":");
            write_value(result, out);
        }
        Outcome::Error(error) => {
            out.extend_from_slice(b",\"error\":");
            write_string(error, out);
        }
    }
}

fn write_value(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(int) => write_display(int, out),
        Value::UInt(int) => write_display(int, out),
        // Debug keeps the point of a whole number, so that it is read as a float again.
        Value::Float(float) if float.is_finite() => write_display(format_args!("{float:?}"), out),
        Value::Float(_) => out.extend_from_slice(b"null"),
        Value::String(text) => write_string(text, out),
        Value::Binary(bytes) => write_display(format_args!("\"{}\"", Base64Display::new(bytes, &STANDARD)), out),
        Value::Timestamp { seconds, nanoseconds } => {
            let moment = Iso8601 { seconds: *seconds, nanoseconds: *nanoseconds, form: Form::Utc };
            write_display(format_args!("\"{moment}\""), out);
        }
        Value::Local { seconds, nanoseconds } => {
            let moment = Iso8601 { seconds: *seconds, nanoseconds: *nanoseconds, form: Form::Local };
            write_display(format_args!("\"{moment}\""), out);
        }
        Value::Date { days } => write_display(format_args!("\"{}\"", Iso8601::date(*days)), out),
        Value::Array(items) => write_array(items, out, write_value),
        Value::Map(entries) => {
            out.push(b'{');
            for (index, (name, value)) in entries.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(name, out);
                out.push(b':');
                write_value(value, out);
            }
            out.push(b'}');
        }
    }
}

fn write_array<T>(items: &[T], out: &mut Vec<u8>, write: impl Fn(&T, &mut Vec<u8>)) {
    out.push(b'[');
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(item, out);
    }
    out.push(b']');
}

fn write_display(value: impl fmt::Display, out: &mut Vec<u8>) {
    // Writing to a vector cannot fail.
    let _ = write!(out, "{value}");
}
