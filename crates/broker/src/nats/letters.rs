//! Dead letters: a stream of their own, with one subject for each record.

use std::sync::Arc;

use async_nats::HeaderMap;
use futures_util::{StreamExt, TryStreamExt, stream};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::json;

use super::place::StartPlace;
use super::publish::not_stored;
use super::request::{Failure, WRONG_LAST_SEQUENCE};
use super::source::{SHORT_READ, Source, Until};
use super::streams::Kind;
use super::wire::{Parts, own_headers};
use super::{Shared, time};
use crate::error::{BrokerError, PublishError};
use crate::letter::DeadLetter;
use crate::message::{Message, Stream};

/// The prefix of headers that contain a letter's own values.
const OWN: &str = "Fanfare-Letter-";

/// How often a letter is written while others write letters about the same place.
const TRIES: usize = 8;

/// Letters that are fetched concurrently.
const AT_ONCE: usize = 8;

impl Shared {
    pub(super) async fn dead_letter(&self, letter: DeadLetter) -> Result<(), PublishError> {
        let letter = letter.cut();
        self.stream(Kind::DeadLetters).await.map_err(not_stored)?;
        let limit = self.max_payload().await.map_err(not_stored)?;
        let subject = self.letter_subject(letter.place());
        let mut headers = headers(&letter, limit);
        headers.insert("Nats-Expected-Stream", self.name(Kind::DeadLetters).as_str());
        // The first letter stays: this one is stored only if its subject has none, or one about another record.
        let mut last = 0;
        for _ in 0..TRIES {
            headers.insert("Nats-Expected-Last-Subject-Sequence", last.to_string().as_str());
            match self.store_plain(&subject, headers.clone(), letter.message.body.clone()).await {
                Err(failure) if failure.is(WRONG_LAST_SEQUENCE) => {}
                outcome => return outcome.map_err(|failure| self.outcome(&subject, failure)),
            }
            let found = self.last_stored(Kind::DeadLetters, &subject).await.map_err(not_stored)?;
            last = found.as_ref().map_or(0, |parts| parts.place.offset);
            if found.and_then(self::letter).is_some_and(|found| found.is_about_the_same(&letter)) {
                return Ok(());
            }
        }
        Err(PublishError::NotStored(format!("the letter at {subject} changed with each of {TRIES} tries")))
    }

    /// The letters that were written last, by place, the last first.
    pub(super) async fn newest_letters(self: &Arc<Self>, limit: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        let info = self.stream(Kind::DeadLetters).await?;
        let (state, created) = (info.state, info.created);
        if state.messages == 0 || limit == 0 {
            return Ok(vec![]);
        }
        let limit_before = state.last_seq.saturating_sub(u64::try_from(limit).unwrap_or(u64::MAX));
        let after = limit_before.max(state.first_seq.saturating_sub(1));
        let from = StartPlace { kind: Kind::DeadLetters, after, created, known: None, newest: 0 };
        let mut batches = Source::spawn(self, from, None, Until::CaughtUp, letter);
        let mut letters = Vec::new();
        loop {
            let batch = tokio::time::timeout(SHORT_READ, batches.recv()).await;
            let batch = batch.map_err(|_| BrokerError::Unavailable("dead letters did not come in time".into()))?;
            match batch {
                Some(Ok(batch)) => letters.extend(batch.items.into_iter().flatten()),
                Some(Err(stopped)) => return Err(stopped.into_error()),
                None => break,
            }
        }
        letters.sort_unstable_by_key(|letter| std::cmp::Reverse(letter.place()));
        letters.truncate(limit);
        Ok(letters)
    }

