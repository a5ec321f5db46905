//! The orgs into which a tab looks beside its own, and what it is owed of them by what its client alone knows: of a group
//! that was joined before or right after a resume, everything since the resume's cursor (rule 2.7).

use std::collections::BTreeMap;
use std::sync::Arc;

use fanfare_broker::Position;
use fanfare_event::Id;

use super::calls::Call;
use super::reading::{owed_since, position};
use super::{Order, Surroundings, Tab};
use crate::simulation::check::{Account, History};
use crate::simulation::judge::anybody_of;
use crate::simulation::log::Log;
use crate::simulation::producer::ROOT;
use crate::vocabulary::Identity;

/// For how long after a resume was called joins surely are replayed from its cursor, in milliseconds: less than what the
/// node grants, since the call and its answer are under way for a while.
const REJOINS_MS: i64 = 4_900;

/// After how long what a joined group has missed surely was replayed, in milliseconds.
const REPLAYED_MS: i64 = 20_000;

/// The orgs that a tab watches.
#[derive(Debug, Default)]
pub(super) struct Watching {
    /// From where on everything of an org is owed; the page watches these again when it returns.
    owed: BTreeMap<&'static str, Position>,
    /// Those that this connection was let into, once the call was answered.
    joined: BTreeMap<&'static str, Join>,
    /// The first resume of this connection.
    first: FirstResume,
    /// The orgs that were asked for before that resume was called.
    asked_before: Vec<&'static str>,
}

/// A join that was answered.
#[derive(Debug)]
struct Join {
    /// Where the node was by then: everything behind it comes live.
    live_by: Position,
    /// Whether the answer came in time for a replay from the resume's cursor.
    in_time: bool,
    /// When the answer came.
    at: i64,
}

/// The first resume of a connection, as its client sees it.
#[derive(Debug, Default)]
enum FirstResume {
    /// None was called.
    #[default]
    None,
    /// It was called, with this cursor and at that time, and its last answer has not come.
    Called { from: Position, at: i64 },
    /// It has ended.
    Ended { from: Position, at: i64, complete: bool },
    /// More than one at once, or without a usable cursor: nothing follows of it.
    Unclear,
}

impl Watching {
    /// The orgs that the page shows.
    pub(super) fn orgs(&self) -> Vec<&'static str> {
        self.owed.keys().copied().collect()
    }

    /// Whether this connection was let into an org.
    pub(super) fn is_in(&self, org: &str) -> bool {
        self.joined.contains_key(org)
    }

    /// A new connection, perhaps with a cursor in its URL.
    pub(super) fn connected(&mut self, cursor: Option<&str>, now: i64) {
        self.joined.clear();
        self.asked_before.clear();
        self.first = cursor.map_or(FirstResume::None, |cursor| called(cursor, now));
    }

    /// Nothing from before is owed any more.
    pub(super) fn begin_anew(&mut self) {
        self.owed.clear();
    }

    /// A resume was called.
    pub(super) fn resume_called(&mut self, cursor: &str, order: Order, now: i64) {
        if matches!(self.first, FirstResume::None) {
            self.first = if order == Order::Twice { FirstResume::Unclear } else { called(cursor, now) };
        }
    }

    /// A resume failed: the next one is the first.
    pub(super) fn resume_failed(&mut self) {
        if let FirstResume::Called { .. } = self.first {
            self.first = FirstResume::None;
        }
    }

    /// The last answer of a resume has come.
    pub(super) fn resumed(&mut self, complete: bool) {
        let FirstResume::Called { from, at } = std::mem::take(&mut self.first) else {
            self.first = FirstResume::Unclear;
            return;
        };
        for (org, join) in &self.joined {
            settle(&mut self.owed, org, join, Some(&from).filter(|_| complete));
        }
        self.first = FirstResume::Ended { from, at, complete };
    }

    /// A join was sent.
    pub(super) fn asked(&mut self, org: &'static str) {
        if matches!(self.first, FirstResume::None) {
            self.asked_before.push(org);
        }
    }

    /// A join was answered: the node had come to `live_by` then, and the page resumes later on this connection or not.
    pub(super) fn joined(&mut self, org: &'static str, live_by: Position, will_resume: bool, now: i64) {
        // A second call changes nothing.
        if self.joined.contains_key(org) {
            return;
        }
        let was_asked_before = self.asked_before.contains(&org);
        let in_time = match &self.first {
            FirstResume::None | FirstResume::Called { .. } => true,
            FirstResume::Ended { at, .. } => was_asked_before || now - at <= REJOINS_MS,
            FirstResume::Unclear => false,
        };
        let join = Join { live_by, in_time, at: now };
        match &self.first {
            FirstResume::Ended { from, complete, .. } => {
                settle(&mut self.owed, org, &join, Some(from).filter(|_| *complete));
            }
            FirstResume::Unclear => settle(&mut self.owed, org, &join, None),
            FirstResume::None if !will_resume => settle(&mut self.owed, org, &join, None),
            FirstResume::None | FirstResume::Called { .. } => {}
        }
        self.joined.insert(org, join);
    }

    /// It is in an org no more.
    pub(super) fn left(&mut self, org: &str) {
        self.owed.remove(org);
        self.joined.remove(org);
        self.asked_before.retain(|asked| *asked != org);
    }

    /// The connection is lost. A cursor that has moved while the page was not in a group claims the group's events as well,
    /// since no node knows that the page will join it; so it does until what the group has missed was replayed.
    pub(super) fn lost(&mut self, now: i64) {
        let Self { owed, joined, first, asked_before } = self;
        match first {
            FirstResume::None => {}
            FirstResume::Called { .. } => {
                owed.retain(|org, _| joined.contains_key(org) && asked_before.contains(org));
            }
            FirstResume::Ended { .. } | FirstResume::Unclear => owed.retain(|org, _| {
                let join = joined.get(org);
                join.is_some_and(|join| asked_before.contains(org) || now - join.at > REPLAYED_MS)
            }),
        }
    }

    /// Keeps what is owed in step with a recreated log.
    pub(super) fn renew(&mut self, renewed: Option<&Position>) {
        for from in self.owed.values_mut() {
            *from = owed_since(from.clone(), renewed);
        }
    }
}

