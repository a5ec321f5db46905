//! Events as messages of the broker.

use bytes::Bytes;
use fanfare_broker::{Message, Stream};
use fanfare_event::Encoded;

/// The message that carries an event: stateful types go to the compacted stream, by their key.
///
/// `user` is the user whom the event concerns: it orders events without an org, if a broker has several orders.
#[must_use]
pub fn to_message(event: Encoded, user: Option<&str>) -> Message {
    let Encoded { attributes, body, key } = event;
    let stream = if key.is_some() { Stream::State } else { Stream::Events };
    let order = user.filter(|_| attributes.org.is_none());
    Message {
        stream,
        org: attributes.org.as_ref().map(ToString::to_string),
        topic: attributes.event_type.as_str().to_owned(),
        key: key.or_else(|| order.map(str::to_owned)),
        id: attributes.dedup_id(),
        headers: attributes.to_headers(),
        body: Bytes::from(body),
    }
}
