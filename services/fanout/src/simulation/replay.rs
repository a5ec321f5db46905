//! Replays of a simulated shard: one batch at a time, while everything else goes on.

use std::collections::BTreeSet;
use std::time::Duration;

use fanfare_broker::{Position, Record};
use fanfare_e2e_tests::Random;

use super::check::Told;
use super::log::Fault;
use super::platform::{bounds, platform};
use super::rule::Rule;
use super::shard::{SimulatedShard, View, form, push};
use crate::connection::{CloseReason, Frame, may_hear};
use crate::groups::Admission;
use crate::pipeline::Written;
use crate::pipeline::past::{Ages, Extent, Past, Replayed, SLACK, begin, lacks};
use crate::pipeline::recent::{Step, Walk};

/// The most notifications of one resume.
const MOST_REPLAYED: usize = 60;

/// Longer than any record is stored.
pub(super) const EVER: Duration = Duration::from_secs(1 << 30);

/// A replay under way.
pub(super) struct Replaying {
    /// Where the tab was.
    after: Position,
    source: Source,
    past: Past,
    /// Where the window begins.
    oldest: Position,
    complete: bool,
    sent: usize,
    told: BTreeSet<(u32, u64)>,
    /// Of a replay at connect: what is retained comes behind it.
    admission: Option<Admission>,
}

/// Where its records come from.
enum Source {
    Memory(Walk),
    /// The log, behind a position.
    Log(Position),
}

/// How a replay ended.
#[derive(Debug, Clone)]
pub(super) struct Resumed {
    /// Whether it was all that was missed; none if the log could not be read.
    pub(super) complete: Option<bool>,
    pub(super) live_from: Position,
}

impl SimulatedShard {
    /// Begins a replay; at connect it comes first.
    pub(super) fn resume(&mut self, key: usize, after: &Position, admission: Option<Admission>, view: View<'_>) {
        let Some(tab) = self.tabs.get_mut(&key) else { return };
        let Some(until) = tab.hearing.replay_until() else { return };
        let after = if view.rules.keep(Rule::ResumeFromCursor) { after } else { &until };
        let Ok(window) = extent(after, view) else {
            return self.fail(key, admission.is_some(), view);
        };
        let (from, complete) = begin(after, &window);
        let orgs = tab.identity.orgs().cloned().collect();
        let past = Past::new(after, &from, until.clone(), orgs, &bounds(view.window));
        let walk = view.recent.walk(&from, &until);
        let source = walk.map_or(Source::Log(from), Source::Memory);
        let (oldest, sent, told) = (window.oldest, 0, BTreeSet::new());
        let after = after.clone();
        tab.replay = Some(Replaying { after, source, past, oldest, complete, sent, told, admission });
    }

    /// The log cannot be read: the call fails, and a replay at connect is tried again by the next connect.
    fn fail(&mut self, key: usize, at_connect: bool, view: View<'_>) {
        if at_connect {
            return self.close(key, CloseReason::ServerError, view.groups);
        }
        self.answer(key, None);
    }

    fn answer(&mut self, key: usize, complete: Option<bool>) {
        let Some(tab) = self.tabs.get_mut(&key) else { return };
        let live_from = tab.hearing.live_from.clone();
        tab.resumed = live_from.map(|live_from| Resumed { complete, live_from });
    }

    /// One batch of a replay.
    pub(super) fn replay_on(&mut self, key: usize, view: View<'_>, random: &mut Random) {
        let Some(tab) = self.tabs.get_mut(&key) else { return };
        let Some(mut replay) = tab.replay.take() else { return };
        if !replay.past.is_over() {
            let Ok(found) = replay.next(view, random) else {
                return self.fail(key, replay.admission.is_some(), view);
            };
            for replayed in found {
                if replay.sent >= MOST_REPLAYED {
                    replay.complete = false;
                    return self.end(key, replay, view);
                }
                self.send_again(key, &replayed, &mut replay, view);
            }
        }
        if replay.past.is_over() {
            return self.end(key, replay, view);
        }
        if let Some(tab) = self.tabs.get_mut(&key) {
            tab.replay = Some(replay);
        }
    }

