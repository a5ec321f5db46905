//! Decodes a JSON object into a message.

use std::borrow::Cow;

use super::reader::Reader;
use crate::{Decoded, Headers, Message, Outcome, ProtocolError, Value};

/// Decodes one message.
pub(crate) fn decode(body: &[u8]) -> Result<Decoded<'_>, ProtocolError> {
    let mut fields = Fields::default();
    // The peer is sent the first error, even if the text breaks off later.
    if let Err(error) = read_fields(body, |name, value| fields.take(&name, value)) {
        return Err(fields.fault.unwrap_or(error));
    }
    fields.into_message()
}

/// The content of a handshake request.
pub(crate) struct HandshakeFields<'a> {
    pub(crate) protocol: Cow<'a, str>,
    pub(crate) version: i64,
}

/// Decodes a handshake request.
pub(crate) fn handshake_fields(body: &[u8]) -> Result<HandshakeFields<'_>, ProtocolError> {
    let (mut protocol, mut version) = (None, None);
    read_fields(body, |name, value| match &*name {
        "protocol" => protocol = Some(value),
        "version" => version = Some(value),
        _ => {}
    })?;
    Ok(HandshakeFields {
        protocol: string("protocol", required("protocol", protocol)?)?,
        version: required("version", version)?.as_i64().ok_or(number("version"))?,
    })
}

fn read_fields<'a>(body: &'a [u8], mut field: impl FnMut(Cow<'a, str>, Value<'a>)) -> Result<(), ProtocolError> {
    let mut reader = Reader::new(body)?;
    expect_object(&mut reader)?;
    reader.object(|reader, name| {
        let value = reader.value(0)?;
        field(name, value);
        Ok(())
    })?;
    reader.end()
}

fn expect_object(reader: &mut Reader<'_>) -> Result<(), ProtocolError> {
    let found = match reader.peek() {
        Some(b'{') => return Ok(()),
        Some(b'[') => "Array",
        Some(b'"') => "String",
        Some(b'n') => "Null",
        Some(b't') => "True",
        Some(b'f') => "False",
        Some(b'-' | b'0'..=b'9') => "Number",
        Some(_) => return Err(reader.fault("expected an object")),
        None => return Err(reader.fault("the message is empty")),
    };
    Err(ProtocolError::NotAnObject { found })
}

/// The properties of all message types, in any order.
#[derive(Default)]
struct Fields<'a> {
    message_type: Option<i64>,
    headers: Headers<'a>,
    invocation_id: Option<Cow<'a, str>>,
    target: Option<Cow<'a, str>>,
    arguments: Option<Vec<Value<'a>>>,
    stream_ids: Vec<Cow<'a, str>>,
    item: Option<Value<'a>>,
    result: Option<Value<'a>>,
    error: Option<Cow<'a, str>>,
    allow_reconnect: bool,
    sequence_id: Option<u64>,
    fault: Option<ProtocolError>,
}

impl<'a> Fields<'a> {
    fn take(&mut self, name: &str, value: Value<'a>) {
        if let Err(fault) = self.set(name, value) {
            self.fault.get_or_insert(fault);
        }
    }

    fn set(&mut self, name: &str, value: Value<'a>) -> Result<(), ProtocolError> {
        match name {
            "type" => self.message_type = Some(value.as_i64().ok_or(number("type"))?),
            "item" => self.item = Some(value),
            "result" => self.result = Some(value),
            // Some clients write null for absent properties.
            "headers" | "invocationId" | "streamIds" | "error" | "allowReconnect" if value.is_null() => {}
            "headers" => self.headers = headers(value)?,
            "invocationId" => self.invocation_id = Some(string("invocationId", value)?),
            "target" => self.target = Some(string("target", value)?),
            "arguments" => self.arguments = Some(array("arguments", value)?),
            "streamIds" => {
                let ids = array("streamIds", value)?;
                self.stream_ids = ids.into_iter().map(|id| string("streamIds", id)).collect::<Result<_, _>>()?;
            }
            "error" => self.error = Some(string("error", value)?),
            "allowReconnect" => {
                let flag = value.as_bool();
                self.allow_reconnect = flag.ok_or(ProtocolError::NotABoolean { property: "allowReconnect" })?;
            }
            "sequenceId" => self.sequence_id = Some(value.as_u64().ok_or(number("sequenceId"))?),
            _ => {}
        }
        Ok(())
    }

