//! A message as a Kafka record: its key and headers, and back.
//!
//! | | events | state |
//! |---|---|---|
//! | key | the org, else the message's key, else its type | `{org or _}/{Event}/{key}`, percent-encoded |
//! | headers | `ce-x` as `ce_x`, others as they are | likewise |
//! | own headers | `fanfare_message_id`, and `fanfare_type` where `ce_type` does not say it | likewise |
//!
//! A part that would be too long is replaced by its hash; its value is then in `fanfare_org` or `fanfare_key`.

use std::borrow::Cow;

use bytes::Bytes;
use percent_encoding::percent_decode_str;
use rdkafka::message::{Header, Headers, OwnedHeaders};

use crate::message::{Message, Stream};
use crate::token::{self, NO_ORG};

/// The header with the id of the message.
pub(super) const MESSAGE_ID: &str = "fanfare_message_id";

/// The header with the type of the message, if `ce_type` is missing or differs.
const TYPE: &str = "fanfare_type";

/// The org, if it is too long for a key.
const LONG_ORG: &str = "fanfare_org";

/// The key, if it is too long for a record's key.
const LONG_KEY: &str = "fanfare_key";

/// The key of the message's record.
pub(super) fn record_key(message: &Message) -> String {
    match message.stream {
        Stream::Events => {
            let key = message.org.as_deref().or(message.key.as_deref());
            order_key(key.unwrap_or(&message.topic))
        }
        Stream::State => {
            let mut key = String::new();
            match &message.org {
                Some(org) => token::part(org, &mut key),
                None => key.push_str(NO_ORG),
            }
            for part in [event_name(&message.topic), message.key.as_deref().unwrap_or_default()] {
                key.push('/');
                token::part(part, &mut key);
            }
            key
        }
    }
}

/// The ordering key of an event, as the key of its record: the value itself, unless it is too long.
fn order_key(value: &str) -> String {
    if !token::is_long(value) {
        return value.to_owned();
    }
    let mut key = String::new();
    token::part(value, &mut key);
    key
}

/// The first part of a message's topic.
pub(super) fn service(topic: &str) -> &str {
    topic.split_once('.').map_or(topic, |(service, _)| service)
}

fn event_name(topic: &str) -> &str {
    topic.split_once('.').map_or("", |(_, event)| event)
}

/// The headers of the message's record.
pub(super) fn record_headers(message: &Message) -> OwnedHeaders {
    let mut headers = OwnedHeaders::new_with_capacity(message.headers.len() + 2);
    let mut typed = false;
    headers = put(headers, MESSAGE_ID, &message.id);
    for (name, value) in &message.headers {
        typed |= name.eq_ignore_ascii_case("ce-type") && *value == message.topic;
        headers = match name.strip_prefix("ce-") {
            Some(attribute) => put(headers, &format!("ce_{attribute}"), value),
            None => put(headers, name, value),
        };
    }
    if !typed {
        headers = put(headers, TYPE, &message.topic);
    }
    for (name, value) in [(LONG_ORG, &message.org), (LONG_KEY, &message.key)] {
        if let Some(long) = value.as_deref().filter(|value| token::is_long(value)) {
            headers = put(headers, name, long);
        }
    }
    headers
}

pub(super) fn put(headers: OwnedHeaders, key: &str, value: &str) -> OwnedHeaders {
    headers.insert(Header { key, value: Some(value) })
}

/// A record as it was received, without its place.
pub(super) struct Raw<'a, H: Headers> {
    pub(super) stream: Stream,
    pub(super) service: &'a str,
    pub(super) key: Option<&'a [u8]>,
    pub(super) headers: Option<&'a H>,
    pub(super) body: Option<&'a [u8]>,
}

