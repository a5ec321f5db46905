//! One record on its way from the log to the shards: carries out what follows from it.

use std::sync::Arc;

use fanfare_broker::Record;
use tracing::Instrument as _;

use super::Pipeline;
use super::follower::Mode;
use super::intake::{Effect, Effects, Intake, Taken};
use crate::groups::ShardMessage;
use crate::projection::{ClosedOrg, ConnectionEffect, Verdict};
use crate::route::RouteTable;

impl Pipeline {
    pub(super) fn intake<'r>(&self, routes: &'r RouteTable) -> Intake<'r, '_> {
        Intake { routes, groups: &self.groups, recent: &self.recent, seal: &self.seal, event_bytes: self.event_bytes }
    }

    /// Handles one record and whatever follows from it.
    pub(super) async fn handle(&self, record: &Arc<Record>, mode: Mode) {
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
    }

    async fn handle_in(&self, record: &Arc<Record>, mode: Mode) {
        self.metrics.event_read(&record.message.topic);
        let written = self.schemas.of(record).await;
        // Taken once: what an event is told by is what it was taken by.
        let routes = self.routes.now();
        let intake = self.intake(&routes);
        let taken = intake.take(record, &written, mode);
        self.count(record, &taken, mode);
        if let Some(reason) = &taken.letter {
            self.letters.send(record, reason).await;
        }
        self.carry_out(intake, taken.effects).await;
    }

    fn count(&self, record: &Record, taken: &Taken<'_>, mode: Mode) {
        if taken.folded.is_some() {
            self.metrics.event_decoded(&record.message.topic);
        }
        if taken.retained_full {
            tracing::warn!("too many retained values: this one is delivered but not retained");
        }
        if taken.grants_full {
            tracing::warn!("too many grants: this one lets nobody in");
        }
        if taken.orgs_full {
            tracing::warn!("too many orgs were closed: this one is closed for open connections alone");
        }
        match taken.folded {
            Some(Verdict::Duplicate) if mode == Mode::Live && !taken.effects.tells() => self.metrics.event_duplicate(),
            Some(Verdict::Stale) if mode == Mode::Live => tracing::debug!("something newer is known"),
            _ => {}
        }
    }

    async fn carry_out(&self, intake: Intake<'_, '_>, mut effects: Effects<'_>) {
        while let Some(effect) = effects.next(intake) {
            match effect {
                Effect::Apply(effect) => {
                    if let ConnectionEffect::OrgClosed(ClosedOrg { hub, org, .. }) = &effect {
                        tracing::info!(hub = &**hub, %org, "an org is closed");
                    }
                    self.groups.apply(effect).await;
                }
                Effect::Notify { route, delivery } => {
                    self.metrics.notification_routed(route.name());
                    let Some((delivery, shards)) = delivery else { continue };
                    for shard in shards.iter() {
                        self.groups.send(shard, ShardMessage::Deliver(Arc::clone(&delivery))).await;
                    }
                }
            }
        }
    }
}
