//! Subjects: `events.{org}.{service}.{Event}` and `state.{org}.{service}.{Event}.{key}`.
//!
//! Each part is a token in which every character outside `[A-Za-z0-9-]` is percent-encoded, so that no part can be a
//! wildcard or match another's subjects. `_` means no org. A part that would be too long is replaced by its hash; its
//! value is then in a header.

use crate::message::{Message, Stream};
use crate::token::{self, NO_ORG};

/// The prefix of events' subjects.
pub(super) const EVENTS: &str = "events";

/// The prefix of state's subjects.
pub(super) const STATE: &str = "state";

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
        Some(org) => token::part(org, &mut subject),
        None => subject.push_str(NO_ORG),
    }
    for part in message.topic.split('.') {
        subject.push('.');
        token::part(part, &mut subject);
    }
    if let (Stream::State, Some(key)) = (message.stream, &message.key) {
        subject.push('.');
        token::part(key, &mut subject);
    }
    subject
}

/// The headers of parts that are too long for a subject.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Long<'a> {
    pub(super) org: Option<&'a str>,
    pub(super) key: Option<&'a str>,
}

/// Org, topic and key of a subject.
pub(super) fn parse(stream: Stream, subject: &str, long: Long<'_>) -> (Option<String>, String, Option<String>) {
    let mut tokens: Vec<&str> = subject.split('.').skip(1).collect();
    let key = match stream {
        Stream::State if tokens.len() > 2 => tokens.pop().map(|key| value(key, long.key)),
        _ => None,
    };
    let mut tokens = tokens.into_iter();
    let org = tokens.next().filter(|org| *org != NO_ORG).map(|org| value(org, long.org));
    let mut topic = String::new();
    for (n, token) in tokens.enumerate() {
        if n > 0 {
            topic.push('.');
        }
        topic.push_str(&value(token, None));
    }
    (org, topic, key)
}

/// Whether the topic has no empty part, which a subject cannot have.
pub(super) fn has_no_empty_part(topic: &str) -> bool {
    topic.split('.').all(|part| !part.is_empty())
}

/// The value of a token. A token that is not canonical stays as it is: rights are given by subject, so two subjects
/// must not name the same org.
fn value(token: &str, long: Option<&str>) -> String {
    token::value(token, long).unwrap_or_else(|| token.to_owned())
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
    fn a_subject_token_that_is_not_canonical_names_no_other_org() {
        for foreign in ["%61cme", "%2e", "a%", "a%2", "%zz", "%FF", "a b"] {
            let (org, ..) = parse(Stream::Events, &format!("events.{foreign}.a.B"), Long::default());
            assert_eq!(org.as_deref(), Some(foreign));
        }
        assert_eq!(parse(Stream::Events, "events", Long::default()), (None, String::new(), None));
        assert_eq!(parse(Stream::State, "state.acme", Long::default()), (Some("acme".into()), String::new(), None));
    }

    proptest! {
        #[test]
        fn a_subject_names_what_it_was_made_of(
            org in proptest::option::of(".{1,300}"), service in "[^.]{1,8}", event in "[^.]{1,8}", key in ".{1,300}",
            state in any::<bool>(),
        ) {
            let stream = if state { Stream::State } else { Stream::Events };
            let topic = format!("{service}.{event}");
            let key = state.then_some(key);
            let subject = of(&message(stream, org.as_deref(), &topic, key.as_deref()));
            let long = Long { org: org.as_deref(), key: key.as_deref() };
            prop_assert_eq!(parse(stream, &subject, long), (org, topic, key));
            prop_assert!(subject.len() < 600, "{}", subject.len());
            prop_assert!(subject.bytes().all(|b| b.is_ascii_graphic() && b != b'*' && b != b'>'));
        }
    }
}
