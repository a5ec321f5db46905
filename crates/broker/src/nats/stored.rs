//! One stored message, fetched by its sequence or as the last of its subject.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use super::request::{Failure, NO_MESSAGE};
use super::streams::Kind;
use super::wire::{Parts, Place, record};
use super::{Shared, time};
use crate::error::BrokerError;
use crate::message::Record;

#[derive(Deserialize)]
struct Answer {
    message: Raw,
}

#[derive(Deserialize)]
struct Raw {
    subject: String,
    seq: u64,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
    time: String,
}

impl Shared {
    /// The message at a sequence, if it exists.
    pub(super) async fn stored(&self, kind: Kind, sequence: u64) -> Result<Option<Parts>, BrokerError> {
        self.get(kind, &json!({ "seq": sequence })).await
    }

    /// The last message of the subjects, if there is any.
    pub(super) async fn last_stored(&self, kind: Kind, subjects: &str) -> Result<Option<Parts>, BrokerError> {
        self.get(kind, &json!({ "last_by_subj": subjects })).await
    }

    /// The first message at or after a sequence, if there is any.
    pub(super) async fn next_stored(&self, kind: Kind, sequence: u64) -> Result<Option<Parts>, BrokerError> {
        self.get(kind, &json!({ "seq": sequence, "next_by_subj": self.subjects(kind) })).await
    }

    /// The record at a place of the log, if it is still stored.
    pub(super) async fn record_at(&self, partition: u32, offset: u64) -> Result<Option<Record>, BrokerError> {
        if offset == 0 {
            return Ok(None);
        }
        Ok(self.stored(Kind::of(partition), offset).await?.map(record))
    }

    async fn get(&self, kind: Kind, which: &Value) -> Result<Option<Parts>, BrokerError> {
        let answer: Answer = match self.api(&format!("STREAM.MSG.GET.{}", self.name(kind)), which).await {
            Ok(answer) => answer,
            Err(failure) if failure.is(NO_MESSAGE) => return Ok(None),
            // A server answers this if there never was a message.
            Err(Failure::Fault(fault)) if fault.code == 404 && fault.err_code != super::request::STREAM_NOT_FOUND => {
                return Ok(None);
            }
            Err(failure) => return Err(failure.into_broker_error()),
        };
        let raw = answer.message;
        let decode = |text: &str| {
            STANDARD.decode(text).map_err(|e| BrokerError::Damaged(format!("message {} of NATS: {e}", raw.seq)))
        };
        let headers = headers(&decode(&raw.hdrs)?);
        let body = Bytes::from(decode(&raw.data)?);
        let place = Place { partition: kind.partition(), offset: raw.seq, time: time::milliseconds(&raw.time) };
        Ok(Some(Parts { place, subject: raw.subject, headers, body }))
    }
}

/// The headers of a stored message. Others may have written them: invalid text and invalid headers are read as far as
/// possible.
fn headers(raw: &[u8]) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(raw);
    let lines = text.split("\r\n").skip(1).filter(|line| !line.is_empty());
    let pair = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        (name.trim().to_owned(), value.trim().to_owned())
    };
    lines.map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_others_are_read_as_well_as_they_can_be() {
        let raw = b"NATS/1.0\r\nce-id: 1\r\nbroken\r\na:b:c\r\n\xff: x\r\n\r\n";
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(headers(raw), [pair("ce-id", "1"), pair("broken", ""), pair("a", "b:c"), pair("\u{fffd}", "x")]);
        assert!(headers(b"").is_empty());
    }
}
