//! Decodes a MessagePack array into a message.
//!
//! The claimed number of elements decides only whether optional ones at the end exist; further elements are ignored.

use std::borrow::Cow;

use super::reader::Reader;
use super::value::{ValueError, read_value, read_values};
use crate::{BindingError, BindingFailure, Decoded, Headers, Message, Outcome, ProtocolError, Value};

/// The error of an uploaded stream with an unreadable item.
const UNREADABLE_ITEM: &str = "Failed to bind Stream message.";
/// The error of a call with an unreadable result.
const UNREADABLE_RESULT: &str = "Error trying to deserialize the result.";

/// Elements of an Invocation that has stream ids.
const WITH_STREAM_IDS: usize = 6;
/// Elements of a Close that has `allowReconnect`.
const WITH_ALLOW_RECONNECT: usize = 3;

/// Decodes one message.
pub(crate) fn decode(body: &[u8]) -> Result<Decoded<'_>, ProtocolError> {
    let mut reader = Reader::new(body);
    let elements =
        reader.array_length().ok_or(ProtocolError::ElementLength { element: "elementCount", expected: "array" })?;
    let mut headers = Headers::new();
    let message = match integer(&mut reader, "messageType")? {
        1 => return invocation(&mut reader, elements),
        4 => return stream_invocation(&mut reader, elements),
        2 => {
            headers = read_headers(&mut reader)?;
            stream_item(&mut reader)?
        }
        3 => {
            headers = read_headers(&mut reader)?;
            completion(&mut reader)?
        }
        5 => {
            headers = read_headers(&mut reader)?;
            Message::CancelInvocation { invocation_id: filled(&mut reader, "invocationId")? }
        }
        6 => Message::Ping,
        7 => close(&mut reader, elements)?,
        8 => Message::Ack { sequence_id: sequence_id(&mut reader)? },
        9 => Message::Sequence { sequence_id: sequence_id(&mut reader)? },
        message_type => return Ok(Decoded::Ignored { message_type }),
    };
    Ok(Decoded::Message { message, headers })
}

fn invocation<'a>(reader: &mut Reader<'a>, elements: usize) -> Result<Decoded<'a>, ProtocolError> {
    let headers = read_headers(reader)?;
    let invocation_id = if reader.nil() { None } else { Some(string(reader, "invocationId")?) };
    // An empty id counts as none: the caller does not wait for an answer.
    let invocation_id = invocation_id.filter(|id| !id.is_empty());
    let target = filled(reader, "target")?;
    match read_arguments(reader)? {
        Err(error) => Ok(Decoded::BindingFailure(BindingFailure { invocation_id, target, error })),
        Ok(arguments) => {
            let stream_ids = read_stream_ids(reader, elements)?;
            let message = Message::Invocation { invocation_id, target, arguments, stream_ids };
            Ok(Decoded::Message { message, headers })
        }
    }
}

fn stream_invocation<'a>(reader: &mut Reader<'a>, elements: usize) -> Result<Decoded<'a>, ProtocolError> {
    let headers = read_headers(reader)?;
    let invocation_id = filled(reader, "invocationId")?;
    let target = filled(reader, "target")?;
    match read_arguments(reader)? {
        Err(error) => Ok(Decoded::BindingFailure(BindingFailure { invocation_id: Some(invocation_id), target, error })),
        Ok(arguments) => {
            let stream_ids = read_stream_ids(reader, elements)?;
            let message = Message::StreamInvocation { invocation_id, target, arguments, stream_ids };
            Ok(Decoded::Message { message, headers })
        }
    }
}

/// Decodes the arguments; the inner error fails only the call.
fn read_arguments<'a>(reader: &mut Reader<'a>) -> Result<Result<Vec<Value<'a>>, BindingError>, ProtocolError> {
    let Some(length) = reader.array_length() else {
        return Ok(Err(BindingError::NoArguments));
    };
    match read_values(reader, length, 1) {
        Ok(arguments) => Ok(Ok(arguments)),
        Err(ValueError::Unsupported) => Ok(Err(BindingError::ArgumentType)),
        Err(ValueError::Protocol(error)) => Err(error),
    }
}

