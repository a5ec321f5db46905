//! Replays of a simulated shard: one batch at a time, while everything else goes on.

use std::collections::BTreeSet;
use std::time::Duration;

use fanfare_broker::Position;
use fanfare_e2e_tests::Random;

use super::check::Told;
use super::log::Fault;
use super::platform::{bounds, platform};
use super::shard::{SimulatedShard, View, form, push};
use crate::connection::{CloseReason, Frame, may_hear};
use crate::groups::Admission;
use crate::pipeline::Written;
use crate::pipeline::past::{Extent, Past, Replayed, SLACK, begin, lacks};
use crate::socket::shard::SendQueue;

/// The most notifications of one resume.
const MOST_REPLAYED: usize = 60;

/// A replay under way.
pub(super) struct Replaying {
    reading: Position,
    past: Past,
    complete: bool,
    sent: usize,
    told: BTreeSet<(u32, u64)>,
    /// Of a replay at connect: what is retained comes behind it.
    admission: Option<Admission>,
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
        let age = view.window.age;
        let window = |age: Duration, records| view.log.window(age.as_millis() as i64, records, view.now);
        let Ok(oldest) = window(age, view.window.records) else {
            return self.fail(key, admission.is_some(), view);
        };
        let by_age = || Some((window(age, u64::MAX).ok()?, window(age.saturating_sub(SLACK), u64::MAX).ok()?));
        let by_age = if lacks(after, &oldest) { by_age() } else { None };
        let (from, complete) = begin(after, &Extent { oldest, by_age });
        let past = Past::new(from.clone(), until, &bounds(view.window));
        let (sent, told) = (0, BTreeSet::new());
        tab.replay = Some(Replaying { reading: from, past, complete, sent, told, admission });
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
        let platform = platform();
        let Some(tab) = self.tabs.get_mut(&key) else { return };
        let Some(mut replay) = tab.replay.take() else { return };
        let mut over = replay.past.is_over();
        if !over {
            match view.log.read(&replay.reading, random) {
                Ok((records, read)) => {
                    let mut found = Vec::new();
                    for record in &records {
                        let taken = replay.past.take(
                            &platform.registry,
                            &platform.routes,
                            &platform.seal,
                            record,
                            &Written::Own,
                        );
                        found.extend(taken);
                    }
                    replay.reading = read;
                    replay.past.pass(&replay.reading);
                    for replayed in found {
                        if replay.sent >= MOST_REPLAYED {
                            (replay.complete, over) = (false, true);
                            break;
                        }
                        self.send_again(key, &replayed, &mut replay);
                    }
                }
                Err(Fault::Trimmed(oldest)) => {
                    replay.complete = false;
                    replay.past.pass(&oldest);
                    replay.reading = oldest;
                }
                Err(Fault::Unavailable | Fault::OtherIncarnation) => {
                    return self.fail(key, replay.admission.is_some(), view);
                }
            }
        }
        if !over {
            if let Some(tab) = self.tabs.get_mut(&key) {
                tab.replay = Some(replay);
            }
            return;
        }
        if let Some(admission) = replay.admission {
            self.tell_retained(key, &admission.live_from, &admission.retained, &replay.told);
            self.release_held(key);
        }
        self.answer(key, Some(replay.complete));
    }

    fn send_again(&mut self, key: usize, replayed: &Replayed, replay: &mut Replaying) {
        for notification in &replayed.notifications {
            let Some(tab) = self.tabs.get_mut(&key) else { return };
            let (route, event) = (&notification.route, &replayed.event);
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
                self.told.push(Told { user, group, place });
            }
            replay.told.insert((replayed.place.partition, replayed.place.offset));
            push(&mut tab.queue, frame.wire(form()).clone(), None, &mut self.most_waiting);
        }
    }

    fn release_held(&mut self, key: usize) {
        let Some(tab) = self.tabs.get_mut(&key) else { return };
        for frame in tab.held.take().into_iter().flat_map(SendQueue::into_frames) {
            push(&mut tab.queue, frame, None, &mut self.most_waiting);
        }
    }
}