    /// A page of letters by place, without reading the others.
    pub(super) async fn letters_before(
        &self,
        before: Option<(u32, u64)>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, BrokerError> {
        self.stream(Kind::DeadLetters).await?;
        let asked = self.info(Kind::DeadLetters, &json!({ "subjects_filter": self.subjects(Kind::DeadLetters) })).await;
        let subjects = asked.map_err(Failure::into_broker_error)?.state.subjects.unwrap_or_default();
        let places = subjects.keys().filter_map(|subject| place(subject));
        let mut places: Vec<_> = places.filter(|place| before.is_none_or(|before| *place < before)).collect();
        places.sort_unstable_by(|a, b| b.cmp(a));
        places.truncate(limit);
        let found = stream::iter(places).map(|(partition, offset)| self.letter_at(partition, offset));
        let found: Vec<_> = found.buffered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    pub(super) async fn letter_at(&self, partition: u32, offset: u64) -> Result<Option<DeadLetter>, BrokerError> {
        self.stream(Kind::DeadLetters).await?;
        let found = self.last_stored(Kind::DeadLetters, &self.letter_subject((partition, offset))).await?;
        Ok(found.and_then(letter))
    }

    fn letter_subject(&self, (partition, offset): (u32, u64)) -> String {
        format!("{}.deadletter.{partition}.{offset}", self.options.prefix)
    }
}

/// The place in a letter's subject.
fn place(subject: &str) -> Option<(u32, u64)> {
    let mut tokens = subject.rsplit('.');
    let offset = tokens.next()?.parse().ok()?;
    Some((tokens.next()?.parse().ok()?, offset))
}

/// The headers of a letter: those of its record, and its own.
fn headers(letter: &DeadLetter, limit: usize) -> HeaderMap {
    let message = &letter.message;
    let mut headers = HeaderMap::new();
    // The letter's own headers need less than this.
    let mut room = limit.saturating_sub(message.body.len()).saturating_sub(16 * 1024);
    for (name, value) in &message.headers {
        let size = name.len() + value.len() + 4;
        // Others may have written what is no valid header; losing it is better than losing the letter.
        let is_name = !name.is_empty() && name.bytes().all(|c| c.is_ascii_graphic() && c != b':');
        if is_name && size <= room && !name.starts_with(OWN) {
            room -= size;
            headers.append(name.as_str(), plain(value).as_str());
        }
    }
    let stream = match message.stream {
        Stream::Events => "events",
        Stream::State => "state",
    };
    let mut own = |name: &str, value: &str| headers.insert(format!("{OWN}{name}").as_str(), encoded(value).as_str());
    own("Reason", &letter.reason);
    own("Time", &letter.time.to_string());
    own("Size", &letter.body_size.to_string());
    own("Stream", stream);
    own("Topic", &message.topic);
    own("Id", &message.id);
    if let Some(org) = &message.org {
        own("Org", org);
    }
    if let Some(key) = &message.key {
        own("Key", key);
    }
    headers
}

/// Decodes a letter; none if the message is not one.
fn letter(parts: Parts) -> Option<DeadLetter> {
    let (partition, offset) = place(&parts.subject)?;
    let (mut headers, _) = own_headers(parts.headers);
    let mut own = std::collections::HashMap::new();
    headers.retain(|(name, value)| match name.strip_prefix(OWN) {
        Some(name) => {
            own.insert(name.to_owned(), decoded(value));
            false
        }
        None => true,
    });
    let mut text = |name: &str| own.remove(name);
    let message = Message {
        stream: if text("Stream").as_deref() == Some("state") { Stream::State } else { Stream::Events },
        org: text("Org"),
        topic: text("Topic").unwrap_or_default(),
        key: text("Key"),
        id: text("Id").unwrap_or_default(),
        headers,
        body: parts.body,
    };
    let size = message.body.len() as u64;
    Some(DeadLetter {
        partition,
        offset,
        reason: text("Reason").unwrap_or_default(),
        time: text("Time").and_then(|time| time.parse().ok()).unwrap_or_else(time::now),
        body_size: text("Size").and_then(|size| size.parse().ok()).unwrap_or(size),
        message,
    })
}

/// A value without the characters that end a header.
fn plain(value: &str) -> String {
    value.replace(['\r', '\n'], " ")
}

/// Encodes a value so that a header transports it unchanged: `%`, control characters, and spaces at its ends are
/// percent-encoded.
fn encoded(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut out = String::with_capacity(value.len());
    for (n, c) in value.chars().enumerate() {
        if c == '%' || c.is_control() || (c.is_whitespace() && (n == 0 || n == last)) {
            out.extend(utf8_percent_encode(c.encode_utf8(&mut [0; 4]), NON_ALPHANUMERIC));
        } else {
            out.push(c);
        }
    }
    out
}

fn decoded(value: &str) -> String {
    percent_decode_str(value).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_value_comes_back_as_it_was(value in ".{0,20}|[ %\r\n\t0-9A-F]{0,8}") {
            let on_the_wire = encoded(&value);
            prop_assert_eq!(on_the_wire.trim(), &on_the_wire);
            prop_assert!(!on_the_wire.chars().any(char::is_control));
            prop_assert_eq!(decoded(&on_the_wire), value);
        }
    }

    #[test]
    fn a_subject_ends_with_the_place() {
        assert_eq!(place("fanfare.deadletter.1.42"), Some((1, 42)));
        assert_eq!(place("fanfare.deadletter.x.42"), None);
        assert_eq!(place(""), None);
    }
}