fn read_stream_ids<'a>(reader: &mut Reader<'a>, elements: usize) -> Result<Vec<Cow<'a, str>>, ProtocolError> {
    // JavaScript's client leaves the element out if there are no streams.
    if elements < WITH_STREAM_IDS || reader.nil() {
        return Ok(Vec::new());
    }
    let length =
        reader.array_length().ok_or(ProtocolError::ElementLength { element: "streamIds", expected: "array" })?;
    (0..length).map(|_| string(reader, "streamIds")).collect()
}

fn stream_item<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>, ProtocolError> {
    let invocation_id = filled(reader, "invocationId")?;
    match read_value(reader, 0) {
        Ok(item) => Ok(Message::StreamItem { invocation_id, item }),
        // The stream fails, as if its sender had ended it with an error.
        Err(ValueError::Unsupported) => {
            Ok(Message::Completion { invocation_id, outcome: Outcome::Error(Cow::Borrowed(UNREADABLE_ITEM)) })
        }
        Err(ValueError::Protocol(error)) => Err(error),
    }
}

fn completion<'a>(reader: &mut Reader<'a>) -> Result<Message<'a>, ProtocolError> {
    let invocation_id = filled(reader, "invocationId")?;
    let outcome = match integer(reader, "resultKind")? {
        1 => Outcome::Error(string(reader, "error")?),
        2 => Outcome::Void,
        3 => match read_value(reader, 0) {
            Ok(result) => Outcome::Value(result),
            Err(ValueError::Unsupported) => Outcome::Error(Cow::Borrowed(UNREADABLE_RESULT)),
            Err(ValueError::Protocol(error)) => return Err(error),
        },
        kind => return Err(ProtocolError::ResultKind { kind }),
    };
    Ok(Message::Completion { invocation_id, outcome })
}

fn close<'a>(reader: &mut Reader<'a>, elements: usize) -> Result<Message<'a>, ProtocolError> {
    let error = if reader.nil() { None } else { Some(string(reader, "error")?) };
    let allow_reconnect =
        elements >= WITH_ALLOW_RECONNECT && reader.boolean().ok_or(element("allowReconnect", "Boolean"))?;
    Ok(Message::Close { error, allow_reconnect })
}

fn read_headers<'a>(reader: &mut Reader<'a>) -> Result<Headers<'a>, ProtocolError> {
    let length = reader.map_length().ok_or(ProtocolError::ElementLength { element: "headers", expected: "map" })?;
    let mut headers = Headers::new();
    for index in 0..length {
        let part = |part| element(format!("headers[{index}].{part}"), "String");
        let name = reader.string().ok_or_else(|| part("Key"))?;
        let value = reader.string().ok_or_else(|| part("Value"))?;
        headers.push((name, value));
    }
    Ok(headers)
}

fn sequence_id(reader: &mut Reader<'_>) -> Result<u64, ProtocolError> {
    reader.integer().and_then(|number| number.as_u64()).ok_or(element("sequenceId", "Int64"))
}

fn integer(reader: &mut Reader<'_>, name: &'static str) -> Result<i64, ProtocolError> {
    reader.integer().and_then(|number| number.as_i64()).ok_or(element(name, "Int32"))
}

fn filled<'a>(reader: &mut Reader<'a>, name: &'static str) -> Result<Cow<'a, str>, ProtocolError> {
    reader.string().filter(|text| !text.is_empty()).ok_or(element(name, "String"))
}

fn string<'a>(reader: &mut Reader<'a>, name: &'static str) -> Result<Cow<'a, str>, ProtocolError> {
    reader.string().ok_or(element(name, "String"))
}

fn element(element: impl Into<Cow<'static, str>>, expected: &'static str) -> ProtocolError {
    ProtocolError::Element { element: element.into(), expected }
}
