//! Runs the code behind a hub: its calls, what they stream, and what it asks of clients. Without the feature `embed`,
//! `no_handler.rs` takes its place.

mod channels;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use async_trait::async_trait;
use fanfare_signalr::{Message, Outcome, Value};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::Shard;
use crate::connection::{Call, ConnectionId, Streamed};
use crate::method::handler::{Arguments, Caller, Gone, HubCode, Request};
use crate::shard::handler::{About, HandlerTask};
use crate::shard::{Key, Ticket};
use channels::Channels;

/// What the code has open for each connection.
#[derive(Debug, Default)]
pub(super) struct Open(RefCell<HashMap<Key, Channels>>);

impl Open {
    fn of<T>(&self, key: Key, look: impl FnOnce(&mut Channels) -> T) -> T {
        look(self.0.borrow_mut().entry(key).or_default())
    }

    /// Ends everything that is open for a connection: it is gone.
    pub(super) fn end(&self, key: Key) {
        if let Some(channels) = self.0.borrow_mut().remove(&key) {
            channels.end_all();
        }
    }

    /// Whether an item of an upload waits for room.
    pub(super) fn has_stalled_upload(&self, key: Key) -> bool {
        self.0.borrow().get(&key).is_some_and(Channels::is_stalled)
    }

    /// Hands over the first item that waits once its upload has room. Nothing is lost if this is dropped.
    pub(super) async fn feed_upload(&self, key: Key) {
        let items = self.0.borrow().get(&key).and_then(Channels::stalled);
        if let Some(items) = items {
            // The room is taken with the item, or there is no reader any more.
            drop(items.reserve().await);
            if let Some(channels) = self.0.borrow_mut().get_mut(&key) {
                channels.unstall(&items);
            }
        }
    }

    /// Gives uploads all that they had no room for, as they get it; a method that ends wants no more.
    pub(super) async fn feed_uploads(&self, key: Key) {
        while self.has_stalled_upload(key) {
            self.feed_upload(key).await;
        }
    }
}

/// A call of a client's method that asks for a result.
#[derive(Debug)]
pub struct Question {
    /// The connection.
    pub id: ConnectionId,
    /// The client's method.
    pub target: String,
    /// Its arguments.
    pub arguments: Vec<Value<'static>>,
    /// The client's answer; dropped if there is no such connection.
    pub answer: oneshot::Sender<Outcome<'static>>,
}

impl Shard {
    /// Starts what the core wants of the code.
    pub(super) fn start_handler(self: &Rc<Self>, key: Key, task: HandlerTask) {
        match task {
            HandlerTask::Uploads(ids) => self.handlers.of(key, |channels| channels.open_uploads(&ids)),
            HandlerTask::Run { ticket, code, call, stream } => self.handle(key, ticket, code, call, stream),
            HandlerTask::Streamed(streamed) => self.handlers.of(key, |channels| match streamed {
                Streamed::Item { id, item } => channels.item(&id, item),
                Streamed::Completed { id, outcome } => channels.completed(&id, outcome),
                Streamed::Cancel(id) => channels.cancel(&id),
            }),
        }
    }

    /// Asks a client for a result.
    pub(super) fn ask(self: &Rc<Self>, question: Question) {
        let Question { id, target, arguments, answer } = question;
        let Some(key) = self.core().find(id) else { return };
        let Some((id, asked)) = self.handlers.of(key, Channels::ask) else { return };
        let message = Message::Invocation {
            invocation_id: Some(id.into()),
            target: target.into(),
            arguments,
            stream_ids: Vec::new(),
        };
        if self.core().send_message(key, &message) {
            tokio::task::spawn_local(async move {
                if let Ok(outcome) = asked.await {
                    let _ = answer.send(outcome);
                }
            });
        }
    }

    /// Runs a method and reports its outcome to the core.
    fn handle(self: &Rc<Self>, key: Key, ticket: Ticket, code: HubCode, mut call: Call, stream: bool) {
        let Some(about) = self.core().about(key) else { return };
        let uploads = self.handlers.of(key, |channels| channels.take_uploads(&call.uploads));
        let cancelled = call.id.as_deref().filter(|_| stream);
        let cancelled = cancelled.map(|id| self.handlers.of(key, |channels| channels.start_stream(id)));
        let values = std::mem::take(&mut call.arguments);
        let arguments = Arguments { target: call.target.clone(), values, uploads };
        let shard = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let caller = Calling { shard: &shard, key, about, stream: call.id.as_deref(), cancelled };
            let outcome = match code.call(&caller, arguments).await {
                // A stream ends without a value: JavaScript would ignore it and others refuse it.
                Ok(_) if stream => Outcome::Void,
                Ok(outcome) => outcome,
                Err(error) => Outcome::Error(error.into()),
            };
            if shard.core().is(key, caller.about.id) {
                shard.handlers.of(key, |channels| {
                    channels.end_uploads(&call.uploads);
                    call.id.iter().for_each(|id| channels.end_stream(id));
                });
                shard.core().handled(key, ticket, &call, outcome);
                shard.carry_out();
            }
        });
    }

    /// Waits until the link has taken most of what was queued before.
    async fn room(&self, key: Key, id: ConnectionId) -> Result<(), Gone> {
        loop {
            let Some(link) = self.link(key) else { return Err(Gone) };
            let drained = link.drained.notified();
            let room = self.core().room(key, id);
            match room {
                None => return Err(Gone),
                Some(true) => return Ok(()),
                Some(false) => drained.await,
            }
        }
    }
}

struct Calling<'a> {
    shard: &'a Rc<Shard>,
    key: Key,
    about: About,
    stream: Option<&'a str>,
    /// For a stream: notified when the client wants no more.
    cancelled: Option<CancellationToken>,
}

impl Calling<'_> {
    async fn send(&self, message: &Message<'_>) -> Result<(), Gone> {
        self.shard.room(self.key, self.about.id).await?;
        let sent = self.shard.core().send_message(self.key, message);
        self.shard.carry_out();
        if sent { Ok(()) } else { Err(Gone) }
    }
}

#[async_trait(?Send)]
impl Caller for Calling<'_> {
    fn connection_id(&self) -> String {
        self.about.id.to_string()
    }

    fn transport(&self) -> &'static str {
        self.about.transport.name()
    }

    fn request(&self) -> Option<&Request> {
        self.about.request.as_deref()
    }

    async fn push(&self, target: &str, arguments: &[Value<'_>]) -> Result<(), Gone> {
        let arguments = arguments.to_vec();
        let message =
            Message::Invocation { invocation_id: None, target: target.into(), arguments, stream_ids: Vec::new() };
        self.send(&message).await
    }

    async fn item(&self, item: Value<'_>) -> Result<(), Gone> {
        let id = self.stream.ok_or(Gone)?;
        self.send(&Message::StreamItem { invocation_id: id.into(), item }).await
    }

    async fn cancelled(&self) {
        match &self.cancelled {
            Some(token) => token.cancelled().await,
            None => std::future::pending().await,
        }
    }
}