    fn end(&mut self, key: usize, replay: Replaying, view: View<'_>) {
        if let Some(admission) = replay.admission {
            self.tell_retained(key, &admission.live_from, &admission.retained, &replay.told, view);
            self.release_held(key);
        }
        self.answer(key, Some(replay.complete || !view.rules.keep(Rule::IncompleteSaid)));
    }

    fn send_again(&mut self, key: usize, replayed: &Replayed, replay: &mut Replaying, view: View<'_>) {
        for notification in &replayed.notifications {
            let Some(tab) = self.tabs.get_mut(&key) else { return };
            let (route, event) = (&notification.route, &replayed.event);
            let is_overtaken = view.groups.read(|known| known.had_newer(route, event, &replay.after));
            if is_overtaken {
                continue;
            }
            let org = event.attributes.org.as_ref();
            if route.effect(event).is_logout()
                || !may_hear(Some(&tab.identity), org, route.cross_org())
                || !tab.hearing.has_missed(&notification.groups, replayed.place)
            {
                continue;
            }
            let frame = Frame::new(route, event, &replayed.cursor);
            replay.sent += 1;
            for group in notification.groups.iter().filter(|group| group.shape() == "list:{}") {
                let (user, group, place) = (tab.identity.claims().user.clone(), group.clone(), replayed.place);
                let learnt = tab.joined_at.get(&group).copied().unwrap_or_default();
                self.told.push(Told { user, group, place, learnt });
            }
            replay.told.insert((replayed.place.partition, replayed.place.offset));
            push(&mut tab.queue, frame.wire(form()).clone(), None, &mut self.most_waiting);
        }
    }

    fn release_held(&mut self, key: usize) {
        let Some(tab) = self.tabs.get_mut(&key) else { return };
        let mut held = tab.held.take().unwrap_or_default();
        while let Some(frame) = held.pop() {
            push(&mut tab.queue, frame, None, &mut self.most_waiting);
        }
    }
}

/// The window, as far as this cursor needs to know it.
fn extent(after: &Position, view: View<'_>) -> Result<Extent, Fault> {
    let age = view.window.age;
    let window = |age: Duration, records| view.log.window(age.as_millis() as i64, records, view.now);
    let oldest = window(age, view.window.records)?;
    if !lacks(after, &oldest) {
        return Ok(Extent { oldest, ages: None });
    }
    let since = |age| window(age, u64::MAX);
    let ages = Ages { by_age: since(age)?, recent: since(age.saturating_sub(SLACK))?, stored: since(EVER)? };
    Ok(Extent { oldest, ages: Some(ages) })
}

impl Replaying {
    /// The next events; none if there are none for now or no more.
    fn next(&mut self, view: View<'_>, random: &mut Random) -> Result<Vec<Replayed>, Fault> {
        if let Source::Memory(walk) = &mut self.source {
            match view.recent.step(walk) {
                Step::Records(records) => return Ok(self.take(records.iter().map(|record| &**record))),
                Step::End => {
                    self.past.finish();
                    return Ok(Vec::new());
                }
                Step::Gone => self.source = Source::Log(self.past.position().clone()),
            }
        }
        let Source::Log(from) = &mut self.source else { return Ok(Vec::new()) };
        match view.log.read(from, random) {
            Ok((records, read)) => {
                from.clone_from(&read);
                let found = self.take(records.iter());
                self.past.pass(&read);
                return Ok(found);
            }
            Err(Fault::Trimmed(oldest)) => {
                from.merge(&oldest);
                self.past.pass(from);
            }
            // The cursor fits the stream's name and not what is in it.
            Err(Fault::OtherIncarnation) => {
                from.clone_from(&self.oldest);
                self.past.restart(from);
            }
            Err(Fault::Unavailable) => return Err(Fault::Unavailable),
        }
        self.complete = false;
        view.log.reads(from)?;
        Ok(Vec::new())
    }

    fn take<'a>(&mut self, records: impl Iterator<Item = &'a Record>) -> Vec<Replayed> {
        let platform = platform();
        let past = &mut self.past;
        let take = |record| past.take(&platform.registry, &platform.routes, &platform.seal, record, &Written::Own);
        records.filter_map(take).collect()
    }
}
