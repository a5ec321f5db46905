//! What a shard's connections are given, judged as it happens: what no client can see.

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use fanfare_broker::Position;

use super::check::Told;
use super::shard::SimulatedShard;
use super::wire::FrameCount;
use super::witness::Seen;
use crate::groups::Delivery;
use crate::pipeline::Window;
use crate::shard::Observed;
use crate::vocabulary::name::GroupName;
use crate::vocabulary::{Identity, Membership, Place};

/// How many frames of one client a shard takes at most (rule 7.2): at once, in a second, and beyond both with one read.
const FRAMES: (f64, f64, f64) = (4_000.0, 1_000.0, 4_000.0);

/// What is kept of a connection to judge it.
#[derive(Debug)]
pub(super) struct Judged {
    pub(super) identity: Identity,
    /// When it began, and what its client has sent since.
    began: Instant,
    sent: FrameCount,
    last_live: BTreeMap<(u64, u32), u64>,
    /// When each notification that came live was stored, and how many records the node had folded then.
    heard: HashMap<String, (i64, usize)>,
    /// Its groups, and how many records the node had learnt from when it was let into each with these grants.
    let_in: Vec<(Membership, usize)>,
    /// Of a replay of its URL: whether it was complete, and from where on it is live.
    pub(super) resumed: Option<(bool, Position)>,
    /// From where it goes on in a new stream.
    pub(super) renewed: Option<Position>,
}

impl Judged {
    pub(super) fn new(identity: Identity, began: Instant) -> Self {
        let (last_live, heard, let_in) = (BTreeMap::new(), HashMap::new(), Vec::new());
        Self { identity, began, sent: FrameCount::default(), last_live, heard, let_in, resumed: None, renewed: None }
    }
}

impl SimulatedShard {
    pub(super) fn observe(&mut self) {
        for observed in std::mem::take(&mut self.core.observed) {
            self.trace(&observed);
            match observed {
                Observed::Left(key, groups) => {
                    let who = self.judged.get(&key).map(|judged| judged.identity.claims().user.clone());
                    self.broken.push(format!("{who:?} is told what waited of {groups:?} behind leaving"));
                }
                // Judged with what the node knew when it sent it.
                Observed::Live(..) => self.core.observed.push(observed),
                Observed::Replayed(key, place, groups) => {
                    let Some(judged) = self.judged.get(&key) else { continue };
                    for group in groups {
                        let user = judged.identity.claims().user.clone();
                        if matches!(group.shape(), "list:{}" | "crew:{}") {
                            let learnt = judged.learnt_when_let_in(&group);
                            self.told.push(Told { user, group, place, learnt });
                        }
                    }
                }
                Observed::Renewed(key, from) => {
                    if let Some(judged) = self.judged.get_mut(&key) {
                        judged.renewed = Some(from);
                    }
                }
                Observed::Resumed(key, complete, until) => {
                    if let Some(judged) = self.judged.get_mut(&key) {
                        judged.resumed = Some((complete, until));
                    }
                }
            }
        }
    }

    /// Shows what happens to the connection of a tab that is looked into.
    fn trace(&self, observed: &Observed) {
        let (Observed::Live(key, _)
        | Observed::Left(key, _)
        | Observed::Replayed(key, ..)
        | Observed::Renewed(key, _)
        | Observed::Resumed(key, ..)) = observed;
        if self.traced.is_some() && self.traced.and_then(|id| self.keys.get(&id)) == Some(key) {
            match observed {
                Observed::Live(_, delivery) => eprintln!("  comes live {:?} {:?}", delivery.place, delivery.groups),
                other => eprintln!("  {other:?}"),
            }
        }
    }

    pub(super) fn verify_live(&mut self, delivery: &Delivery, seen: &Seen, window: Window) {
        for observed in std::mem::take(&mut self.core.observed) {
            let Observed::Live(key, given) = observed else { continue };
            let Some(judged) = self.judged.get_mut(&key) else { continue };
            if given.place != delivery.place {
                continue;
            }
            if delivery.ends.is_none() && self.core.was_sent(key, delivery.place) {
                self.broken.push(format!("{:?} comes live behind a replay that told it", delivery.place));
            }
            if !delivery.is_late {
                judged.verify_order(seen.incarnation, delivery.place, &mut self.broken);
            }
            judged.verify_news(seen, delivery.place, window, &mut self.broken);
            if !delivery.groups.iter().any(|group| seen.known.allows(&judged.identity, group)) {
                let who = judged.identity.claims();
                // The grant may be earlier in the log and in a partition that the node has read later: the shard knows of it
                // before it sends this. Then it is judged like a replay, by the history.
                let granted = |group: &&GroupName| {
                    judged.let_in.iter().any(|(held, _)| held.granted.is_some() && held.group == **group)
                };
                match delivery.groups.iter().find(granted) {
                    Some(group) => self.told.push(Told {
                        user: who.user.clone(),
                        group: group.clone(),
                        place: delivery.place,
                        learnt: judged.learnt_when_let_in(group),
                    }),
                    None => self.broken.push(format!("{} of {:?} hears of {:?}", who.user, who.org, delivery.groups)),
                }
            }
        }
    }
}

impl Judged {
    /// Notes which groups it is in.
    pub(super) fn note_groups(&mut self, groups: Vec<Membership>, learnt: usize) {
        let before = std::mem::take(&mut self.let_in);
        let at = |group: &Membership| before.iter().find(|(known, _)| known == group).map_or(learnt, |(_, at)| *at);
        self.let_in = groups.into_iter().map(|group| (group.clone(), at(&group))).collect();
    }

    fn learnt_when_let_in(&self, group: &GroupName) -> usize {
        self.let_in.iter().find(|(known, _)| known.group == *group).map(|(_, at)| *at).unwrap_or_default()
    }

    /// A client that sends too much takes no more of a shard than its rate: what is wrong if it does.
    pub(super) fn took(&mut self, bytes: &[u8], now: Instant) -> Option<String> {
        self.sent.take(bytes);
        let (burst, per_second, read) = FRAMES;
        let passed = now.saturating_duration_since(self.began);
        let most = burst + per_second * passed.as_secs_f64() + read;
        (self.sent.frames as f64 > most)
            .then(|| format!("{} frames of one client were taken in {passed:?}", self.sent.frames))
    }

    fn verify_order(&mut self, incarnation: u64, place: Place, broken: &mut Vec<String>) {
        let last = self.last_live.insert((incarnation, place.partition), place.offset);
        if last.is_some_and(|last| last > place.offset) {
            broken.push(format!("live notifications of partition {} went back to {}", place.partition, place.offset));
        }
    }

    /// What comes twice within the window is told once.
    fn verify_news(&mut self, seen: &Seen, place: Place, window: Window, broken: &mut Vec<String>) {
        let Some((time, folded)) = self.heard.insert(seen.notification.clone(), (place.time, seen.folded)) else {
            return;
        };
        // Clocks of partitions differ by less than a second.
        let recent = place.time + 1_000 - time < window.age.as_millis() as i64;
        if recent && ((seen.folded - folded) as u64) < window.records {
            broken.push(format!("what is told live at {place:?} was told before"));
        }
    }
}
