//! What other nodes say of their members, and nodes that are gone.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::core::{Core, key_of};
use super::record::{self, PREFIX};
use super::roll::Source;
use crate::presence::{Member, Room, User};
use crate::rule::{Rule, kept};

/// The most members of other nodes that are remembered, so that a stream full of them takes no node's memory.
const MOST: usize = 1_000_000;

/// One page of another node.
#[derive(Debug)]
struct Page {
    room: Arc<Room>,
    members: Vec<Arc<Member>>,
}

/// One other node.
#[derive(Debug)]
struct Node {
    number: u64,
    pages: HashMap<String, Page>,
}

/// The members on other nodes.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    nodes: HashMap<String, Node>,
    numbers: u64,
    members: usize,
}

/// The outcome of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It counts.
    Yes,
    /// It is none of presence.
    Other,
    /// It cannot be read, and is passed over.
    Unreadable,
    /// There is no room for it, so it is ignored.
    NoRoom,
}

impl Elsewhere {
    /// How many members other nodes have.
    pub(super) fn len(&self) -> usize {
        self.members
    }

    fn number(&mut self, node: &str) -> u64 {
        if let Some(known) = self.nodes.get(node) {
            return known.number;
        }
        self.numbers += 1;
        self.nodes.insert(node.to_owned(), Node { number: self.numbers, pages: HashMap::new() });
        self.numbers
    }
}

impl Core {
    /// Another node has written a record; its previous one no longer counts.
    pub fn heard(&mut self, node: &str, what: &str, body: &[u8]) -> Heard {
        if !what.starts_with(PREFIX) {
            return Heard::Other;
        }
        if body.is_empty() {
            self.replace(node, what, None);
            return Heard::Yes;
        }
        let Ok((room, members)) = record::decode(body) else {
            self.replace(node, what, None);
            return Heard::Unreadable;
        };
        if self.elsewhere.members + members.len() > MOST {
            self.replace(node, what, None);
            return Heard::NoRoom;
        }
        let room = key_of(&mut self.rooms, room);
        self.replace(node, what, Some(Page { room, members }));
        Heard::Yes
    }

    /// Replaces a node's previous record by the new one: users on both are not touched.
    fn replace(&mut self, node: &str, what: &str, page: Option<Page>) {
        let source = Source::Node(self.elsewhere.number(node));
        let now = self.now.instant;
        if let Some(page) = &page
            && let Some(declared) = self.declared(&page.room.hub, &page.room.group).cloned()
        {
            self.roll(&page.room, &declared);
            if let Some(roll) = self.rolls.get_mut(&page.room) {
                page.members.iter().for_each(|member| roll.add(source, member, now));
            }
            self.note_roll(&page.room);
        }
        self.elsewhere.members += page.as_ref().map_or(0, |page| page.members.len());
        let Some(known) = self.elsewhere.nodes.get_mut(node) else { return };
        let room = page.as_ref().map(|page| Arc::clone(&page.room));
        let stay: HashSet<_> = page.iter().flat_map(|page| page.members.iter().map(|member| &member.user)).collect();
        let mut left = Vec::new();
        if let Some(before) = known.pages.get(what) {
            let gone = before.members.iter().filter(|member| !stay.contains(&member.user));
            left.extend(gone.map(|member| (Arc::clone(&before.room), member.user.clone())));
        }
        let before = match page {
            Some(page) => known.pages.insert(what.to_owned(), page),
            None => known.pages.remove(what),
        };
        self.elsewhere.members -= before.as_ref().map_or(0, |before| before.members.len());
        // A user who moved to another page of the same node is on both for a moment, and may come off the older one last.
        let on_another = |room: &Arc<Room>, user: &User| {
            self.elsewhere.nodes.get(node).is_some_and(|known| {
                let mut pages = known.pages.values().filter(|page| page.room == *room);
                pages.any(|page| page.members.iter().any(|member| member.user == *user))
            })
        };
        left.retain(|(room, user)| !on_another(room, user));
        for (room, user) in &left {
            if let Some(roll) = self.rolls.get_mut(room) {
                roll.drop(source, user, now);
            }
            self.note_roll(room);
        }
        for room in room.into_iter().chain(before.map(|before| before.room)) {
            self.tidy(&room);
        }
    }

    /// A node is gone, by a record that says so, with its members; returns how many.
    pub fn gone(&mut self, node: &str) -> usize {
        if !kept(Rule::EndedAreGone) {
            return 0;
        }
        let Some(known) = self.elsewhere.nodes.remove(node) else { return 0 };
        let before = self.elsewhere.members;
        let (source, now) = (Source::Node(known.number), self.now.instant);
        for page in known.pages.into_values() {
            self.elsewhere.members -= page.members.len();
            if let Some(roll) = self.rolls.get_mut(&page.room) {
                page.members.iter().for_each(|member| roll.drop(source, &member.user, now));
            }
            self.note_roll(&page.room);
            self.tidy(&page.room);
        }
        before - self.elsewhere.members
    }
}
