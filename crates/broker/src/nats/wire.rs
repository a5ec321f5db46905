//! A message as NATS transports it, and back.

use async_nats::HeaderMap;
use bytes::Bytes;

use super::subject::{self, Long};
use crate::message::{Message, Record, Stream};
use crate::token;

/// The header of the de-duplication id.
pub(super) const ID: &str = "Nats-Msg-Id";

/// The org, if it is too long for the subject.
const LONG_ORG: &str = "fanfare-org";

/// The key, if it is too long for the subject.
const LONG_KEY: &str = "fanfare-key";

/// Header names with a meaning for the server. A message may not have them, and a record does not show them.
const RESERVED: &str = "nats-";

/// Whether the server would interpret a header.
pub(super) fn is_reserved(name: &str) -> bool {
    name.get(..RESERVED.len()).is_some_and(|start| start.eq_ignore_ascii_case(RESERVED))
}

/// The headers of a message, with its id.
pub(super) fn headers(message: &Message) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in &message.headers {
        headers.append(name.as_str(), value.as_str());
    }
    headers.insert(ID, message.id.as_str());
    let key = message.key.as_deref().filter(|_| message.stream == Stream::State);
    for (name, part) in [(LONG_ORG, message.org.as_deref()), (LONG_KEY, key)] {
        if let Some(long) = part.filter(|part| token::is_long(part)) {
            headers.insert(name, long);
        }
    }
    headers
}

/// A place in a stream, and when it was assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) partition: u32,
    pub(super) offset: u64,
    pub(super) time: i64,
}

/// The parts of a record.
pub(super) struct Parts {
    pub(super) place: Place,
    pub(super) subject: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

/// The headers that are not the server's, in the order of their names, and the id.
///
/// The client's map has no order; sorted, a record is the same for every reader.
pub(super) fn own_headers(headers: Vec<(String, String)>) -> (Vec<(String, String)>, Option<String>) {
    let mut id = None;
    let mut own = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        if name.eq_ignore_ascii_case(ID) {
            id = Some(value);
        } else if !is_reserved(&name) && name != LONG_ORG && name != LONG_KEY {
            own.push((name, value));
        }
    }
    own.sort_by(|(a, _), (b, _)| a.cmp(b));
    (own, id.filter(|id| !id.is_empty()))
}

/// The pairs of a map.
pub(super) fn pairs(headers: Option<&HeaderMap>) -> Vec<(String, String)> {
    let pairs = headers.into_iter().flat_map(|map| map.iter()).flat_map(|(name, values)| {
        let name: &str = name.as_ref();
        values.iter().map(move |value| (name.to_owned(), value.as_str().to_owned()))
    });
    pairs.collect()
}

/// A record of one of the two streams.
pub(super) fn record(parts: Parts) -> Record {
    let Parts { place, subject, headers, body } = parts;
    let stream = if place.partition == super::STATE { Stream::State } else { Stream::Events };
    let long = |named: &str| headers.iter().find(|(name, _)| name == named).map(|(_, value)| value.as_str());
    let (org, topic, key) = subject::parse(stream, &subject, Long { org: long(LONG_ORG), key: long(LONG_KEY) });
    let (headers, id) = own_headers(headers);
    // A foreign message may have no id; its place becomes its id.
    let id = id.unwrap_or_else(|| format!("seq-{}", place.offset));
    let message = Message { stream, org, topic, key, id, headers, body };
    Record { partition: place.partition, offset: place.offset, time: place.time, message }
}
