//! What a request brings from elsewhere: its correlation id, its trace, and what its client says that it is.

use http::HeaderMap;

use super::client;
use crate::seal::MAX_PAYLOAD_BYTES;

/// The longest correlation id that is kept, in bytes.
const LONGEST_CORRELATION: usize = 128;

/// The longest `traceparent` that is kept, in bytes: one of version 00.
const LONGEST_TRACEPARENT: usize = 55;

/// Ids by which the lines of a connection are found in the logs of other systems, and the name of its client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trail {
    /// The correlation id of the client's request.
    pub correlation: Option<Box<str>>,
    /// The W3C `traceparent` of the request, and once it is open that of the connection.
    pub traceparent: Option<Box<str>>,
    /// Program and version of the client, in short.
    pub client: Option<Box<str>>,
}

impl Trail {
    /// Reads them from the headers of a request. A correlation id is anybody's text: a long one is cut,
    /// and unprintable characters are left out.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let correlation = text("x-correlation-id").map(|id| {
            let printable = id.chars().filter(|c| c.is_ascii_graphic() || *c == ' ');
            printable.take(LONGEST_CORRELATION).collect::<String>()
        });
        let correlation = correlation.filter(|id| !id.trim().is_empty()).map(String::into_boxed_str);
        Self { correlation, traceparent: text("traceparent").and_then(traceparent), client: client::of(headers) }
    }

    /// These, completed by those of the negotiation. There a browser's client can name itself, which it cannot with the
    /// request for a WebSocket.
    #[must_use]
    pub fn after(self, negotiation: Self) -> Self {
        Self {
            correlation: self.correlation.or(negotiation.correlation),
            traceparent: self.traceparent.or(negotiation.traceparent),
            client: negotiation.client.or(self.client),
        }
    }

    /// The id of the trace.
    #[must_use]
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent.as_deref().and_then(|text| text.get(3..35))
    }

    /// All as bytes after a token; the client's name as far as there is room.
    pub(super) fn write(&self, payload: &mut Vec<u8>) {
        if *self == Self::default() {
            return;
        }
        for text in [&self.correlation, &self.traceparent] {
            let text = text.as_deref().unwrap_or_default();
            // Neither is longer than a byte counts.
            payload.push(u8::try_from(text.len()).unwrap_or_default());
            payload.extend_from_slice(text.as_bytes());
        }
        // Last: nodes of an older version read no further than the trace.
        if let Some(client) = &self.client {
            let room = MAX_PAYLOAD_BYTES.saturating_sub(payload.len() + 1);
            let shown = &client.as_bytes()[..client.len().min(room)];
            payload.push(u8::try_from(shown.len()).unwrap_or_default());
            payload.extend_from_slice(shown);
        }
    }

    /// Reads them back; none if the bytes were not written this way.
    pub(super) fn read(mut bytes: &[u8]) -> Self {
        let mut next = || {
            let (length, rest) = bytes.split_first()?;
            let (text, rest) = rest.split_at_checked(usize::from(*length))?;
            bytes = rest;
            std::str::from_utf8(text).ok().filter(|text| !text.is_empty()).map(Box::from)
        };
        Self { correlation: next(), traceparent: next(), client: next() }
    }
}

/// A valid `traceparent`, if it is one.
pub(super) fn traceparent(text: &str) -> Option<Box<str>> {
    let mut parts = text.split('-');
    let mut hex = |length: usize| {
        parts.next().is_some_and(|part| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let is_one = text.len() == LONGEST_TRACEPARENT && hex(2) && hex(32) && hex(16) && hex(2);
    is_one.then(|| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn trail(correlation: &str, parent: &str) -> Trail {
        let mut headers = HeaderMap::new();
        headers.insert("x-correlation-id", correlation.parse().expect("a value"));
        headers.insert("traceparent", parent.parse().expect("a value"));
        Trail::of(&headers)
    }

    #[test]
    fn the_id_of_a_request_is_recovered_from_its_token() {
        let named = Trail { client: Some("SignalR 8.0.7 Browser".into()), ..trail("", PARENT) };
        for trail in [Trail::default(), trail("req-1 of 2", PARENT), trail("req-1", "none"), trail("", PARENT), named] {
            let mut bytes = Vec::new();
            trail.write(&mut bytes);
            assert_eq!(Trail::read(&bytes), trail);
        }
        assert_eq!(trail("a", PARENT).trace_id(), Some("4bf92f3577b34da6a3ce929d0e0e4736"));
    }

    #[test]
    fn whatever_a_client_sends_is_short_and_printable() {
        let long = trail(&"x".repeat(5000), &"0".repeat(5000));
        assert_eq!(long.correlation.expect("kept").len(), LONGEST_CORRELATION);
        assert_eq!(long.traceparent, None);
        assert_eq!(trail("a\tb", "00-x-y-01").correlation.as_deref(), Some("ab"));
        for wrong in [&b"\xff"[..], b"\x05ab", b"\x02\xff\xfe\x00"] {
            assert_eq!(Trail::read(wrong).traceparent, None);
        }
    }
}
