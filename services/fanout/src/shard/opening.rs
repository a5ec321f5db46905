//! The beginning of a connection, and the HTTP requests that name one.
//!
//! Register first, then look again (rule 1.3): a connection announces its groups, and only then is checked against the
//! state. The pipeline folds an event before it asks who is interested. So either an event was folded before the check,
//! or it finds the connection a member. Between the two nothing else happens on the shard.

use bytes::Bytes;
use fanfare_signalr::Message;
use fanfare_signalr::handshake::{self, HandshakeError};
use fanfare_signalr::negotiate::Transport;

use super::calls::Calls;
use super::catching_up::{CatchingUp, Caught};
use super::handler::Handling;
use super::inbound::Inbound;
use super::lines::Life;
use super::queue::SendQueue;
use super::request::{Caller, Denied, Opening, Welcome};
use super::tab::{Poll, Tab};
use super::{Core, Key, PollAnswer, Task};
use crate::config::HubConfig;
use crate::connection::{Action, CloseReason, Connection, ConnectionId, Subscriptions};
use crate::groups::Refused;
use crate::method::declared::Wanted;
use crate::operator::connections::What;
use crate::rule::{Rule, kept};
use crate::vocabulary::{Identity, Membership};
use crate::websocket::{FrameReader, PING};

/// A connection that has announced groups and is still to be checked against the state.
#[derive(Debug)]
pub(super) enum Look {
    /// It has shaken hands.
    Enter(Key),
    /// Its roles have put it into these groups.
    Granted(Key, Vec<Membership>),
    /// A method has put it into these groups.
    Joined { key: Key, ticket: super::Ticket, wanted: Vec<Wanted> },
}

/// Whether bytes begin as a connection does. Anything else is of a connection that another node has: taken here, a
/// call would never be answered, while 404 lets a proxy ask the other nodes.
fn shakes_hands(hub: &HubConfig, bytes: &[u8]) -> bool {
    match handshake::Request::parse(bytes, hub.settings.message_bytes) {
        Ok(request) => request.is_some(),
        Err(error) => !matches!(error, HandshakeError::Malformed(_)),
    }
}

impl Core {
    /// The connection of a request, if it is the caller's.
    fn own(&self, id: ConnectionId, identity: Option<&Identity>) -> Result<Key, Denied> {
        let key = *self.by_id.get(&id).ok_or(Denied::Unknown)?;
        let tab = self.connections.get(key).ok_or(Denied::Unknown)?;
        let same = match (&tab.identity, identity) {
            (Some(owner), Some(caller)) => owner.is_same(caller),
            (owner, caller) => owner.is_none() && caller.is_none(),
        };
        if same { Ok(key) } else { Err(Denied::OtherUser) }
    }

    /// Whether a newer token has replaced a request's.
    fn is_replaced(&self, key: Key, identity: Option<&Identity>) -> bool {
        let tab = &self.connections[key];
        tab.is_refreshed && tab.identity.as_ref().zip(identity).is_some_and(|(own, caller)| caller.is_older_than(own))
    }

    /// The key of a connection.
    #[must_use]
    pub fn find(&self, id: ConnectionId) -> Option<Key> {
        self.by_id.get(&id).copied()
    }

    /// Whether a WebSocket may be opened for an id.
    ///
    /// # Errors
    /// [`Denied`] with the reason.
    pub fn may_open(&self, caller: &Caller) -> Result<Welcome, Denied> {
        match self.own(caller.id, caller.identity.as_ref()) {
            Ok(key) if self.connections[key].connection.is_stateful() => Ok(Welcome::Again),
            Ok(key) if self.connections[key].transport != Transport::WebSockets => Err(Denied::OtherTransport),
            Ok(_) => Err(Denied::Active),
            Err(Denied::Unknown) if !self.used_tokens.holds(caller.id) => Ok(Welcome::New),
            Err(denied) => Err(denied),
        }
    }

