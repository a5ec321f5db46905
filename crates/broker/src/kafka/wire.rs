//! A message as a Kafka record: its key and headers, and back.
//!
//! | | events | state |
//! |---|---|---|
//! | key | the org, else the message's key, else its type | `{org or _}/{Event}/{key}`, percent-encoded |
//! | headers | `ce-x` as `ce_x`, others as they are | likewise |
//! | own headers | `fanfare_message_id`, and `fanfare_type` where `ce_type` does not say it | likewise |

use bytes::Bytes;
use rdkafka::message::{Header, Headers, OwnedHeaders};

use super::token::{self, NO_ORG};
use crate::message::{Message, Stream};

/// The header with the id of the message.
pub(super) const MESSAGE_ID: &str = "fanfare_message_id";

/// The header with the type of the message, where `ce_type` is missing or says something else.
const TYPE: &str = "fanfare_type";

/// The key of the message's record.
pub(super) fn record_key(message: &Message) -> String {
    match message.stream {
        Stream::Events => {
            let key = message.org.as_deref().or(message.key.as_deref());
            key.unwrap_or(&message.topic).to_owned()
        }
        Stream::State => {
            let mut key = String::new();
            match &message.org {
                Some(org) => token::encode(org, &mut key),
                None => key.push_str(NO_ORG),
            }
            key.push('/');
            token::encode(event_name(&message.topic), &mut key);
            key.push('/');
            token::encode(message.key.as_deref().unwrap_or_default(), &mut key);
            key
        }
    }
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
    headers
}

pub(super) fn put(headers: OwnedHeaders, key: &str, value: &str) -> OwnedHeaders {
    headers.insert(Header { key, value: Some(value) })
}

/// A record as it came, without its place.
pub(super) struct Raw<'a, H: Headers> {
    pub(super) stream: Stream,
    pub(super) service: &'a str,
    pub(super) key: Option<&'a [u8]>,
    pub(super) headers: Option<&'a H>,
    pub(super) body: Option<&'a [u8]>,
}

/// The message that a record holds. Whatever a foreign producer wrote, there is one: what is missing is given a
/// stand-in, so that it can be named in a dead letter.
pub(super) fn message<H: Headers>(raw: &Raw<'_, H>, stand_in_id: impl FnOnce() -> String) -> Message {
    let read = ReadHeaders::of(raw.headers);
    let key = raw.key.map(|key| String::from_utf8_lossy(key).into_owned());
    let mut typed = read.own_type.or(read.ce_type);
    let (org, key) = match raw.stream {
        Stream::Events => match key {
            Some(key) if read.has_org => (Some(key), None),
            Some(key) if typed.as_deref() == Some(key.as_str()) => (None, None),
            key => (None, key),
        },
        Stream::State => match key.as_deref().and_then(state_key) {
            Some((org, event, key)) => {
                typed = Some(format!("{}.{event}", raw.service));
                (org, Some(key))
            }
            None => (None, key),
        },
    };
    Message {
        stream: raw.stream,
        org,
        topic: typed.unwrap_or_else(|| format!("{}.?", raw.service)),
        key,
        id: read.id.unwrap_or_else(stand_in_id),
        headers: read.headers,
        body: raw.body.map_or_else(Bytes::new, Bytes::copy_from_slice),
    }
}

/// Org, event and key of a state's record.
fn state_key(key: &str) -> Option<(Option<String>, String, String)> {
    let mut parts = key.split('/');
    let (org, event, key) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let org = if org == NO_ORG { None } else { Some(token::decode(org)?) };
    Some((org, token::decode(event)?, token::decode(key)?))
}

/// The headers of a record, with what is meant for this crate taken out.
#[derive(Default)]
struct ReadHeaders {
    headers: Vec<(String, String)>,
    id: Option<String>,
    own_type: Option<String>,
    ce_type: Option<String>,
    has_org: bool,
}

impl ReadHeaders {
    fn of<H: Headers>(headers: Option<&H>) -> Self {
        let mut read = Self::default();
        for header in headers.into_iter().flat_map(Headers::iter) {
            // Headers of foreign producers may hold anything; what is no text is shown as far as it is.
            let value = String::from_utf8_lossy(header.value.unwrap_or_default()).into_owned();
            read.take(header.key, value);
        }
        read
    }

    fn take(&mut self, name: &str, value: String) {
        match name {
            MESSAGE_ID if !value.is_empty() => self.id = Some(value),
            TYPE if !value.is_empty() => self.own_type = Some(value),
            MESSAGE_ID | TYPE => {}
            _ => {
                let name = match name.strip_prefix("ce_") {
                    Some(attribute) => format!("ce-{attribute}"),
                    None => name.to_owned(),
                };
                self.has_org |= name == "ce-org";
                if name == "ce-type" && !value.is_empty() {
                    self.ce_type = Some(value.clone());
                }
                self.headers.push((name, value));
            }
        }
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