/// The message in a record. Whatever a foreign producer wrote, there is one: missing values get placeholders, so that a
/// dead letter can name the record.
///
/// Its topic starts with the service of the record's topic, whatever the headers contain: rights are given by topic.
pub(super) fn message<H: Headers>(raw: &Raw<'_, H>, stand_in_id: impl FnOnce() -> String) -> Message {
    let read = ReadHeaders::of(raw.headers);
    let key = raw.key.map(|key| String::from_utf8_lossy(key).into_owned());
    let typed = read.own_type.as_ref().or(read.ce_type.as_ref()).filter(|typed| service(typed) == raw.service);
    let mut topic = typed.cloned().unwrap_or_else(|| format!("{}.?", raw.service));
    let (org, key) = match raw.stream {
        Stream::Events => event_key(&read, key, &topic),
        Stream::State => match key.as_deref().and_then(|key| state_key(key, &read)) {
            Some((org, event, key)) => {
                topic = format!("{}.{event}", raw.service);
                (org, Some(key))
            }
            None => (None, key),
        },
    };
    Message {
        stream: raw.stream,
        org,
        topic,
        key,
        id: read.id.unwrap_or_else(stand_in_id),
        headers: read.headers,
        body: raw.body.map_or_else(Bytes::new, Bytes::copy_from_slice),
    }
}

/// The org of an event's record, and its key if that differs.
///
/// Records written by Fanfare have the org as key. Foreign producers choose any key, and name the org in the header, in
/// the body, or not at all; their key is no org.
fn event_key(read: &ReadHeaders, key: Option<String>, topic: &str) -> (Option<String>, Option<String>) {
    let is_ours = read.id.is_some();
    // A record without a key has no order with others.
    let Some(key) = key else { return (read.org.clone(), read.org.is_none().then(|| topic.to_owned())) };
    if let Some(long) = read.long_org.as_ref().filter(|long| order_key(long) == key) {
        return (Some(long.clone()), None);
    }
    match &read.org {
        Some(org) if is_ours && order_key(org) != key => (Some(key), None),
        Some(org) => (Some(org.clone()), None),
        None if is_ours && order_key(topic) == key => (None, None),
        None => {
            let long = read.long_key.as_ref().filter(|long| order_key(long) == key);
            (None, Some(long.cloned().unwrap_or(key)))
        }
    }
}

/// Org, event and key of a state record.
fn state_key(key: &str, read: &ReadHeaders) -> Option<(Option<String>, String, String)> {
    let mut parts = key.split('/');
    let (org, event, key) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let org = if org == NO_ORG { None } else { Some(token::value(org, read.long_org.as_deref())?) };
    Some((org, token::value(event, None)?, token::value(key, read.long_key.as_deref())?))
}

/// The headers of a record, without those for this crate.
#[derive(Default)]
struct ReadHeaders {
    headers: Vec<(String, String)>,
    id: Option<String>,
    own_type: Option<String>,
    ce_type: Option<String>,
    org: Option<String>,
    long_org: Option<String>,
    long_key: Option<String>,
}

impl ReadHeaders {
    fn of<H: Headers>(headers: Option<&H>) -> Self {
        let mut read = Self::default();
        for header in headers.into_iter().flat_map(Headers::iter) {
            // A header without a value counts as absent. Headers of foreign producers may contain anything; invalid
            // text is shown as far as it is valid.
            if let Some(value) = header.value {
                read.take(header.key, String::from_utf8_lossy(value).into_owned());
            }
        }
        read
    }

    fn take(&mut self, name: &str, value: String) {
        match name {
            MESSAGE_ID if !value.is_empty() => self.id = Some(value),
            TYPE if !value.is_empty() => self.own_type = Some(value),
            LONG_ORG if token::is_long(&value) => self.long_org = Some(value),
            LONG_KEY if token::is_long(&value) => self.long_key = Some(value),
            MESSAGE_ID | TYPE | LONG_ORG | LONG_KEY => {}
            _ => {
                let name = match name.strip_prefix("ce_") {
                    Some(attribute) => format!("ce-{attribute}"),
                    None => name.to_owned(),
                };
                if name == "ce-org" && !value.is_empty() {
                    self.org = Some(unquoted(&value));
                }
                if name == "ce-type" && !value.is_empty() {
                    self.ce_type = Some(value.clone());
                }
                self.headers.push((name, value));
            }
        }
    }
}

/// An attribute without its percent-encoding, which its header has as over HTTP; text that is not encoded stays as it
/// is.
fn unquoted(value: &str) -> String {
    percent_decode_str(value).decode_utf8().map_or_else(|_| value.to_owned(), Cow::into_owned)
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
