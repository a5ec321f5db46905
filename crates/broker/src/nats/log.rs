//! The end of the log, and the start of its replay window.

use std::time::Duration;

use serde_json::{Value, json};

use super::request::Failure;
use super::streams::{Info, Kind, Streams};
use super::{EVENTS, STATE, Shared, time};
use crate::error::BrokerError;
use crate::position::Position;

/// A place in one stream: the last covered sequence, and a time such that nothing covered is younger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Covered {
    sequence: u64,
    newest: i64,
}

impl Shared {
    pub(super) async fn head(&self) -> Result<Position, BrokerError> {
        let streams = self.streams().await?;
        let (events, state) =
            tokio::try_join!(self.end(Kind::Events, &streams.events), self.end(Kind::State, &streams.state))?;
        Ok(position(&streams, events, state))
    }

    /// The last sequence assigned in each of the two streams; needs no right to the stream of dead letters.
    pub(super) async fn ends(&self) -> Result<Position, BrokerError> {
        let (events, state) = tokio::try_join!(self.stream(Kind::Events), self.stream(Kind::State))?;
        let ends = [(EVENTS, events.state.last_seq), (STATE, state.state.last_seq)];
        let incarnation = Streams { events, state }.incarnation();
        Ok(Position::from_parts(incarnation, ends.into_iter().filter(|(_, last)| *last > 0)))
    }

    /// The last stored message. What was deleted after it never arrives, so no reader may wait for it.
    async fn end(&self, kind: Kind, info: &Info) -> Result<Covered, BrokerError> {
        let state = &info.state;
        let whole = state.messages == state.last_seq.saturating_add(1).saturating_sub(state.first_seq);
        let at_end = Covered { sequence: state.last_seq, newest: time::milliseconds(&state.last_ts) };
        if whole {
            return Ok(at_end);
        }
        let last = self.last_stored(kind, &self.subjects(kind)).await?;
        Ok(last.map_or(at_end, |parts| Covered { sequence: parts.place.offset, newest: parts.place.time }))
    }

    pub(super) async fn window(&self, age: Duration, records: u64) -> Result<Position, BrokerError> {
        let streams = self.streams().await?;
        let begin = |kind, info| self.begin(kind, info, age, records);
        let (events, state) =
            tokio::try_join!(begin(Kind::Events, &streams.events), begin(Kind::State, &streams.state))?;
        Ok(position(&streams, events, state))
    }

    /// The place just before the oldest message that is young enough and among the last `records`.
    async fn begin(&self, kind: Kind, info: &Info, age: Duration, records: u64) -> Result<Covered, BrokerError> {
        let end = self.end(kind, info).await?;
        let since = info.now().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let by_age = self.before_time(kind, since).await?;
        let by_count = end.sequence.saturating_sub(records);
        let kept = info.state.first_seq.saturating_sub(1);
        let sequence = by_age.max(by_count).max(kept).min(end.sequence);
        if sequence == end.sequence {
            return Ok(end);
        }
        if sequence == by_age {
            return Ok(Covered { sequence, newest: since.min(end.newest) });
        }
        let last = self.stored(kind, sequence).await?;
        Ok(Covered { sequence, newest: last.map_or(end.newest, |parts| parts.place.time) })
    }

    /// The sequence before the first message stored at or after a time; a consumer from there would start with that
    /// message.
    async fn before_time(&self, kind: Kind, since: i64) -> Result<u64, BrokerError> {
        #[derive(serde::Deserialize)]
        struct Consumer {
            name: String,
            delivered: Delivered,
        }
        #[derive(serde::Deserialize)]
        struct Delivered {
            stream_seq: u64,
        }
        let from = json!({ "deliver_policy": "by_start_time", "opt_start_time": time::rfc3339(since.max(0)) });
        let consumer: Consumer = self.make_consumer(kind, from).await.map_err(Failure::into_broker_error)?;
        self.remove_consumer(kind, &consumer.name).await;
        Ok(consumer.delivered.stream_seq)
    }

    /// Creates a consumer that expires if it is not pulled from.
    pub(super) async fn make_consumer<T: serde::de::DeserializeOwned>(
        &self,
        kind: Kind,
        from: Value,
    ) -> Result<T, Failure> {
        // Longer than a pull waits, so that a consumer in use never expires.
        const IDLE: Duration = Duration::from_secs(90);
        let stream = self.name(kind);
        let name = format!("fanfare-{}", super::pause::random_name());
        let mut config = from;
        for (key, value) in [
            ("name", json!(name)),
            ("ack_policy", json!("none")),
            ("replay_policy", json!("instant")),
            ("mem_storage", json!(true)),
            ("num_replicas", json!(1)),
            ("inactive_threshold", json!(u64::try_from(IDLE.as_nanos()).unwrap_or(u64::MAX))),
        ] {
            config[key] = value;
        }
        let wanted = json!({ "stream_name": stream, "config": config });
        self.api(&format!("CONSUMER.CREATE.{stream}.{name}"), &wanted).await
    }

    /// Removes a consumer. If that fails, it expires.
    pub(super) async fn remove_consumer(&self, kind: Kind, name: &str) {
        if let Ok((client, _)) = self.link.client().await {
            let subject = format!("$JS.API.CONSUMER.DELETE.{}.{name}", self.name(kind));
            let _ = client.publish_with_reply(subject, client.new_inbox(), bytes::Bytes::new()).await;
        }
    }
}

/// A partition with nothing covered has no entry.
fn position(streams: &Streams, events: Covered, state: Covered) -> Position {
    let parts = [(EVENTS, events), (STATE, state)].into_iter().filter(|(_, covered)| covered.sequence > 0);
    let newest = parts.clone().map(|(_, covered)| covered.newest).max().unwrap_or(0);
    let offsets = parts.map(|(partition, covered)| (partition, covered.sequence));
    Position::from_parts(streams.incarnation(), offsets).with_newest(newest)
}
