//! Handing on what a record says: one delivery or one consequence at a time, while shards go on.

use std::sync::Arc;

use fanfare_broker::Record;
use fanfare_event::Event;
use smallvec::SmallVec;

use super::SimulatedNode;
use crate::groups::Delivery;
use crate::projection::{Folded, Verdict, seal_cursor};
use crate::route::Match;
use crate::simulation::platform::platform;
use crate::simulation::rule::Rule;
use crate::simulation::shard::{ShardTask, SimulatedShard};
use crate::simulation::witness::Seen;

/// How many messages wait for a shard before the reader waits.
const INBOX: usize = 6;

/// A record that is folded and still to be told of.
pub(super) struct Task {
    record: Record,
    event: Arc<Event>,
    matches: SmallVec<[Match<'static>; 2]>,
    folded: Folded,
    next: usize,
    cursor: Option<String>,
}

impl SimulatedNode {
    pub(super) fn begin_task(
        &mut self,
        record: Record,
        event: Arc<Event>,
        matches: SmallVec<[Match<'static>; 2]>,
        folded: Folded,
    ) {
        self.handed_on = Some(record.clone());
        self.consequences.extend(folded.consequences.iter().cloned());
        let is_news = match folded.verdict {
            Verdict::New => true,
            Verdict::Duplicate => !self.settings.rules.keep(Rule::Deduplicate),
            Verdict::Stale | Verdict::Conflict => false,
        };
        self.task = is_news.then_some(Task { record, event, matches, folded, next: 0, cursor: None });
    }

    /// Hands on one delivery or one consequence, or waits for the shards.
    pub(super) fn hand_on(&mut self) {
        if self.shards.iter().any(|shard| shard.waiting() >= INBOX) {
            return;
        }
        if self.task.is_some() {
            return self.deliver();
        }
        if self.applying && self.shards.iter().any(SimulatedShard::is_applying) {
            return;
        }
        self.applying = false;
        if let Some(consequence) = self.consequences.pop_front() {
            self.applying = true;
            let consequence = Arc::new(consequence);
            for shard in &mut self.shards {
                shard.send(ShardTask::Apply(Arc::clone(&consequence)));
            }
        }
    }

    fn deliver(&mut self) {
        let Some(task) = &mut self.task else { return };
        let Some(matched) = task.matches.get(task.next) else {
            self.task = None;
            return;
        };
        task.next += 1;
        if matched.groups.is_empty() {
            return;
        }
        let groups = &self.groups;
        // Asked after the fold, as the pipeline does.
        let interested = groups.interest().shards(matched.route.hub(), &matched.groups);
        let position =
            || groups.read(|known| seal_cursor(&platform().seal, known.told_as(known.position()), known.times()));
        let cursor = task.cursor.get_or_insert_with(position);
        let delivery = Arc::new(Delivery::of(&task.record, &task.event, matched, &task.folded, cursor));
        let seen = Seen {
            incarnation: groups.read(|known| known.position().incarnation()),
            notification: matched.route.notification_id(&task.event.attributes),
            folded: self.folded,
            known: Arc::clone(&self.known),
        };
        let seen = Arc::new(seen);
        for shard in interested.iter() {
            self.shards[shard].send(ShardTask::Deliver(Arc::clone(&delivery), Arc::clone(&seen)));
        }
    }
}
