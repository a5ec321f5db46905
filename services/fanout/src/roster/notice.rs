//! A presence notification, encoded once for each wire form and shared by all connections.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_signalr::Protocol;

use crate::connection::{ConnectionId, WireForm, Wires};
use crate::presence::{Declared, Member, MessageTemplate, Room, Scene, User};

/// Something for the tabs in a room.
#[derive(Debug, Clone)]
pub enum Notice {
    /// Joins and leaves; for all connections in the room except those of the users concerned.
    Changed(Arc<Changes>),
    /// A snapshot; for one connection.
    Snapshot(Snapshot),
}

impl Notice {
    /// Where it is about.
    #[must_use]
    pub fn room(&self) -> &Room {
        match self {
            Self::Changed(changes) => &changes.about.room,
            Self::Snapshot(snapshot) => &snapshot.room,
        }
    }
}

/// A snapshot for one connection, in pages that it takes one after the other.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Where.
    pub room: Room,
    /// The user of the connection that asked.
    pub id: ConnectionId,
    /// The place of the connection in its shard.
    pub key: usize,
    /// The shard.
    pub shard: usize,
    /// The pages; shared by all who asked at that moment.
    pub pages: Arc<[Page]>,
}

/// The subject of a notification.
#[derive(Debug)]
pub(super) struct About {
    pub(super) declared: Arc<Declared>,
    pub(super) room: Room,
    /// When it was, in milliseconds since the epoch.
    pub(super) time: i64,
    /// How many members there are then.
    pub(super) count: usize,
}

impl About {
    fn scene(&self) -> Scene<'_> {
        Scene {
            room: &self.room,
            time: self.time,
            count: self.count,
            member: None,
            members: &[],
            page: (1, 1),
            joined: &[],
            left: &[],
            as_member: &self.declared.member,
            times: self.declared.times,
        }
    }
}

/// The joins and leaves in one room.
#[derive(Debug)]
pub struct Changes {
    pub(super) about: About,
    pub(super) joined: Vec<Arc<Member>>,
    pub(super) left: Vec<Arc<Member>>,
    /// Whether it is sent as `together`, if that is declared.
    pub(super) together: bool,
    wires: Wires,
}

impl Changes {
    pub(super) fn new(about: About, joined: Vec<Arc<Member>>, left: Vec<Arc<Member>>, together: bool) -> Self {
        Self { about, joined, left, together, wires: Wires::default() }
    }

    /// Where it was.
    #[must_use]
    pub fn room(&self) -> &Room {
        &self.about.room
    }

    /// The users who joined, and those who left.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.joined.len(), self.left.len())
    }

    /// Whether it is about this user: only others are told.
    #[must_use]
    pub fn is_about(&self, user: &User) -> bool {
        self.joined.iter().chain(&self.left).any(|member| member.user == *user)
    }

    /// The bytes of one wire form; shared, never copied per connection. None if there is nothing to say.
    #[must_use]
    pub fn wire(&self, form: WireForm) -> Option<Bytes> {
        let bytes = self.wires.get(form, || {
            let messages = self.messages(form.protocol(), &self.joined, &self.left);
            if messages.is_empty() { Vec::new() } else { form.wrap(&messages.concat()) }
        });
        (!bytes.is_empty()).then(|| bytes.clone())
    }

    /// The same for a connection of one of the users concerned, which gets only the others; and for one whose messages
    /// are numbered, each in its own frame.
    #[must_use]
    pub fn frames_for(&self, form: WireForm, user: &User) -> Vec<Bytes> {
        let others = |members: &[Arc<Member>]| -> Vec<Arc<Member>> {
            members.iter().filter(|member| member.user != *user).cloned().collect()
        };
        let messages = self.messages(form.protocol(), &others(&self.joined), &others(&self.left));
        messages.into_iter().map(|message| Bytes::from(form.wrap(&message))).collect()
    }

    fn messages(&self, protocol: Protocol, joined: &[Arc<Member>], left: &[Arc<Member>]) -> Vec<Vec<u8>> {
        let declared = &self.about.declared;
        let scene = Scene { joined, left, ..self.about.scene() };
        let push =
            |template: &MessageTemplate, scene: &Scene<'_>| protocol.push(&template.target, &template.arguments(scene));
        if let (true, Some(together)) = (self.together, &declared.together) {
            let says = !joined.is_empty() || !left.is_empty();
            return says.then(|| push(together, &scene)).into_iter().collect();
        }
        let each = |template: &Option<MessageTemplate>, members: &[Arc<Member>]| -> Vec<Vec<u8>> {
            let Some(template) = template else { return Vec::new() };
            members.iter().map(|member| push(template, &Scene { member: Some(member), ..scene })).collect()
        };
        let mut messages = each(&declared.left, left);
        messages.extend(each(&declared.joined, joined));
        messages
    }
}

/// One page of the members of a room.
#[derive(Debug)]
pub struct Page {
    pub(super) about: Arc<About>,
    pub(super) members: Vec<Arc<Member>>,
    /// Its number from 1 on, and how many there are.
    pub(super) number: (usize, usize),
    wires: Wires,
}

impl Page {
    pub(super) fn new(about: Arc<About>, members: Vec<Arc<Member>>, number: (usize, usize)) -> Self {
        Self { about, members, number, wires: Wires::default() }
    }

    /// The bytes of one wire form; shared, never copied per connection.
    #[must_use]
    pub fn wire(&self, form: WireForm) -> Bytes {
        let bytes = self.wires.get(form, || {
            let scene = Scene { members: &self.members, page: self.number, ..self.about.scene() };
            let template = &self.about.declared.snapshot;
            form.wrap(&form.protocol().push(&template.target, &template.arguments(&scene)))
        });
        bytes.clone()
    }
}
