//! One event on its way from the log to the shards.

use std::sync::Arc;

use fanfare_broker::Record;
use fanfare_event::Event;
use smallvec::SmallVec;
use tracing::Instrument as _;

use super::decode::decode_within;
use super::letters::replay_of;
use super::{Pipeline, Unusable, Written};
use crate::groups::{Delivery, ShardMessage};
use crate::projection::{Consequence, Folded, HubTag, Verdict, seal_cursor};
use crate::route::Match;

/// The routes that take an event.
type Matches<'t> = SmallVec<[Match<'t>; 2]>;

/// Whether what a record says is delivered or only learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// The compacted state, read ahead of the log.
    State,
    /// The log up to what existed at start: learnt, and delivered to nobody.
    CatchingUp,
    /// The log as it grows.
    Live,
}

impl Pipeline {
    /// Handles one record and whatever follows from it.
    pub(super) async fn handle(&self, record: &Record, mode: Mode) {
        // A span for each of a million records that are only learnt would cost more than learning them.
        if mode != Mode::Live {
            return self.handle_in(record, mode).await;
        }
        let span = tracing::info_span!(
            "event",
            r#type = record.message.topic,
            partition = record.partition,
            offset = record.offset
        );
        let traceparent = record.message.headers.iter().find(|(name, _)| name == "traceparent");
        if let Some((_, traceparent)) = traceparent {
            fanfare_telemetry::follow(&span, traceparent);
        }
        self.handle_in(record, mode).instrument(span).await;
        self.groups.pass_record(record);
    }

    /// The cursor behind the record that is handled, for the tabs of one hub.
    fn cursor(&self, hub: &str) -> String {
        let (seal, hub) = (&self.seal, HubTag::of(hub));
        self.groups.read(|known| seal_cursor(seal, known.told_as(known.position()), known.times(), hub, false))
    }

    /// What a record says and who hears of it; nothing of a tombstone.
    fn understand(
        &self,
        record: &Record,
        written: &Written,
        mode: Mode,
    ) -> Result<Option<(Matches<'_>, Arc<Event>)>, Unusable> {
        // Spans belong to the event's own, which only a live one has.
        let is_traced = mode == Mode::Live;
        let decode = || decode_within(&self.registry, record, written, self.event_bytes);
        let decoded = if is_traced { tracing::info_span!("decode").in_scope(decode) } else { decode() };
        let Some(event) = decoded? else { return Ok(None) };
        let route = || self.routes.resolve(&event);
        let routed = if is_traced { tracing::info_span!("route").in_scope(route) } else { route() };
        Ok(Some((routed?, Arc::new(event))))
    }

    async fn handle_in(&self, record: &Record, mode: Mode) {
        self.metrics.event_read(&record.message.topic);
        let written = self.schemas.of(record).await;
        let (matches, event) = match self.understand(record, &written, mode) {
            Ok(Some(usable)) => usable,
            Ok(None) => return self.skip(record, mode),
            Err(reason) => {
                self.skip(record, mode);
                // What was stored while no node ran was news to none, so its letter is still owed; the broker keeps one
                // however often it is written. State is read ahead and stands in the log as well.
                if mode != Mode::State {
                    self.letters.send(record, &reason).await;
                }
                return;
            }
        };
        let folded = self.groups.fold(|known| match mode {
            Mode::State => known.fold_state(record, &event, &matches),
            Mode::CatchingUp | Mode::Live => known.fold(record, &event, &matches),
        });
        if folded.retained_full {
            tracing::warn!("too many retained values: this one is delivered but not retained");
        }
        if folded.grants_full {
            tracing::warn!("too many grants: this one lets nobody in");
        }
        self.metrics.event_decoded(&record.message.topic);
        match folded.verdict {
            _ if mode == Mode::State => {}
            Verdict::Conflict => {
                self.letters.send(record, &Unusable::Conflict).await;
            }
            _ if mode == Mode::CatchingUp => {}
            Verdict::New => self.deliver(record, &event, &matches, folded).await,
            // Its first record was read back at start, when nobody was told of it.
            Verdict::Duplicate if self.was_learnt(record) => self.deliver(record, &event, &matches, folded).await,
            Verdict::Duplicate => self.metrics.event_duplicate(),
            Verdict::Stale => {
                tracing::debug!("something newer is known");
                // Part of it may be news all the same, and is felt even if nothing is told.
                self.apply(folded.consequences).await;
            }
        }
    }

    /// Whether this is the replay of a dead letter whose record this node could use when it read the log back.
    fn was_learnt(&self, record: &Record) -> bool {
        replay_of(&record.message).is_some_and(|first| self.status.was_learnt(first.partition, first.offset))
    }

    fn skip(&self, record: &Record, mode: Mode) {
        if mode != Mode::State {
            self.groups.fold(|known| known.skip(record));
        }
    }

    async fn deliver(&self, record: &Record, event: &Arc<Event>, matches: &[Match<'_>], folded: Folded) {
        let mut cursor: Option<(&str, String)> = None;
        for matched in matches {
            let route = matched.route;
            // A route may say who has access to what, and tell nobody.
            if matched.groups.is_empty() {
                continue;
            }
            // Asked after the fold: see `Groups::admit` for why no connection falls between.
            let shards = self.groups.interest().shards(route.hub(), &matched.groups);
            self.metrics.notification_routed(route.name());
            if shards.is_empty() {
                continue;
            }
            // The same bytes for all tabs of a hub, and another cursor for those of another.
            let known = cursor.take_if(|(hub, _)| *hub == route.hub());
            let (_, text) = cursor.insert(known.unwrap_or_else(|| (route.hub(), self.cursor(route.hub()))));
            let after = self.groups.handed_on();
            let delivery = Arc::new(Delivery::of(record, event, matched, &folded, text, after));
            for shard in shards.iter() {
                self.groups.send(shard, ShardMessage::Deliver(Arc::clone(&delivery))).await;
            }
        }
        self.apply(folded.consequences).await;
    }

    async fn apply(&self, consequences: Vec<Consequence>) {
        for consequence in consequences {
            self.groups.apply(consequence).await;
        }
    }
}
