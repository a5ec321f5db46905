//! What drives the follower and the intake of a node: answers out of the log, and shards that take their time.

use std::sync::Arc;

use fanfare_broker::{BrokerError, Position, Record};
use fanfare_e2e_tests::Random;

use super::SimulatedNode;
use crate::pipeline::follower::{Answer, Ask, Do, Mode, Step};
use crate::pipeline::intake::{Effect, Intake};
use crate::pipeline::letters::replay_of;
use crate::pipeline::{Written, decode};
use crate::projection::{ConnectionEffect, Verdict};
use crate::route::Effect as RouteEffect;
use crate::simulation::log::{Fault, Log};
use crate::simulation::platform::platform;
use crate::simulation::shard::{ShardTask, SimulatedShard, instant};
use crate::simulation::witness::Seen;
use crate::vocabulary::Place;

/// How many messages wait for a shard before the reader waits.
const INBOX: usize = 6;

/// The type that some nodes have no schema for.
const ITEMS: &str = "lists.ItemAdded";

/// Longer than any record is stored.
const EVER_MS: i64 = 1 << 50;

impl SimulatedNode {
    /// One question to the log, or one thing that the follower wants done.
    pub(super) fn follow(&mut self, log: &Log, now: i64, random: &mut Random) {
        let position = self.position();
        match self.follower.next(&position) {
            Step::Do(what) => self.perform(what),
            Step::Ask(ask) => {
                let given = if self.cut_off { Err(Fault::Unavailable) } else { self.ask(ask, log, now, random) };
                // Whether there is something to read is asked again.
                if let Some(given) = given.map_err(BrokerError::from).transpose() {
                    self.follower.answer(given, &position);
                }
            }
        }
    }

    fn ask(&mut self, ask: Ask, log: &Log, now: i64, random: &mut Random) -> Result<Option<Answer>, Fault> {
        let answer = match ask {
            Ask::Head => Answer::At(log.head()?),
            Ask::Window(window) => {
                let age = i64::try_from(window.age.as_millis()).unwrap_or(EVER_MS).min(EVER_MS);
                Answer::At(log.window(age, window.records, now)?)
            }
            Ask::OpenState => {
                log.head()?;
                Answer::At(self.state_reader.insert(Position::start(log.incarnation())).clone())
            }
            Ask::ReadState => {
                let read = self.state_reader.as_mut().ok_or(Fault::Unavailable)?;
                let records = log.state(read, random)?;
                for record in &records {
                    read.advance(record);
                }
                Answer::Batch(records, read.clone())
            }
            Ask::OpenLog(after) => {
                log.reads(&after)?;
                Answer::At(self.log_reader.insert(after).clone())
            }
            Ask::ReadLog => {
                let read = self.log_reader.as_mut().ok_or(Fault::Unavailable)?;
                let (records, end) = log.read(read, random)?;
                if end == *read {
                    return Ok(None);
                }
                read.clone_from(&end);
                Answer::Batch(records, end)
            }
            Ask::Nothing => return Ok(None),
        };
        Ok(Some(answer))
    }

    fn perform(&mut self, what: Do) {
        // What waits is of the log as it was.
        if matches!(what, Do::Change(_) | Do::Apply(_)) {
            for effect in self.intake().drain() {
                self.tell(effect, false);
            }
            self.intake().hold();
        }
        match what.at_once(&self.groups, &self.recent) {
            Some(Do::Take(record, mode)) => self.take(&record, mode),
            Some(Do::Apply(effect)) => self.apply(effect),
            Some(Do::Ready(ready)) => self.ready = ready,
            // Chance decides how long it takes until a node does its next step.
            _ => {}
        }
    }

    fn intake(&self) -> Intake<'static, '_> {
        let platform = platform();
        Intake {
            routes: &platform.routes,
            groups: &self.groups,
            recent: &self.recent,
            seal: &platform.seal,
            event_bytes: 1 << 20,
            throttles: &self.throttles,
            now: instant(self.now),
        }
    }

    /// Tells the next that has waited for its turn; false if there is none.
    pub(super) fn tell_due(&mut self) -> bool {
        if self.shards.iter().any(|shard| shard.waiting() >= INBOX) {
            return false;
        }
        let Some(effect) = self.intake().due() else { return false };
        self.tell(effect, true);
        self.intake().hold();
        true
    }