fn called(cursor: &str, at: i64) -> FirstResume {
    position(cursor).map_or(FirstResume::Unclear, |from| FirstResume::Called { from, at })
}

/// Notes from where on an org is owed; `resumed_from` is the cursor of a resume that was complete.
fn settle(
    owed: &mut BTreeMap<&'static str, Position>,
    org: &'static str,
    join: &Join,
    resumed_from: Option<&Position>,
) {
    match resumed_from.filter(|_| join.in_time) {
        // What was owed before is still owed: the cursor claims no more than the page has received.
        Some(from) => drop(owed.entry(org).or_insert_with(|| from.clone())),
        None => drop(owed.insert(org, join.live_by.clone())),
    }
}

impl Tab {
    /// It was let into an org.
    pub(super) fn watch_answered(&mut self, org: &'static str, around: &Surroundings<'_>) {
        // An answer may be about one that it has left since.
        let is_wanted = !self.calls.iter().any(|call| *call == Call::Unwatch(org));
        let Some(link) = self.link.filter(|_| is_wanted) else { return self.watching.left(org) };
        let will_resume = self.resume_from.is_some() && !matches!(self.order, Order::Never | Order::AtConnect);
        let mut live_by = around.nodes[link.node].position();
        // A node may be behind the one that gave the cursor: what the tab is beyond is sent to none of its groups.
        if let Some(Ok(last)) = self.last.as_deref().map(position)
            && last.incarnation() == live_by.incarnation()
        {
            live_by.merge(&last);
        }
        self.watching.joined(org, live_by, will_resume, around.now);
    }

    /// Forgets orgs from which its node has taken it, as it lost the role.
    pub(super) fn look_who_watches(&mut self, around: &Surroundings<'_>) {
        let Some(link) = self.link else { return };
        let shard = &around.nodes[link.node].shards[link.shard];
        let held: Vec<Id> = shard.foreign(link.key).into_iter().map(|(_, org, _)| org).collect();
        let gone = |org: &&'static str| !held.iter().any(|held| *held.as_str() == **org);
        let gone: Vec<&'static str> = self.watching.joined.keys().copied().filter(gone).collect();
        gone.into_iter().for_each(|org| self.watching.left(org));
    }

    /// What it has not heard of the orgs that it watches, up to a place or up to now.
    pub(in crate::simulation) fn missing_of_watched(
        &self,
        until: Option<&Position>,
        history: &History,
        log: &Log,
    ) -> Vec<String> {
        // A role that an event granted bounds what is replayed.
        if self.user == ROOT && history.has_changed_roles(ROOT) {
            return Vec::new();
        }
        let watched = self.watching.joined.keys().filter_map(|org| Some((*org, self.watching.owed.get(org)?)));
        let missing = watched.flat_map(|(org, owed_from)| {
            let identity: Identity = anybody_of(org);
            let hub: &Arc<str> = self.hub();
            let account = Account { identity: &identity, hub, owed_from, until, got: &self.got };
            let missing = history.missing(&account, log);
            missing.into_iter().map(move |missing| format!("{missing} (since {owed_from:?})"))
        });
        missing.collect()
    }
}
