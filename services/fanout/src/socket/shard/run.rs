//! Running the calls of a connection.

use std::rc::Rc;

use async_trait::async_trait;
use fanfare_signalr::{Message, Outcome, Value, invocation_error};
use tokio_util::sync::CancellationToken;

use super::Shard;
use super::tab::Tab;
use crate::connection::Call;
use crate::method::{Arguments, Builtin, Caller, Gone, Handler, Method, Request, Signature, Upload};

/// What is told in a row waits once more than this many bytes wait for the socket.
const ROOM_BYTES: usize = 32 * 1024;

impl Shard {
    /// Takes a call: refuses it at once, starts it, or lets it wait behind the one that runs.
    pub(super) fn call(self: &Rc<Self>, tab: &Rc<Tab>, call: Call) {
        // It may have come in one packet with the handshake, which was found to be too late.
        if tab.state.borrow().is_void() {
            return;
        }
        let Some((method, signature)) = self.shared.methods.find(&tab.hub.path, &call.target) else {
            let error = invocation_error::unknown_method(&call.target);
            return self.refuse(tab, &call, error);
        };
        if let Some(error) = mismatch(tab, &call, signature) {
            return self.refuse(tab, &call, error);
        }
        // Now, not when the method runs: its items may come in the same packet.
        let opened = tab.calls.borrow_mut().open_uploads(&call.uploads);
        let Some(uploads) = opened else {
            return self.refuse(tab, &call, "Too many streams are uploaded.".to_owned());
        };
        if signature.streams {
            return self.start_stream(tab, call, uploads, method);
        }
        let queued = tab.calls.borrow_mut().queue(call, uploads);
        match queued {
            Ok(true) => {
                tokio::task::spawn_local(Rc::clone(self).run_calls(Rc::clone(tab)));
            }
            Ok(false) => {}
            Err(call) => {
                end_uploads(tab, &call);
                self.refuse(tab, &call, "Too many calls wait for an answer.".to_owned());
            }
        }
    }

    fn refuse(&self, tab: &Tab, call: &Call, error: String) {
        self.complete(tab, call.id.as_deref(), Outcome::Error(error.into()));
    }

    /// Runs the calls of one connection, one after the other, as its clients expect.
    async fn run_calls(self: Rc<Self>, tab: Rc<Tab>) {
        loop {
            let Some((call, uploads)) = tab.calls.borrow_mut().next() else { return };
            if tab.state.borrow().is_void() {
                return;
            }
            let Some((method, _)) = self.shared.methods.find(&tab.hub.path, &call.target) else { continue };
            match method {
                Method::Builtin(builtin) => self.run_builtin(&tab, builtin, call).await,
                Method::Declared(declared) => self.run_declared(&tab, &declared, call).await,
                Method::Handler(handler) => self.run_handler(&tab, &*handler, call, uploads, None).await,
            }
        }
    }

    async fn run_builtin(self: &Rc<Self>, tab: &Rc<Tab>, builtin: Builtin, call: Call) {
        match (builtin, builtin.check(&call.arguments)) {
            (_, Err(error)) => self.refuse(tab, &call, error),
            (Builtin::Resume, Ok(cursor)) => {
                self.resume(tab, call.id.as_deref(), &cursor.unwrap_or_default()).await;
            }
            (Builtin::Cursor, Ok(_)) => self.ask_cursor(tab, call.id),
        }
    }

    fn start_stream(self: &Rc<Self>, tab: &Rc<Tab>, call: Call, uploads: Vec<Upload>, method: Method) {
        let (Method::Handler(handler), Some(id)) = (method, call.id.clone()) else { return };
        let started = tab.calls.borrow_mut().start_stream(&id);
        let Some(cancelled) = started else {
            end_uploads(tab, &call);
            return self.refuse(tab, &call, "Too many streams are open.".to_owned());
        };
        let (shard, tab) = (Rc::clone(self), Rc::clone(tab));
        tokio::task::spawn_local(async move {
            shard.run_handler(&tab, &*handler, call, uploads, Some(cancelled)).await;
            tab.calls.borrow_mut().end_stream(&id);
        });
    }