    /// Takes over a WebSocket: of a new connection, or another one for a stateful connection. None if its id was taken
    /// between the question and the upgrade: the second socket is dropped.
    pub fn open_web_socket(&mut self, opening: Opening, unix_seconds: i64) -> Option<Key> {
        self.look_after_joining();
        match self.find(opening.id) {
            Some(key) if self.connections[key].connection.is_stateful() => {
                self.replace_link(key);
                Some(key)
            }
            Some(_) => None,
            None => Some(self.open(opening, Transport::WebSockets, unix_seconds)),
        }
    }

    /// Opens the connection of an event stream.
    ///
    /// # Errors
    /// [`Denied`] with the reason.
    pub fn open_event_stream(&mut self, opening: Opening, unix_seconds: i64) -> Result<Key, Denied> {
        self.look_after_joining();
        match self.own(opening.id, opening.identity.as_ref()) {
            Ok(key) if self.connections[key].transport == Transport::ServerSentEvents => Err(Denied::Active),
            Ok(_) => Err(Denied::OtherTransport),
            Err(Denied::Unknown) if !self.used_tokens.holds(opening.id) => {
                Ok(self.open(opening, Transport::ServerSentEvents, unix_seconds))
            }
            Err(denied) => Err(denied),
        }
    }

    /// The connection of a poll, opened by the first; the driver then keeps the poll and calls [`Self::poll`].
    ///
    /// # Errors
    /// [`Denied`] with the reason.
    pub fn own_poll(&mut self, opening: Opening, may_open: bool, unix_seconds: i64) -> Result<Key, Denied> {
        self.look_after_joining();
        match self.own(opening.id, opening.identity.as_ref()) {
            Ok(key) if self.is_replaced(key, opening.identity.as_ref()) => Err(Denied::Replaced),
            Ok(key) if self.connections[key].transport == Transport::LongPolling => Ok(key),
            Ok(_) => Err(Denied::OtherTransport),
            Err(Denied::Unknown) if may_open && !self.used_tokens.holds(opening.id) => {
                Ok(self.open(opening, Transport::LongPolling, unix_seconds))
            }
            Err(denied) => Err(denied),
        }
    }

