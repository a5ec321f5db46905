//! Events as messages of the broker.

use bytes::Bytes;
use fanfare_broker::{Message, Stream};
use fanfare_event::Encoded;

/// The message that carries an event: stateful types go to the compacted stream, by their key.
#[must_use]
pub fn to_message(event: Encoded) -> Message {
    let Encoded { attributes, body, key } = event;
    Message {
        stream: if key.is_some() { Stream::State } else { Stream::Events },
        org: attributes.org.as_ref().map(ToString::to_string),
        topic: attributes.event_type.as_str().to_owned(),
        key,
        id: attributes.dedup_id(),
        headers: attributes.to_headers(),
        body: Bytes::from(body),
    }
}