    async fn run_handler(
        self: &Rc<Self>,
        tab: &Rc<Tab>,
        handler: &dyn Handler,
        mut call: Call,
        uploads: Vec<Upload>,
        cancelled: Option<CancellationToken>,
    ) {
        let caller = Calling { shard: self, tab, stream: call.id.as_deref(), cancelled };
        let values = std::mem::take(&mut call.arguments);
        let arguments = Arguments { target: call.target.clone(), values, uploads };
        let outcome = match handler.call(&caller, arguments).await {
            // A stream ends without a value: JavaScript would ignore it and others refuse it.
            Ok(_) if caller.cancelled.is_some() => Outcome::Void,
            Ok(outcome) => outcome,
            Err(error) => Outcome::Error(error.into()),
        };
        end_uploads(tab, &call);
        self.complete(tab, call.id.as_deref(), outcome);
    }

    /// Whether the link has taken most of what was queued before.
    pub(super) fn has_room(&self, tab: &Tab) -> bool {
        // Where little may wait there must be room left for the next frame: it would end the connection.
        tab.state.borrow().queue.len() <= ROOM_BYTES.min(self.shared.queue_bytes / 4)
    }

    /// Waits for that.
    pub(super) async fn room(&self, tab: &Tab) -> Result<(), Gone> {
        loop {
            let drained = tab.drained.notified();
            {
                if tab.state.borrow().ending.is_some() {
                    return Err(Gone);
                }
                if self.has_room(tab) {
                    return Ok(());
                }
            }
            tab.room_wanted.set(true);
            drained.await;
        }
    }
}

/// Ends what a call uploads: what still comes of it is ignored.
fn end_uploads(tab: &Tab, call: &Call) {
    for id in &call.uploads {
        tab.calls.borrow_mut().end_upload(id, None);
    }
}

/// Why a call does not fit the method's signature, in ASP.NET's words.
fn mismatch(tab: &Tab, call: &Call, signature: Signature) -> Option<String> {
    if let Some(id) = &call.id
        && tab.calls.borrow().is_in_use(id)
    {
        return Some(invocation_error::id_in_use(id));
    }
    match (signature.streams, call.streaming) {
        (true, false) => return Some(invocation_error::stream_expected(&call.target)),
        (false, true) => return Some(invocation_error::stream_unexpected(&call.target)),
        _ => {}
    }
    let (sent, expected) = (call.uploads.len(), signature.uploads);
    (sent != expected).then(|| invocation_error::stream_count(sent, expected))
}

struct Calling<'a> {
    shard: &'a Rc<Shard>,
    tab: &'a Rc<Tab>,
    stream: Option<&'a str>,
    /// Of a stream: told when the client wants no more.
    cancelled: Option<CancellationToken>,
}

#[async_trait(?Send)]
impl Caller for Calling<'_> {
    fn connection_id(&self) -> String {
        self.tab.id.to_string()
    }

    fn transport(&self) -> &'static str {
        self.tab.transport.name()
    }

    fn request(&self) -> Option<&Request> {
        self.tab.request.as_deref()
    }

    async fn push(&self, target: &str, arguments: &[Value<'_>]) -> Result<(), Gone> {
        self.shard.room(self.tab).await?;
        let message = Message::Invocation {
            invocation_id: None,
            target: target.into(),
            arguments: arguments.to_vec(),
            stream_ids: Vec::new(),
        };
        if self.shard.send_message(self.tab, &message) { Ok(()) } else { Err(Gone) }
    }

    async fn item(&self, item: Value<'_>) -> Result<(), Gone> {
        self.shard.room(self.tab).await?;
        let id = self.stream.ok_or(Gone)?;
        let message = Message::StreamItem { invocation_id: id.into(), item };
        if self.shard.send_message(self.tab, &message) { Ok(()) } else { Err(Gone) }
    }

    async fn cancelled(&self) {
        match &self.cancelled {
            Some(token) => token.cancelled().await,
            None => std::future::pending().await,
        }
    }
}
