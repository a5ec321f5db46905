//! Subjects: `events.{org}.{service}.{Event}` and `state.{org}.{service}.{Event}.{key}`.
//!
//! Each part is a token in which every character outside `[A-Za-z0-9-]` is percent-encoded, so that no part can be a
//! wildcard or reach into another. `_` stands for no org.

use std::fmt::Write;

use crate::message::{Message, Stream};

/// What the subjects of events begin with.
pub(super) const EVENTS: &str = "events";

/// What the subjects of state begin with.
pub(super) const STATE: &str = "state";

const NO_ORG: &str = "_";

/// The subject of a message that has passed the limits.
pub(super) fn of(message: &Message) -> String {
    let root = match message.stream {
        Stream::Events => EVENTS,
        Stream::State => STATE,
    };
    let mut subject = String::with_capacity(64);
    subject.push_str(root);
    subject.push('.');
    match &message.org {
        Some(org) => encode(org, &mut subject),
        None => subject.push_str(NO_ORG),
    }
    for part in message.topic.split('.') {
        subject.push('.');
        encode(part, &mut subject);
    }
    if let (Stream::State, Some(key)) = (message.stream, &message.key) {
        subject.push('.');
        encode(key, &mut subject);
    }
    subject
}

/// Org, topic and key of a subject.
pub(super) fn parse(stream: Stream, subject: &str) -> (Option<String>, String, Option<String>) {
    let mut tokens: Vec<&str> = subject.split('.').skip(1).collect();
    let key = match stream {
        Stream::State if tokens.len() > 2 => tokens.pop().map(decode),
        _ => None,
    };
    let mut tokens = tokens.into_iter();
    let org = tokens.next().filter(|org| *org != NO_ORG).map(decode);
    let mut topic = String::new();
    for (n, token) in tokens.enumerate() {
        if n > 0 {
            topic.push('.');
        }
        topic.push_str(&decode(token));
    }
    (org, topic, key)
}

/// Whether the topic has no empty part, which a subject cannot have.
pub(super) fn has_no_empty_part(topic: &str) -> bool {
    topic.split('.').all(|part| !part.is_empty())
}

fn encode(part: &str, into: &mut String) {
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' {
            into.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(into, "%{byte:02X}");
        }
    }
}

/// A token as text. One that no [`encode`] has made stays as it is: rights are given by subject, so two subjects must
/// not name the same org.
fn decode(token: &str) -> String {
    if !token.contains('%') && token.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return token.to_owned();
    }
    let decoded = percent_decoded(token).filter(|text| {
        let mut again = String::with_capacity(token.len());
        encode(text, &mut again);
        again == token
    });
    decoded.unwrap_or_else(|| token.to_owned())
}

fn percent_decoded(token: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(token.len());
    let mut rest = token.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let value = digit()? * 16 + digit()?;
        bytes.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn message(stream: Stream, org: Option<&str>, topic: &str, key: Option<&str>) -> Message {
        Message {
            stream,
            org: org.map(Into::into),
            topic: topic.into(),
            key: key.map(Into::into),
            id: "1".into(),
            headers: vec![],
            body: Bytes::new(),
        }
    }

    #[test]
    fn each_part_is_a_token() {
        let event = |org| of(&message(Stream::Events, org, "license.FlagToggled", None));
        assert_eq!(event(Some("acme")), "events.acme.license.FlagToggled");
        assert_eq!(event(None), "events._.license.FlagToggled");
        assert_eq!(event(Some("_")), "events.%5F.license.FlagToggled");
        assert_eq!(event(Some("a.b")), "events.a%2Eb.license.FlagToggled");
        assert_eq!(event(Some(">")), "events.%3E.license.FlagToggled");
        assert_eq!(event(Some("*")), "events.%2A.license.FlagToggled");
        let state = message(Stream::State, Some("acme"), "license.FlagToggled", Some("dark mode"));
        assert_eq!(of(&state), "state.acme.license.FlagToggled.dark%20mode");
    }

    #[test]
    fn a_token_that_was_never_written_names_nobody_else() {
        for foreign in ["%61cme", "%2e", "a%", "a%2", "%zz", "%FF", "a b"] {
            let (org, ..) = parse(Stream::Events, &format!("events.{foreign}.a.B"));
            assert_eq!(org.as_deref(), Some(foreign));
        }
        assert_eq!(parse(Stream::Events, "events"), (None, String::new(), None));
        assert_eq!(parse(Stream::State, "state.acme"), (Some("acme".into()), String::new(), None));
    }

    proptest! {
        #[test]
        fn a_subject_names_what_it_was_made_of(
            org in proptest::option::of(".{1,12}"), service in "[^.]{1,8}", event in "[^.]{1,8}", key in ".{1,12}",
            state in any::<bool>(),
        ) {
            let stream = if state { Stream::State } else { Stream::Events };
            let topic = format!("{service}.{event}");
            let key = state.then_some(key);
            let subject = of(&message(stream, org.as_deref(), &topic, key.as_deref()));
            prop_assert_eq!(parse(stream, &subject), (org, topic, key));
            prop_assert!(subject.bytes().all(|b| b.is_ascii_graphic() && b != b'*' && b != b'>'));
        }
    }
}
