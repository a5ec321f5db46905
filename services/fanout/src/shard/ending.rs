//! Writes to a link, and ends connections.

use std::io::{ErrorKind, IoSlice};

use bytes::Bytes;
use fanfare_signalr::negotiate::Transport;

use super::tab::LinkState;
use super::{Core, Key, PollAnswer, Task};
use crate::connection::CloseReason;
use crate::operator::connections::What;
use crate::vocabulary::Identity;
use crate::websocket::{CloseCode, close_frame};

/// How long a poll waits for something to say; clients give up after 100 s.
const POLL_TIME: std::time::Duration = std::time::Duration::from_secs(90);

/// How long a poll waits for a handshake that does not come.
///
/// A client posts its handshake when its first poll is answered, at the same time as its second poll. A client that
/// polls without a handshake shook hands with a node that is gone, and its polls were sent here: it gets nothing until
/// it learns that its connection is over.
const STRAY_POLL_TIME: std::time::Duration = std::time::Duration::from_secs(5);

impl Core {
    /// Queues bytes of the wire for one connection; false if it takes none.
    pub(super) fn send_wire(&mut self, key: Key, wire: Bytes, tracked: bool) -> bool {
        let limit = self.context.bounds.queue_bytes();
        let Some(tab) = self.connections.get_mut(key) else { return false };
        if tab.ending.as_ref().is_some_and(|ending| ending.over) {
            return false;
        }
        let idle = tab.queue.is_empty();
        if let Err(reason) = tab.push(wire, tracked, limit) {
            self.evict(key, reason);
            return false;
        }
        if idle {
            self.dirty.push(key);
        }
        true
    }

    /// Writes what waits for a link by `write`, which takes what it can of the slices; at most so many times in a turn.
    /// Returns whether something still waits.
    ///
    /// One function for all of a write, as it is what a delivery costs most: each look at the connection counts.
    pub fn write(
        &mut self,
        key: Key,
        most: usize,
        mut write: impl FnMut(&[IoSlice<'_>]) -> std::io::Result<usize>,
    ) -> bool {
        for _ in 0..most {
            let Some(tab) = self.connections.get_mut(key) else { return false };
            let outcome = match tab.queue.only() {
                Some(frame) => write(&[IoSlice::new(frame)]),
                None if tab.queue.is_empty() => return false,
                None => write(&tab.queue.slices()),
            };
            match outcome {
                Ok(count @ 1..) => {
                    if !self.wrote(key, count) {
                        return false;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.blocked(key);
                    return true;
                }
                Ok(_) | Err(_) => {
                    self.link_lost(key);
                    return false;
                }
            }
        }
        true
    }

    /// The first frame that waits, for links that take frames whole.
    #[must_use]
    pub fn first_frame(&self, key: Key) -> Option<&Bytes> {
        self.connections.get(key)?.queue.first()
    }

    /// Whether something waits for a connection's link.
    #[must_use]
    pub fn waits(&self, key: Key) -> bool {
        self.connections.get(key).is_some_and(|tab| !tab.queue.is_empty())
    }

    /// A link has taken so many bytes; returns whether more waits.
    #[inline]
    pub fn wrote(&mut self, key: Key, count: usize) -> bool {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return false };
        tab.queue.advance(count);
        // Nothing waits for this: so it is for all but a few writes.
        let was_stalled = tab.stalled.is_some();
        if !was_stalled && tab.flow.is_none() && tab.pong.is_none() && !tab.room_wanted && !tab.is_owed_presence() {
            tab.connection.sent(now);
            tab.account(&mut self.waiting);
            return !tab.queue.is_empty();
        }
        if was_stalled {
            self.take_again(key, now);
        }
        self.after_write(key, now);
        self.waits(key)
    }

    /// A link holds so many encrypted bytes that are not sent: they count as if they still waited here.
    pub fn set_sealed(&mut self, key: Key, bytes: usize) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        tab.queue.set_sealed(bytes);
        tab.account(&mut self.waiting);
    }

    /// A link takes nothing more for now.
    pub fn blocked(&mut self, key: Key) {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return };
        tab.stalled.get_or_insert(now);
        tab.account(&mut self.waiting);
        self.note_blocked(key);
    }

    /// Takes all that waits, for a poll that asks for it.
    pub fn take_body(&mut self, key: Key) -> Option<Vec<u8>> {
        let now = self.now();
        let tab = self.connections.get_mut(key)?;
        if tab.queue.is_empty() || !tab.poll.waits {
            return None;
        }
        (tab.poll.waits, tab.poll.since) = (false, now);
        let body = tab.queue.drain();
        self.after_write(key, now);
        Some(body)
    }

