//! Requests of the HTTP side that name a connection.

use std::rc::Rc;
use std::time::Instant;

use fanfare_signalr::handshake::{self, HandshakeError};
use fanfare_signalr::negotiate::Transport;
use fanfare_signalr::{Message, Outcome, Value};
use tokio::sync::{mpsc, oneshot};

use super::Shard;
use super::command::{Caller, Command, Denied, Opening, Welcome};
use super::link::{Link, Poll, PollAnswer};
use super::tab::Tab;
use crate::connection::{Action, CloseReason, ConnectionId, Identity};

impl Shard {
    /// Carries out what the HTTP side asks; whoever asked may have left, then the answer is for nobody.
    pub(super) fn obey(self: &Rc<Self>, command: Command) {
        match command {
            Command::WebSocket { opening, stream, read_ahead } => {
                self.open_web_socket(opening, stream, read_ahead);
            }
            Command::MayOpen { caller, answer } => {
                let _ = answer.send(self.may_open(&caller));
            }
            Command::EventStream { opening, events, answer } => {
                let opened = self.open_event_stream(opening, events);
                let _ = answer.send(opened);
            }
            Command::Poll { opening, may_open, poll, answer } => {
                self.take_poll(opening, may_open, poll, answer);
            }
            Command::Post { opening, may_open, bytes, answer } => self.post(opening, may_open, &bytes, answer),
            Command::Delete { caller, answer } => {
                let _ = answer.send(self.delete(&caller));
            }
            Command::Ask { id, target, arguments, answer } => self.ask(id, &target, arguments, answer),
            Command::Drain => self.drain(),
        }
    }

    pub(super) fn find(&self, id: ConnectionId) -> Option<Rc<Tab>> {
        let key = *self.by_id.borrow().get(&id)?;
        self.tab(key)
    }

    /// The connection of a request, if it is the caller's.
    fn own(&self, id: ConnectionId, identity: Option<&Identity>) -> Result<Rc<Tab>, Denied> {
        let tab = self.find(id).ok_or(Denied::Unknown)?;
        let same = match (&tab.identity, identity) {
            (Some(owner), Some(caller)) => owner.same_user(caller),
            (owner, caller) => owner.is_none() && caller.is_none(),
        };
        if same { Ok(tab) } else { Err(Denied::OtherUser) }
    }

    fn may_open(&self, caller: &Caller) -> Result<Welcome, Denied> {
        match self.own(caller.id, caller.identity.as_ref()) {
            Ok(tab) if tab.state.borrow().connection.is_stateful() => Ok(Welcome::Again),
            Ok(tab) if tab.transport != Transport::WebSockets => Err(Denied::OtherTransport),
            Ok(_) => Err(Denied::Active),
            Err(Denied::Unknown) if !self.spent.borrow().holds(caller.id) => Ok(Welcome::New),
            Err(denied) => Err(denied),
        }
    }

    fn open_event_stream(self: &Rc<Self>, opening: Opening, events: mpsc::Sender<bytes::Bytes>) -> Result<(), Denied> {
        match self.own(opening.id, opening.identity.as_ref()) {
            Ok(tab) if tab.transport == Transport::ServerSentEvents => return Err(Denied::Active),
            Ok(_) => return Err(Denied::OtherTransport),
            Err(Denied::Unknown) if !self.spent.borrow().holds(opening.id) => {}
            Err(denied) => return Err(denied),
        }
        let cursor = opening.cursor.clone();
        let tab = self.open(opening, Link::EventStream(events.clone()), Transport::ServerSentEvents);
        self.cursors_at_connect.borrow_mut().extend(cursor.map(|cursor| (tab.key, cursor)));
        tokio::task::spawn_local(Rc::clone(self).serve_event_stream(tab, events));
        Ok(())
    }

