//! Running an embedder's code for a call.

use std::rc::Rc;
use std::sync::Arc;

use async_trait::async_trait;
use fanfare_signalr::{Message, Outcome, Value};
use tokio_util::sync::CancellationToken;

use super::Shard;
use crate::connection::Call;
use crate::method::{Arguments, Caller, Gone, Handler, Request};
use crate::shard::{Key, Ticket};

impl Shard {
    /// Runs a method and tells the core how it ended.
    pub(super) fn handle(
        self: &Rc<Self>,
        key: Key,
        ticket: Ticket,
        handler: Arc<dyn Handler>,
        mut call: Call,
        stream: bool,
    ) {
        let Some(about) = self.core().about(key) else { return };
        let uploads = self.embedded(key, |embedded| embedded.take_uploads(&call.uploads));
        let cancelled = call.id.as_deref().filter(|_| stream);
        let cancelled = cancelled.map(|id| self.embedded(key, |embedded| embedded.start_stream(id)));
        let values = std::mem::take(&mut call.arguments);
        let arguments = Arguments { target: call.target.clone(), values, uploads };
        let shard = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let caller = Calling { shard: &shard, key, about, stream: call.id.as_deref(), cancelled };
            let outcome = match handler.call(&caller, arguments).await {
                // A stream ends without a value: JavaScript would ignore it and others refuse it.
                Ok(_) if stream => Outcome::Void,
                Ok(outcome) => outcome,
                Err(error) => Outcome::Error(error.into()),
            };
            if shard.core().is(key, caller.about.id) {
                shard.embedded(key, |embedded| {
                    embedded.end_uploads(&call.uploads);
                    call.id.iter().for_each(|id| embedded.end_stream(id));
                });
                shard.core().handled(key, ticket, &call, outcome);
                shard.carry_out();
            }
        });
    }

    /// Waits until the link has taken most of what was queued before.
    async fn room(&self, key: Key, id: crate::connection::ConnectionId) -> Result<(), Gone> {
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
    about: crate::shard::About,
    stream: Option<&'a str>,
    /// Of a stream: told when the client wants no more.
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