    fn after_write(&mut self, key: Key, now: std::time::Instant) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        tab.connection.sent(now);
        tab.note_answered(now);
        tab.account(&mut self.waiting);
        self.answer_ping(key);
        self.pump(key);
    }

    /// A link is gone: a stateful connection waits for another, any other ends.
    pub fn link_lost(&mut self, key: Key) {
        self.look_after_joining();
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return };
        tab.queue.clear();
        tab.account(&mut self.waiting);
        self.end_lateness(key, false);
        let Some(tab) = self.connections.get_mut(key) else { return };
        if tab.ending.is_none() && tab.connection.lose_socket(now) {
            tab.is_linked = false;
            self.note_moment(key, What::SocketLost, 0);
        } else {
            tab.end(CloseReason::ClientGone, now);
            self.drop_flow(key);
        }
        self.tasks.push_back(Task::Wake(key));
    }

    /// What to do with a connection's link, after everything that could be written was written.
    pub(crate) fn link_state(&mut self, key: Key) -> LinkState {
        let Some(tab) = self.connections.get_mut(key) else { return LinkState::Over };
        let Some(ending) = &mut tab.ending else {
            return if tab.is_linked { LinkState::Open } else { LinkState::Lost };
        };
        if ending.over {
            return LinkState::Over;
        }
        if ending.shut || !tab.queue.is_empty() {
            return LinkState::Open;
        }
        ending.shut = true;
        match tab.transport {
            Transport::WebSockets => LinkState::Shut,
            // The end of the body is the end of the stream; nothing comes back on it.
            Transport::ServerSentEvents => {
                ending.over = true;
                LinkState::Over
            }
            // The poll that brought a Close message was the last one: its client polls no more. Without such a message
            // the next poll is answered that it is over.
            Transport::LongPolling => {
                ending.over |= tab.poll.waits || ending.reason.message().is_some();
                if std::mem::take(&mut tab.poll.waits) {
                    self.tasks.push_back(Task::AnswerPoll { key, answer: PollAnswer::Over });
                }
                if ending.over { LinkState::Over } else { LinkState::Open }
            }
        }
    }

    /// A link cannot be half-closed: it is over.
    pub fn link_over(&mut self, key: Key) {
        if let Some(ending) = self.connections.get_mut(key).and_then(|tab| tab.ending.as_mut()) {
            ending.over = true;
        }
    }

    /// Ends a connection from the server's side.
    pub(super) fn close(&mut self, key: Key, reason: CloseReason) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        let mut actions = Vec::new();
        tab.connection.close(reason, &mut actions);
        for action in actions {
            self.carry_out(key, action);
        }
        self.tasks.push_back(Task::Wake(key));
    }

    /// Carries out that a connection's state machine has ended.
    pub(super) fn end(&mut self, key: Key, reason: CloseReason) {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return };
        // At once, not when the link is finished: a stateful client that is asked to reconnect tries its old token
        // first and must find nothing. A polling client has to get it by its next poll.
        if tab.transport != Transport::LongPolling {
            self.by_id.remove(&tab.id);
        }
        let code = match reason {
            CloseReason::InvalidFrame => CloseCode::ProtocolError,
            CloseReason::Draining => CloseCode::GoingAway,
            _ => CloseCode::Normal,
        };
        if tab.transport == Transport::WebSockets && tab.is_linked {
            let idle = tab.queue.is_empty();
            // Whether there is room for it or not, the socket ends.
            let _ = tab.queue.push(Bytes::from(close_frame(code)), None, usize::MAX);
            if idle {
                self.dirty.push(key);
            }
        }
        tab.end(reason, now);
        tab.account(&mut self.waiting);
        self.drop_flow(key);
        self.tasks.push_back(Task::Wake(key));
        self.tasks.push_back(Task::Drained(key));
    }

    /// Ends a connection that does not take what it is sent.
    pub(super) fn evict(&mut self, key: Key, reason: CloseReason) {
        let now = self.now();
        let Some(tab) = self.connections.get(key).filter(|tab| tab.ending.is_none()) else { return };
        self.context.metrics.slow_consumer();
        // Without a poll a slow client and one that has left look the same: a page that is reloaded often must not cost
        // its user's other tabs their replays.
        if let Some(identity) = &tab.identity
            && tab.transport != Transport::LongPolling
        {
            self.context.groups.evictions().note(identity, self.tabs_of(identity), now);
        }
        let Some(tab) = self.connections.get_mut(key) else { return };
        self.by_id.remove(&tab.id);
        tab.end(reason, now);
        tab.account(&mut self.waiting);
        self.drop_flow(key);
        self.tasks.push_back(Task::Wake(key));
        self.tasks.push_back(Task::Drained(key));
    }

    /// About how many tabs a user has on this node: those of this shard, and as many on every other if there are several.
    fn tabs_of(&self, identity: &Identity) -> usize {
        let claims = identity.claims();
        let user = (claims.realm.clone(), claims.user.clone());
        match self.tabs_by_user.get(&user).copied().unwrap_or_default() {
            0 | 1 => 1,
            here => here * self.context.groups.shard_count(),
        }
    }

    /// Lets time pass for a long-polling connection: ends polls that waited long enough, and connections whose client
    /// polls no more.
    pub(super) fn tick_poll(&mut self, key: Key) {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return };
        let timeout = tab.hub.settings.client_timeout;
        if tab.transport != Transport::LongPolling {
            return;
        }
        let passed = now.saturating_duration_since(tab.poll.since);
        let handshaking = tab.ending.is_none() && tab.connection.protocol().is_none();
        if tab.poll.waits && passed >= POLL_TIME {
            (tab.poll.waits, tab.poll.since) = (false, now);
            let answer = PollAnswer::Messages(Vec::new());
            self.tasks.push_back(Task::AnswerPoll { key, answer });
        } else if tab.poll.waits && handshaking && passed >= STRAY_POLL_TIME {
            // Without the error text of a failed handshake: for this client it would be no message.
            tab.poll.waits = false;
            self.tasks.push_back(Task::AnswerPoll { key, answer: PollAnswer::Over });
            self.poller_gone(key, CloseReason::HandshakeTimeout);
        } else if !tab.poll.waits && passed >= timeout {
            self.poller_gone(key, CloseReason::ClientGone);
        }
    }

    pub(super) fn poller_gone(&mut self, key: Key, reason: CloseReason) {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return };
        self.by_id.remove(&tab.id);
        tab.end(reason, now);
        tab.account(&mut self.waiting);
        if let Some(ending) = &mut tab.ending {
            ending.over = true;
        }
        self.drop_flow(key);
        self.tasks.push_back(Task::Wake(key));
    }

    /// Nothing is owed to a connection that has ended.
    fn drop_flow(&mut self, key: Key) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        if let Some(replay) = tab.flow.take().and_then(|flow| flow.replay) {
            self.tasks.push_back(Task::EndReplay(replay.ticket));
        }
        tab.calls.abandon_resume();
    }

    /// A poll has gone away without its answer.
    pub fn poll_abandoned(&mut self, key: Key) {
        let now = self.now();
        if let Some(tab) = self.connections.get_mut(key)
            && std::mem::take(&mut tab.poll.waits)
        {
            tab.poll.since = now;
        }
    }

    /// Forgets a connection whose link is finished; calls that it has made are carried out first.
    pub fn forget(&mut self, key: Key) {
        self.look_after_joining();
        self.end_lateness(key, false);
        let Some(tab) = self.connections.get_mut(key) else { return };
        let is_draining = tab.ending.as_ref().is_some_and(|ending| ending.reason == CloseReason::Draining);
        let is_void = tab.ending.as_ref().is_some_and(|ending| ending.reason.is_about_rights());
        self.leave_all_rooms(key, is_draining, is_void);
        let Some(tab) = self.connections.get_mut(key) else { return };
        let heard = std::mem::take(&mut tab.subscriptions);
        if std::mem::replace(&mut tab.is_forgotten, true) {
            return self.forget_once_idle(key);
        }
        tab.queue.clear();
        tab.account(&mut self.waiting);
        let (id, hub) = (tab.id, tab.hub.path.clone());
        let reason = tab.ending.as_ref().map_or(&CloseReason::ClientGone, |ending| &ending.reason);
        let (reason, transport, opened) = (reason.clone(), tab.transport.name(), tab.life.opened);
        let now = self.now();
        let open = now.saturating_duration_since(opened);
        self.context.metrics.connection_closed(&hub, transport, reason.label(), open);
        self.say_closed(key, &reason);
        let Some(tab) = self.connections.get_mut(key) else { return };
        tab.end(CloseReason::ClientGone, now);
        self.drop_flow(key);
        for group in heard.groups() {
            self.members.leave(&hub, group, key, self.index, self.context.groups.interest());
        }
        self.by_id.remove(&id);
        self.context.groups.closed();
        self.count_user(key, false);
        self.forget_once_idle(key);
    }

    /// Frees the place of a forgotten connection once its calls are done.
    pub(super) fn forget_once_idle(&mut self, key: Key) {
        let Some(tab) = self.connections.get(key) else { return };
        if tab.is_forgotten && (!tab.calls.is_busy() || tab.is_void()) {
            let id = tab.id;
            self.connections.remove(key);
            self.tasks.push_back(Task::Forgotten { key, id });
        }
    }
}