    fn take_poll(
        self: &Rc<Self>,
        opening: Opening,
        may_open: bool,
        poll: oneshot::Sender<PollAnswer>,
        answer: oneshot::Sender<Result<(), Denied>>,
    ) {
        let outcome = match self.own(opening.id, opening.identity.as_ref()) {
            Ok(tab) if tab.transport == Transport::LongPolling => {
                let _ = answer.send(Ok(()));
                return self.poll(&tab, poll);
            }
            Ok(_) => Err(Denied::OtherTransport),
            Err(Denied::Unknown) if may_open && !self.spent.borrow().holds(opening.id) => {
                let tab = self.open_long_polling(opening);
                let _ = answer.send(Ok(()));
                return self.poll(&tab, poll);
            }
            Err(denied) => Err(denied),
        };
        let _ = answer.send(outcome);
    }

    fn open_long_polling(self: &Rc<Self>, opening: Opening) -> Rc<Tab> {
        let cursor = opening.cursor.clone();
        let tab = self.open(opening, Link::LongPolling(Poll::new(Instant::now())), Transport::LongPolling);
        self.cursors_at_connect.borrow_mut().extend(cursor.map(|cursor| (tab.key, cursor)));
        tab
    }

    fn post(
        self: &Rc<Self>,
        opening: Opening,
        may_open: bool,
        bytes: &[u8],
        answer: oneshot::Sender<Result<(), Denied>>,
    ) {
        let tab = match self.own(opening.id, opening.identity.as_ref()) {
            Ok(tab) if tab.transport == Transport::WebSockets => {
                let _ = answer.send(Err(Denied::Post));
                return;
            }
            Ok(tab) => tab,
            Err(Denied::Unknown) if may_open && !self.spent.borrow().holds(opening.id) && self.shakes_hands(bytes) => {
                self.open_long_polling(opening)
            }
            Err(denied) => {
                let _ = answer.send(Err(denied));
                return;
            }
        };
        let mut cursor = self.cursors_at_connect.borrow_mut().remove(&tab.key);
        self.receive(&tab, bytes, &mut cursor);
        self.cursors_at_connect.borrow_mut().extend(cursor.map(|cursor| (tab.key, cursor)));
        tab.flush(Instant::now());
        let shard = Rc::clone(self);
        // Answered once uploads have room for what came: the client sends one request at a time.
        tokio::task::spawn_local(async move {
            shard.feed_stalled(&tab).await;
            let _ = answer.send(Ok(()));
            shard.forget_if_over(&tab);
        });
    }

    /// Whether bytes begin as a connection does. Anything else is of a connection that another node has: taken here, a
    /// call would never be answered, while 404 lets a proxy ask the other nodes.
    fn shakes_hands(&self, bytes: &[u8]) -> bool {
        match handshake::Request::parse(bytes, self.shared.settings.message_bytes) {
            Ok(request) => request.is_some(),
            Err(error) => !matches!(error, HandshakeError::Malformed(_)),
        }
    }

    fn delete(self: &Rc<Self>, caller: &Caller) -> Result<(), Denied> {
        let tab = self.own(caller.id, caller.identity.as_ref())?;
        if tab.transport != Transport::LongPolling {
            return Err(Denied::Delete);
        }
        let now = Instant::now();
        self.carry_out(&tab, &mut vec![Action::End(CloseReason::ClientClosed)], now);
        tab.flush(now);
        self.forget_if_over(&tab);
        Ok(())
    }

    fn ask(
        self: &Rc<Self>,
        id: ConnectionId,
        target: &str,
        arguments: Vec<Value<'static>>,
        answer: oneshot::Sender<Outcome<'static>>,
    ) {
        let Some(tab) = self.find(id) else { return };
        let question = tab.calls.borrow_mut().ask();
        let Some((id, asked)) = question else { return };
        let message = Message::Invocation {
            invocation_id: Some(id.into()),
            target: target.into(),
            arguments,
            stream_ids: Vec::new(),
        };
        if self.send_message(&tab, &message) {
            tokio::task::spawn_local(async move {
                if let Ok(outcome) = asked.await {
                    let _ = answer.send(outcome);
                }
            });
        }
    }
}
