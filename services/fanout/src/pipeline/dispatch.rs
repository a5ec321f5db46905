//! Carries out what follows from one record: folds it, and sends deliveries and effects to the shards.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use fanfare_broker::Record;
use tracing::Instrument as _;

use super::Pipeline;
use super::follower::Mode;
use super::intake::{Effect, Effects, Intake, Taken};
use crate::clock::unix_millis;
use crate::groups::ShardMessage;
use crate::projection::{ClosedOrg, ConnectionEffect, Verdict};
use crate::route::RouteTable;

impl Pipeline {
    pub(super) fn intake<'r>(&self, routes: &'r RouteTable) -> Intake<'r, '_> {
        Intake {
            routes,
            groups: &self.groups,
            recent: &self.recent,
            seal: &self.seal,
            event_bytes: self.event_bytes.get(),
            throttles: &self.throttles,
            now: Instant::now(),
        }
    }

    /// Waits for something, and meanwhile sends throttled notifications whose turn has come.
    pub(super) async fn meanwhile<T>(&self, waits: impl Future<Output = T>) -> T {
        tokio::pin!(waits);
        loop {
            let due = self.throttles.lock().unwrap_or_else(PoisonError::into_inner).next_due();
            let turn = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                done = &mut waits => return done,
                () = turn => self.tell_due().await,
            }
        }
    }

    /// Sends throttled notifications whose turn has come.
    pub(super) async fn tell_due(&self) {
        if self.throttles.lock().unwrap_or_else(PoisonError::into_inner).next_due().is_none() {
            return;
        }
        let routes = self.routes.now();
        while let Some(effect) = self.intake(&routes).due() {
            self.carry_out_one(effect).await;
            self.intake(&routes).hold();
        }
    }

    /// Sends everything that waits, before an effect after which no notification may be sent.
    pub(super) async fn tell_waiting(&self) {
        let routes = self.routes.now();
        for effect in self.intake(&routes).drain() {
            self.carry_out_one(effect).await;
        }
        self.intake(&routes).hold();
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
        // Loaded once: an event is sent by the same routes by which it was taken.
        let routes = self.routes.now();
        let is_reloaded = self.throttles.lock().unwrap_or_else(PoisonError::into_inner).goes_by(&routes);
        if is_reloaded {
            // After a reload of routes, waiting notifications may have another turn, or none.
            self.tell_waiting().await;
        }
        let intake = self.intake(&routes);
        let mut taken = intake.take(record, &written, mode);
        if let Some(passage) = taken.passage.take() {
            self.paths.push(passage, &routes, unix_millis());
        }
        self.count(record, &taken, mode);
        if let Some(reason) = &taken.letter {
            self.letters.send(record, reason).await;
        }
        self.carry_out(&routes, taken.effects).await;
    }

    fn count(&self, record: &Record, taken: &Taken<'_>, mode: Mode) {
        if taken.folded.is_some() {
            self.metrics.event_decoded(&record.message.topic);
        }
        if taken.retained_full {
            tracing::warn!("too many retained values: this one is delivered but not retained");
        }
        if taken.grants_full {
            tracing::warn!("too many grants: this one gives no access");
        }
        if taken.orgs_full {
            tracing::warn!("too many states of orgs: this org is closed for its open connections only");
        }
        match taken.folded {
            Some(Verdict::Duplicate) if mode == Mode::Live && !taken.effects.tells() => self.metrics.event_duplicate(),
            Some(Verdict::Stale) if mode == Mode::Live => tracing::debug!("something newer is known"),
            _ => {}
        }
    }

    async fn carry_out(&self, routes: &RouteTable, mut effects: Effects<'_>) {
        while let Some(effect) = effects.next(self.intake(routes)) {
            self.carry_out_one(effect).await;
        }
    }

    async fn carry_out_one(&self, effect: Effect) {
        match effect {
            Effect::Apply(effect) => {
                if let ConnectionEffect::OrgClosed(ClosedOrg { hub, org, .. }) = &effect {
                    tracing::info!(hub = &**hub, %org, "an org is closed");
                }
                self.groups.apply(effect).await;
            }
            Effect::Notify { route, delivery, .. } => {
                self.metrics.notification_routed(route.name());
                let Some((delivery, shards)) = delivery else { return };
                for shard in shards.iter() {
                    self.groups.send(shard, ShardMessage::Deliver(Arc::clone(&delivery))).await;
                }
            }
        }
    }
}