    fn into_message(mut self) -> Result<Decoded<'a>, ProtocolError> {
        // The properties of an unknown message type may have any types.
        if let Some(message_type) = self.message_type.filter(|number| !(1..=9).contains(number)) {
            return Ok(Decoded::Ignored { message_type });
        }
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let headers = std::mem::take(&mut self.headers);
        let message = match self.message_type {
            Some(1) => self.invocation()?,
            Some(2) => Message::StreamItem { invocation_id: self.id()?, item: required("item", self.item)? },
            Some(3) => self.completion()?,
            Some(4) => self.stream_invocation()?,
            Some(5) => Message::CancelInvocation { invocation_id: self.id()? },
            Some(6) => Message::Ping,
            Some(7) => Message::Close { error: self.error, allow_reconnect: self.allow_reconnect },
            Some(8) => Message::Ack { sequence_id: required("sequenceId", self.sequence_id)? },
            Some(9) => Message::Sequence { sequence_id: required("sequenceId", self.sequence_id)? },
            _ => return Err(ProtocolError::MissingProperty { property: "type" }),
        };
        Ok(Decoded::Message { message, headers })
    }

    fn invocation(self) -> Result<Message<'a>, ProtocolError> {
        Ok(Message::Invocation {
            target: filled("target", self.target)?,
            arguments: required("arguments", self.arguments)?,
            // An empty id counts as none: the caller does not wait for an answer.
            invocation_id: self.invocation_id.filter(|id| !id.is_empty()),
            stream_ids: self.stream_ids,
        })
    }

    fn stream_invocation(self) -> Result<Message<'a>, ProtocolError> {
        Ok(Message::StreamInvocation {
            invocation_id: filled("invocationId", self.invocation_id)?,
            target: filled("target", self.target)?,
            arguments: required("arguments", self.arguments)?,
            stream_ids: self.stream_ids,
        })
    }

    fn completion(self) -> Result<Message<'a>, ProtocolError> {
        let outcome = match (self.result, self.error) {
            (Some(_), Some(_)) => return Err(ProtocolError::ErrorAndResult),
            (Some(result), None) => Outcome::Value(result),
            (None, Some(error)) => Outcome::Error(error),
            (None, None) => Outcome::Void,
        };
        Ok(Message::Completion { invocation_id: filled("invocationId", self.invocation_id)?, outcome })
    }

    fn id(&mut self) -> Result<Cow<'a, str>, ProtocolError> {
        filled("invocationId", self.invocation_id.take())
    }
}

fn required<T>(property: &'static str, value: Option<T>) -> Result<T, ProtocolError> {
    value.ok_or(ProtocolError::MissingProperty { property })
}

fn filled<'a>(property: &'static str, text: Option<Cow<'a, str>>) -> Result<Cow<'a, str>, ProtocolError> {
    required(property, text.filter(|text| !text.is_empty()))
}

fn number(property: &'static str) -> ProtocolError {
    ProtocolError::PropertyType { property, expected: "Number" }
}

fn string<'a>(property: &'static str, value: Value<'a>) -> Result<Cow<'a, str>, ProtocolError> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(ProtocolError::PropertyType { property, expected: "String" }),
    }
}

fn array<'a>(property: &'static str, value: Value<'a>) -> Result<Vec<Value<'a>>, ProtocolError> {
    match value {
        Value::Array(items) => Ok(items),
        _ => Err(ProtocolError::PropertyType { property, expected: "Array" }),
    }
}

fn headers(value: Value<'_>) -> Result<Headers<'_>, ProtocolError> {
    let Value::Map(entries) = value else {
        return Err(ProtocolError::PropertyType { property: "headers", expected: "Object" });
    };
    entries
        .into_iter()
        .map(|(name, value)| match value {
            Value::String(text) => Ok((name, text)),
            _ => Err(ProtocolError::HeaderType { name: name.into_owned() }),
        })
        .collect()
}
