//! The session and the publisher: what is sent, and its outcomes.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinError;
use tokio::time::Instant;

use crate::publisher::{PublishError, Publisher};
use crate::table::Sent;

use super::Session;
use super::publication::{Outcome, publish};

impl<P: Publisher> Session<'_, P> {
    /// Publishes the rows that may be published now.
    pub(super) fn dispatch(&mut self) {
        let now = self.now();
        self.lanes.unblock(now);
        self.look |= self.lanes.take_wants_rows();
        while self.may_dispatch(now) {
            let row = if self.broker.lasts() { self.lanes.next_probe() } else { self.lanes.next() };
            let Some(row) = row else { return };
            let publisher = Arc::clone(&self.relay.publisher);
            self.in_flight.spawn(publish(publisher, row, self.held_until.subscribe()));
        }
    }

    pub(super) fn may_dispatch(&self, now: Duration) -> bool {
        // After an outage one event must succeed before the others follow.
        let most = if self.broker.lasts() { 1 } else { self.relay.options.in_flight.max(1) };
        let up = self.broker.paused_until(now).is_none() && !self.database.lasts();
        up && !self.is_suspicious() && self.lanes.is_ready() && self.lanes.in_flight() < most
    }

    /// Handles a publication's outcome; false if the publisher panicked.
    pub(super) fn note(&mut self, finished: Result<Outcome, JoinError>) -> bool {
        let (row, outcome) = match finished {
            Ok(outcome) => outcome,
            Err(error) => {
                // The task's row is lost with it; a new session starts from the table.
                tracing::error!(%error, "the publisher panicked");
                return false;
            }
        };
        if !matches!(outcome, Err(PublishError::Unreachable(_))) && self.broker.succeeded() {
            tracing::info!("events can be published again");
        }
        let stats = &self.relay.stats;
        match outcome {
            Ok(place) => {
                stats.add_published();
                self.results.published(Sent { seq: row.seq, place });
                self.lanes.done(&row);
            }
            Err(PublishError::Rejected(reason)) => {
                stats.add_parked();
                tracing::warn!(event_id = row.event_id(), reason, "an event was rejected and is parked");
                self.results.parked(row.seq, reason);
                self.lanes.done(&row);
            }
            Err(PublishError::Retry(reason)) => {
                stats.add_retry();
                let pause = self.lanes.retry(&row, self.start.elapsed(), fanfare_failure::chance());
                let (event_id, duration_ms) = (row.event_id(), pause.as_millis() as u64);
                tracing::warn!(event_id, reason, duration_ms, "an event will be tried again");
                self.results.retried(row.seq);
            }
            Err(PublishError::Unreachable(reason)) => {
                stats.add_retry();
                self.lanes.put_back(&row);
                if self.broker.failed(self.start.elapsed(), fanfare_failure::chance()) {
                    tracing::warn!(reason, "no event can be published at the moment");
                }
            }
        }
        if self.relay.publisher.may_have_gone_back() {
            self.keeping.ask_first(Instant::now());
        }
        true
    }
}
