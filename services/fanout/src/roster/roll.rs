//! Who is in one room, on any node, and what of that has been sent.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use smallvec::{SmallVec, smallvec};

use super::notice::{About, Changes, Notice, Page, Snapshot};
use super::{Seat, Time};
use crate::presence::{Declared, Member, Room, User};
use crate::rule::{Rule, kept};

/// How long changes of a large room are gathered and sent as one.
const GATHERED: Duration = Duration::from_millis(250);

/// About how many bytes of members go into one page, or one batch, at most.
const PAGE_BYTES: usize = 48 * 1024;

/// Which node, and which page, says that somebody is in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// This node.
    Here,
    /// Another, by the number that it has here.
    Node(u64),
}

/// One room.
#[derive(Debug)]
pub(super) struct Roll {
    declared: Arc<Declared>,
    members: IndexMap<User, Present>,
    /// Users whose presence has changed since it was sent, with their state then; none for one who was not there.
    changed: IndexMap<User, Option<Arc<Member>>>,
    /// Since when something is to be sent.
    since: Option<Instant>,
    /// The tabs that wait for a snapshot.
    asking: Vec<Seat>,
    /// How many connections of this node are in it, whoever counts.
    pub(super) tabs: usize,
}

/// A present user, as each node says it.
#[derive(Debug)]
struct Present {
    by: SmallVec<[(Source, Arc<Member>); 1]>,
}

impl Present {
    /// The same on every node that has read the same: who was there first.
    fn member(&self) -> Option<&Arc<Member>> {
        self.by.iter().map(|(_, member)| member).min_by_key(|member| member.order())
    }
}

impl Roll {
    pub(super) fn new(declared: Arc<Declared>) -> Self {
        Self { declared, members: IndexMap::new(), changed: IndexMap::new(), since: None, asking: Vec::new(), tabs: 0 }
    }

    /// Whether there is nothing in it to remember.
    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.changed.is_empty() && self.asking.is_empty() && self.tabs == 0
    }

    /// How many members there are.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// The members.
    #[cfg(test)]
    pub(super) fn users(&self) -> impl Iterator<Item = &User> {
        self.members.keys()
    }

    /// Notes that somebody is there, by this source.
    pub(super) fn add(&mut self, source: Source, member: &Arc<Member>, now: Instant) {
        let user = &member.user;
        if let Some(present) = self.members.get_mut(user) {
            match present.by.iter_mut().find(|(known, _)| *known == source) {
                Some((_, known)) => known.clone_from(member),
                None => present.by.push((source, Arc::clone(member))),
            }
            if !kept(Rule::PresentOnce) {
                self.note(user.clone(), None, now);
            }
            return;
        }
        self.members.insert(user.clone(), Present { by: smallvec![(source, Arc::clone(member))] });
        self.note(user.clone(), None, now);
    }

    /// Notes that this source no longer has the user.
    pub(super) fn drop(&mut self, source: Source, user: &User, now: Instant) {
        let Some(present) = self.members.get_mut(user) else { return };
        let before = present.member().cloned();
        present.by.retain(|(known, _)| *known != source);
        if present.by.is_empty() || !kept(Rule::LastOneLeaves) {
            self.members.swap_remove(user);
            self.note(user.clone(), before, now);
        }
    }

    /// A user who comes back before the leave was sent has not left.
    fn note(&mut self, user: User, before: Option<Arc<Member>>, now: Instant) {
        if self.changed.swap_remove(&user).is_none() {
            self.changed.insert(user, before);
        }
        self.since.get_or_insert(now);
    }

    /// A connection wants a snapshot.
    pub(super) fn ask(&mut self, seat: Seat, now: Instant) {
        if !self.asking.contains(&seat) {
            self.asking.push(seat);
        }
        self.since.get_or_insert(now);
    }

    /// A tab that has asked is gone.
    pub(super) fn forget(&mut self, seat: Seat) {
        self.asking.retain(|known| *known != seat);
    }

    /// When something is to be sent: at once in a small room, a moment later in a large one.
    pub(super) fn due(&self) -> Option<Instant> {
        let is_large = self.members.len() > self.declared.batch_above && kept(Rule::LargeIsGathered);
        self.since.map(|since| if is_large { since + GATHERED } else { since })
    }

    /// First sends what has changed, then snapshots to those who have asked: so changes after a snapshot are sent once,
    /// and those in it are not sent again.
    pub(super) fn tell(&mut self, room: &Room, now: Time, into: &mut Vec<Notice>) {
        self.since = None;
        self.tell_changes(room, now, into);
        let asking = std::mem::take(&mut self.asking);
        if asking.is_empty() {
            return;
        }
        let pages = self.pages(room, now);
        into.extend(asking.into_iter().map(|Seat { id, key, shard }| {
            let (room, pages) = (room.clone(), Arc::clone(&pages));
            Notice::Snapshot(Snapshot { room, id, key, shard, pages })
        }));
    }

    fn tell_changes(&mut self, room: &Room, now: Time, into: &mut Vec<Notice>) {
        let is_large = self.members.len() > self.declared.batch_above;
        let changed = std::mem::take(&mut self.changed);
        // Without connections here no notification is needed; what was not sent is in every snapshot.
        if self.tabs == 0 {
            return;
        }
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        for (user, before) in changed {
            match before {
                Some(member) => left.push(member),
                None => joined.extend(self.members.get(&user).and_then(Present::member).cloned()),
            }
        }
        let most = if is_large { self.declared.page_members } else { 1 };
        for left in split(left, most) {
            self.say(room, now, Vec::new(), left, is_large, into);
        }
        for joined in split(joined, most) {
            self.say(room, now, joined, Vec::new(), is_large, into);
        }
    }

    fn say(
        &self,
        room: &Room,
        now: Time,
        joined: Vec<Arc<Member>>,
        left: Vec<Arc<Member>>,
        together: bool,
        into: &mut Vec<Notice>,
    ) {
        let about = self.about(room, now);
        into.push(Notice::Changed(Arc::new(Changes::new(about, joined, left, together))));
    }

    fn about(&self, room: &Room, now: Time) -> About {
        let declared = Arc::clone(&self.declared);
        About { declared, room: room.clone(), time: now.unix, count: self.members.len() }
    }

    /// The members, in the order in which they joined.
    fn pages(&self, room: &Room, now: Time) -> Arc<[Page]> {
        let mut members: Vec<Arc<Member>> = self.members.values().filter_map(Present::member).cloned().collect();
        members.sort_by(|one, other| one.order().cmp(&other.order()));
        let mut pages = split(members, self.declared.page_members);
        if pages.is_empty() {
            pages.push(Vec::new());
        }
        let (about, count) = (Arc::new(self.about(room, now)), pages.len());
        let pages = pages.into_iter().enumerate();
        pages.map(|(at, members)| Page::new(Arc::clone(&about), members, (at + 1, count))).collect()
    }
}

/// Members in parts of at most so many, and of bounded size.
fn split(members: Vec<Arc<Member>>, most: usize) -> Vec<Vec<Arc<Member>>> {
    let mut parts: Vec<Vec<Arc<Member>>> = Vec::new();
    let mut bytes = 0;
    for member in members {
        let size = member.size();
        match parts.last_mut() {
            Some(part) if part.len() < most && bytes + size <= PAGE_BYTES => {
                bytes += size;
                part.push(member);
            }
            _ => {
                bytes = size;
                parts.push(vec![member]);
            }
        }
    }
    parts
}