    fn tell(&mut self, effect: Effect, is_paced: bool) {
        let Effect::Notify { route, event, delivery: Some((delivery, shards)) } = effect else { return };
        if let Some(pace) = route.pace(&event, &delivery.groups).filter(|_| is_paced) {
            let last = self.paced.insert(pace.slot, self.now);
            if last.is_some_and(|last| self.now - last < pace.interval.as_millis() as i64) {
                let fault =
                    format!("{} of {:?} is told twice within {:?}", route.name(), delivery.groups, pace.interval);
                self.shards[0].broken.push(fault);
            }
        }
        let seen = Arc::new(Seen {
            incarnation: self.groups.read(|known| known.position().incarnation()),
            notification: route.notification_id(&event.attributes),
            folded: self.folded,
            known: Arc::clone(&self.known),
        });
        for shard in shards.iter() {
            self.shards[shard].send(ShardTask::Deliver(Arc::clone(&delivery), Arc::clone(&seen)));
        }
    }

    /// Takes a record; what follows of it is carried out in steps of their own.
    fn take(&mut self, record: &Arc<Record>, mode: Mode) {
        let is_unknown = !self.knows_items && record.message.topic == ITEMS;
        let written = if is_unknown { Written::Refused("not known yet".into()) } else { Written::Own };
        let taken = self.intake().take(record, &written, mode);
        let (folded, letter, effects) = (taken.folded, taken.letter.is_some(), taken.effects);
        if letter {
            self.letters.push(Place::of(record));
            if is_unknown {
                self.unknown.push((self.position().incarnation(), Record::clone(record)));
            }
        }
        self.verify_replay(record, mode, folded, effects.tells());
        if matches!(folded, Some(Verdict::New | Verdict::Stale)) {
            self.note(record, mode);
        }
        self.effects = Some(effects).filter(|_| mode == Mode::Live);
    }

    /// The replay of a letter tells of an event that this node learnt and told nobody of: once, however many letters
    /// there are of it.
    fn verify_replay(&mut self, record: &Record, mode: Mode, folded: Option<Verdict>, tells: bool) {
        let first = replay_of(&record.message).filter(|_| mode == Mode::Live);
        let is_learnt = mode == Mode::CatchingUp && folded == Some(Verdict::New);
        if !(tells || is_learnt || first.is_some()) {
            return;
        }
        let Ok(Some(event)) = decode(&platform().registry, record, &Written::Own) else { return };
        let event = event.attributes.dedup_id();
        if is_learnt {
            self.untold.insert(event);
            return;
        }
        let was_untold = self.untold.remove(&event);
        if let Some(first) = first.filter(|_| was_untold && folded == Some(Verdict::Duplicate) && !tells) {
            let fault = format!("node {} tells nobody of the replay of {first}, which nobody was told of", self.number);
            self.shards[0].broken.push(fault);
        }
    }

    /// Notes what a record was, by the history's own means.
    fn note(&mut self, record: &Record, mode: Mode) {
        let platform = platform();
        let (incarnation, at) = (self.position().incarnation(), self.learnt.len());
        self.folded += usize::from(mode != Mode::State);
        self.learnt.entry((incarnation, record.partition, record.offset)).or_insert(at);
        let Ok(Some(event)) = decode(&platform.registry, record, &Written::Own) else { return };
        let effects: Vec<RouteEffect> =
            platform.routes.route(&event).iter().map(|matched| matched.route.effect(&event)).collect();
        if effects.iter().any(|effect| *effect != RouteEffect::None) {
            Arc::make_mut(&mut self.known).note(&event, effects.into_iter());
        }
    }

    /// Carries out one step of what follows from a record, or waits for the shards.
    pub(super) fn carry_out(&mut self) {
        if self.shards.iter().any(|shard| shard.waiting() >= INBOX) {
            return;
        }
        if self.applying && self.shards.iter().any(SimulatedShard::is_applying) {
            return;
        }
        self.applying = false;
        let Some(mut effects) = self.effects.take() else { return };
        let next = effects.next(self.intake());
        let Some(effect) = next else { return };
        match effect {
            Effect::Apply(effect) => self.apply(effect),
            notify @ Effect::Notify { .. } => self.tell(notify, true),
        }
        self.effects = Some(effects);
    }

    fn apply(&mut self, effect: ConnectionEffect) {
        self.applying = true;
        let effect = Arc::new(effect);
        for shard in &mut self.shards {
            shard.send(ShardTask::Apply(Arc::clone(&effect)));
        }
    }
}