    /// Takes a poll of a connection that is open, or has just ended without its client knowing.
    pub fn poll(&mut self, key: Key) {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return };
        tab.poll.since = now;
        tab.note_sign(now);
        if !std::mem::replace(&mut tab.poll.polled, true) {
            let answer = PollAnswer::Messages(Vec::new());
            return self.tasks.push_back(Task::AnswerPoll { key, answer });
        }
        tab.poll.waits = true;
        if tab.queue.is_empty()
            && let Some(ending) = &mut tab.ending
        {
            ending.over = true;
            tab.poll.waits = false;
            self.tasks.push_back(Task::AnswerPoll { key, answer: PollAnswer::Over });
            self.tasks.push_back(Task::Wake(key));
        }
        self.dirty.push(key);
        self.check_quiet(key);
    }

    /// The connection that bytes are posted for; some clients post their handshake before their first poll.
    ///
    /// # Errors
    /// [`Denied`] with the reason.
    pub fn own_post(&mut self, opening: Opening, may_open: bool, bytes: &[u8], unix: i64) -> Result<Key, Denied> {
        self.look_after_joining();
        match self.own(opening.id, opening.identity.as_ref()) {
            Ok(key) if self.connections[key].transport == Transport::WebSockets => Err(Denied::Post),
            Ok(key) => Ok(key),
            Err(Denied::Unknown)
                if may_open && !self.used_tokens.holds(opening.id) && shakes_hands(&opening.hub, bytes) =>
            {
                Ok(self.open(opening, Transport::LongPolling, unix))
            }
            Err(denied) => Err(denied),
        }
    }

    /// Takes bytes that a client posted.
    pub fn post(&mut self, key: Key, bytes: &[u8]) {
        self.look_after_joining();
        self.receive_post(key, bytes);
    }

    /// Ends a long-polling connection at its client's wish.
    ///
    /// # Errors
    /// [`Denied`] with the reason.
    pub fn delete(&mut self, caller: &Caller) -> Result<(), Denied> {
        self.look_after_joining();
        let key = self.own(caller.id, caller.identity.as_ref())?;
        if self.connections[key].transport != Transport::LongPolling {
            return Err(Denied::Delete);
        }
        self.carry_out(key, Action::End(CloseReason::ClientClosed));
        self.dirty.push(key);
        Ok(())
    }

    /// Makes a connection around its link.
    fn open(&mut self, opening: Opening, transport: Transport, unix_seconds: i64) -> Key {
        let now = self.now();
        let Opening { id, token_expires, stateful, hub, identity, mut trail, cursor, address, request } = opening;
        // Its span is the parent of everything that follows; the connection itself outlives any span.
        let span = tracing::info_span!("connect", hub = &*hub.path, connection = %id, transport = transport.name());
        if let Some(parent) = &trail.traceparent {
            fanfare_telemetry::follow(&span, parent);
        }
        if let Some(own) = span.in_scope(fanfare_telemetry::traceparent) {
            trail.traceparent = Some(own.into_boxed_str());
        }
        let path = hub.path.clone();
        let address = address.filter(|_| hub.counts_addresses());
        let tab = Tab {
            id,
            hub,
            identity,
            transport,
            life: Box::new(Life::new(now, unix_seconds, address, trail)),
            cursor: cursor.map(String::into_boxed_str),
            connection: Connection::new(transport, stateful, now),
            reader: FrameReader::default(),
            is_linked: true,
            poll: Poll { waits: false, since: now, polled: false },
            queue: SendQueue::default(),
            accounted: 0,
            stalled: None,
            pong: None,
            unacknowledged: None,
            subscriptions: Subscriptions::default(),
            flow: None,
            rejoin: None,
            is_anchored: false,
            is_refreshed: false,
            was_told: false,
            attending: None,
            calls: Calls::default(),
            handling: Handling::new(request),
            inbound: Inbound::new(now),
            ending: None,
            is_forgotten: false,
            last_delivery: 0,
            due: None,
            room_wanted: false,
        };
        let key = self.connections.insert(Box::new(tab));
        self.by_id.insert(id, key);
        if let Some(expires) = token_expires {
            self.used_tokens.note(id, expires, unix_seconds);
        }
        self.context.groups.opened();
        self.count_user(key, true);
        self.context.metrics.connection_opened(&path, transport.name());
        if self.is_draining() {
            self.close(key, CloseReason::Draining);
        }
        key
    }

    /// Lets another link go on where the last one stopped, whether its loss is known yet or not.
    fn replace_link(&mut self, key: Key) {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return };
        tab.connection.replace_socket(now);
        let opened = tab.life.opened;
        tab.life.moments.note(opened, now, What::SocketReplaced, 0);
        self.context.metrics.reconnected("socket");
        self.end_lateness(key, false);
        let Some(tab) = self.connections.get_mut(key) else { return };
        tab.reader = FrameReader::default();
        tab.queue.clear();
        tab.is_linked = true;
        tab.stalled = None;
        let kept = tab.unacknowledged.as_ref();
        let again: Vec<Bytes> = kept.iter().flat_map(|kept| kept.frames().cloned()).collect();
        if let Some(sequence_id) = kept.map(|kept| kept.sequence()) {
            // First of all: the client drops everything that comes before it.
            let hub_bytes = tab.connection.encode(&Message::Sequence { sequence_id }).unwrap_or_default();
            let wire = Bytes::from(tab.form().wrap(&hub_bytes));
            self.send_wire(key, wire, false);
        }
        for frame in again {
            self.send_wire(key, frame, false);
        }
    }

    /// The handshake is done: join the groups, then look.
    pub(super) fn entered(&mut self, key: Key) {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return };
        let memberships = self.context.groups.memberships(&tab.hub, tab.identity.as_ref());
        if kept(Rule::JoinBeforeLook) {
            for membership in &memberships {
                let interest = self.context.groups.interest();
                self.members.join(&tab.hub.path, &membership.group, key, self.index, interest);
            }
        }
        tab.subscriptions.memberships = memberships;
        let waits = tab.hub.catch_up && kept(Rule::WaitsToBeTold);
        tab.flow().catching_up = waits.then(|| CatchingUp::new(now));
        self.looks.push_back(Look::Enter(key));
        if waits && tab.transport == Transport::WebSockets {
            // Its pong is the client's first sign of life.
            self.send_wire(key, Bytes::from_static(&PING), false);
        }
    }

    /// Checks connections that have joined groups against the state. To be called before anything else happens on the
    /// shard; every input does.
    pub fn look_after_joining(&mut self) {
        while let Some(look) = self.looks.pop_front() {
            match look {
                Look::Enter(key) => self.enter(key),
                Look::Granted(key, entered) => {
                    self.told_anew(key, &entered);
                    self.pump(key);
                }
                Look::Joined { key, ticket, wanted } => self.look_at_join(key, ticket, &wanted),
            }
        }
        self.attend_moved();
    }

    /// What is retained for groups that a connection has joined.
    pub(super) fn told_anew(&mut self, key: Key, entered: &[Membership]) {
        if let Some(tab) = self.connections.get_mut(key) {
            let Tab { flow, subscriptions, .. } = &mut **tab;
            if let Some(catching_up) = flow.as_mut().and_then(|flow| flow.catching_up.as_mut()) {
                let position = self.context.groups.read(|known| known.position().clone());
                catching_up.enter(entered, &position, |group| subscriptions.holds(group));
            }
        }
        self.tell_retained(key, entered);
    }

    fn enter(&mut self, key: Key) {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key).filter(|tab| tab.ending.is_none()) else { return };
        match self.context.groups.admit(&tab.hub, tab.identity.as_ref()) {
            Ok(live_from) => tab.subscriptions.live_from = Some(live_from),
            Err(Refused::LoggedOut) if !kept(Rule::LookAfterJoining) => {
                tab.subscriptions.live_from = Some(self.context.groups.read(|known| known.position().clone()));
            }
            Err(Refused::OrgClosed(_)) if !kept(Rule::OrgLookedAt) => {
                tab.subscriptions.live_from = Some(self.context.groups.read(|known| known.position().clone()));
            }
            Err(refused) => return self.close(key, refused.into()),
        }
        let (is_catching_up, cursor) = (tab.is_catching_up(), tab.cursor.take());
        self.say_connected(key);
        self.note_moment(key, What::Admitted, 0);
        let Some(tab) = self.connections.get_mut(key) else { return };
        match cursor {
            Some(cursor) => {
                tab.flow().catching_up.get_or_insert_with(|| CatchingUp::new(now));
                self.resume_at_connect(key, &cursor);
                self.check_quiet(key);
            }
            None if is_catching_up => self.check_quiet(key),
            None => self.end_catching_up(key, &Caught::Quiet),
        }
        self.start_next_call(key);
    }

    /// Counts a connection to its user, or takes it off.
    pub(super) fn count_user(&mut self, key: Key, opens: bool) {
        let Some(identity) = self.connections.get(key).and_then(|tab| tab.identity.as_ref()) else { return };
        let claims = identity.claims();
        let user = (claims.realm.clone(), claims.user.clone());
        let count = self.tabs_by_user.entry(user.clone()).or_default();
        *count = if opens { *count + 1 } else { count.saturating_sub(1) };
        if *count == 0 {
            self.tabs_by_user.remove(&user);
        }
    }
}
