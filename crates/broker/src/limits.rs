//! The size of a message and its allowed characters, the same for all brokers.

use crate::error::PublishError;
use crate::message::{Message, Stream};

/// The largest sizes that a broker accepts, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The body; default 1 MiB.
    pub body: usize,
    /// All header names and values together; default 16 KiB.
    pub headers: usize,
    /// The de-duplication id; default 640, because source and id of an event take up to 517.
    pub id: usize,
    /// The key; default 4,096, because it may consist of several ids, each as long as 256 characters can be.
    pub key: usize,
    /// The organisation; default 1,024, the longest that 256 characters can be.
    pub org: usize,
    /// The topic; default 256.
    pub topic: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 1024 * 1024, headers: 16 * 1024, id: 640, key: 4096, org: 1024, topic: 256 }
    }
}

impl Limits {
    /// The size of the largest message that passes.
    pub fn largest_message(&self) -> usize {
        self.body + self.headers + self.id + self.key + self.org + self.topic
    }

    /// Checks a message before any of it is sent.
    pub fn check(&self, message: &Message) -> Result<(), PublishError> {
        let m = message;
        text("topic", &m.topic, self.topic)?;
        text("id", &m.id, self.id)?;
        if let Some(org) = &m.org {
            text("org", org, self.org)?;
        }
        if let Some(key) = &m.key {
            text("key", key, self.key)?;
        } else if m.stream == Stream::State {
            return Err(invalid("a message to the state stream needs a key"));
        }
        size("body", m.body.len(), self.body)?;
        size("headers", m.headers_size(), self.headers)?;
        m.headers.iter().try_for_each(|(n, v)| header(n, v))
    }
}

fn text(part: &'static str, value: &str, limit: usize) -> Result<(), PublishError> {
    if value.is_empty() {
        return Err(invalid(format!("{part} is empty")));
    }
    if value.chars().any(char::is_control) {
        return Err(invalid(format!("{part} holds a control character")));
    }
    size(part, value.len(), limit)
}

fn size(part: &'static str, size: usize, limit: usize) -> Result<(), PublishError> {
    if size > limit {
        return Err(PublishError::TooLarge { part, size, limit });
    }
    Ok(())
}

// The characters that NATS and Kafka both transport unchanged.
fn header(name: &str, value: &str) -> Result<(), PublishError> {
    let plain = |c: u8| c.is_ascii_graphic() && c != b':';
    if name.is_empty() || !name.bytes().all(plain) {
        return Err(invalid(format!("header name {name:?} is not visible ASCII without a colon")));
    }
    if value.chars().any(char::is_control) {
        return Err(invalid(format!("header {name} holds a control character in its value")));
    }
    Ok(())
}

fn invalid(reason: impl Into<String>) -> PublishError {
    PublishError::Invalid(reason.into())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn message() -> Message {
        Message {
            stream: Stream::State,
            org: Some("acme".into()),
            topic: "license.FlagToggled".into(),
            key: Some("dark-mode".into()),
            id: "license/1".into(),
            headers: vec![("ce-id".into(), "1".into())],
            body: Bytes::from_static(b"x"),
        }
    }

    fn refused(change: impl FnOnce(&mut Message)) -> String {
        let mut m = message();
        change(&mut m);
        let error = Limits::default().check(&m).expect_err("refused");
        error.to_string()
    }

    #[test]
    fn a_plain_message_passes() {
        Limits::default().check(&message()).expect("passes");
    }

    #[test]
    fn each_fault_is_named() {
        assert_eq!(refused(|m| m.id.clear()), "invalid message: id is empty");
        assert!(refused(|m| m.key = None).contains("needs a key"));
        assert!(refused(|m| m.topic = "a\nb".into()).contains("topic holds a control"));
        assert!(refused(|m| m.headers[0].0 = "a:b".into()).contains("\"a:b\""));
        assert!(refused(|m| m.headers[0].1 = "a\r\nb".into()).contains("ce-id"));
        assert_eq!(refused(|m| m.key = Some("k".repeat(4097))), "key has 4097 bytes, at most 4096 are allowed");
        assert!(refused(|m| m.body = vec![0; 1024 * 1024 + 1].into()).starts_with("body has"));
        assert!(refused(|m| m.headers[0].1 = "v".repeat(17_000)).starts_with("headers has"));
    }
}
