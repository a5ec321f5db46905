//! Calls of an embedder's code: what they stream and upload. Without the feature `embed`, `no_handler.rs` takes its
//! place.

use std::collections::HashSet;
use std::sync::Arc;

use fanfare_signalr::Outcome;
use fanfare_signalr::negotiate::Transport;

use super::calls::Running;
use super::{Core, Key, Task, Ticket};
use crate::connection::{Call, ConnectionId, Streamed};
use crate::method::handler::{HubCode, Request};
use crate::method::{Method, Signature};

/// How many streams and uploads a connection may have at a time.
const MAX_OPEN: usize = 64;

/// Something for the code behind a hub.
pub enum HandlerTask {
    /// A call has come that uploads these streams: their items may be in the same packet.
    Uploads(Vec<String>),
    /// Run the code and answer with [`Core::handled`].
    Run {
        /// The call; 0 for a stream, which runs beside others.
        ticket: Ticket,
        /// The code.
        code: HubCode,
        /// The call.
        call: Call,
        /// Whether it answers with a stream.
        stream: bool,
    },
    /// The client has sent something to a call that runs.
    Streamed(Streamed),
}

/// What the code may know of the connection that calls.
#[derive(Debug, Clone)]
pub struct About {
    /// Its public id.
    pub id: ConnectionId,
    /// How its bytes travel.
    pub transport: Transport,
    /// The request that opened it.
    pub request: Option<Arc<Request>>,
}

/// What is kept of a connection for the code behind its hub, if there is any.
#[derive(Debug)]
pub(super) struct Handling(Option<Box<Kept>>);

#[derive(Debug)]
struct Kept {
    /// The request that opened the connection.
    request: Arc<Request>,
    /// The ids of the calls that are being answered with a stream.
    answers: HashSet<String>,
    /// The ids of the streams that the client uploads.
    uploads: HashSet<String>,
}

impl Handling {
    /// Of a connection that a request has opened; there is one if there is code that may ask for it.
    pub(super) fn new(request: Option<Arc<Request>>) -> Self {
        let kept = |request| Box::new(Kept { request, answers: HashSet::new(), uploads: HashSet::new() });
        Self(request.map(kept))
    }

    /// Whether a call with this id is being answered with a stream.
    pub(super) fn streams(&self, id: &str) -> bool {
        self.0.as_ref().is_some_and(|kept| kept.answers.contains(id))
    }

    fn end_uploads<'i>(&mut self, ids: impl IntoIterator<Item = &'i String>) {
        let Some(kept) = &mut self.0 else { return };
        for id in ids {
            kept.uploads.remove(id);
        }
    }

    fn end_answer(&mut self, id: Option<&str>) {
        if let (Some(kept), Some(id)) = (&mut self.0, id) {
            kept.answers.remove(id);
        }
    }
}

impl Core {
    /// Opens the streams of a call, and returns the call if it waits for its turn. A call that is answered with a
    /// stream does not wait: it begins at once, beside the others.
    pub(super) fn open_streams(&mut self, key: Key, call: Call, method: Method, signature: Signature) -> Option<Call> {
        let uploads = &call.uploads;
        if uploads.is_empty() && !signature.streams {
            return Some(call);
        }
        let kept = self.connections.get_mut(key)?.handling.0.as_mut()?;
        if kept.uploads.len() + uploads.len() > MAX_OPEN || uploads.iter().any(|id| kept.uploads.contains(id)) {
            self.refuse(key, call.id.as_deref(), "Too many streams are uploaded.".to_owned());
            return None;
        }
        if signature.streams && kept.answers.len() >= MAX_OPEN {
            self.refuse(key, call.id.as_deref(), "Too many streams are open.".to_owned());
            return None;
        }
        kept.uploads.extend(uploads.iter().cloned());
        if !uploads.is_empty() {
            self.tasks.push_back(Task::Handler { key, task: HandlerTask::Uploads(uploads.clone()) });
        }
        if !signature.streams {
            return Some(call);
        }
        let (Method::Handler(code), Some(id)) = (method, call.id.clone()) else { return None };
        kept.answers.insert(id);
        self.tasks.push_back(Task::Handler { key, task: HandlerTask::Run { ticket: 0, code, call, stream: true } });
        None
    }

    /// Runs the code for the call whose turn it is.
    pub(super) fn run_handler(&mut self, key: Key, code: HubCode, call: Call, running: Running) {
        let ticket = running.ticket;
        self.begin_running(key, running);
        self.tasks.push_back(Task::Handler { key, task: HandlerTask::Run { ticket, code, call, stream: false } });
    }

    /// The code has ended.
    pub fn handled(&mut self, key: Key, ticket: Ticket, call: &Call, outcome: Outcome<'_>) {
        self.look_after_joining();
        let Some(tab) = self.connections.get_mut(key) else { return };
        tab.handling.end_uploads(&call.uploads);
        if ticket == 0 {
            tab.handling.end_answer(call.id.as_deref());
        } else if tab.calls.finish(ticket).is_none() {
            return;
        }
        self.complete(key, call.id.as_deref(), outcome);
        self.start_next_call(key);
    }

    /// Hands on what the client has sent to a call that runs.
    pub(super) fn streamed(&mut self, key: Key, streamed: Streamed) {
        if let Streamed::Completed { id, .. } = &streamed
            && let Some(tab) = self.connections.get_mut(key)
        {
            tab.handling.end_uploads([id]);
        }
        self.tasks.push_back(Task::Handler { key, task: HandlerTask::Streamed(streamed) });
    }

    /// What the code may know of a connection.
    #[must_use]
    pub fn about(&self, key: Key) -> Option<About> {
        let tab = self.connections.get(key)?;
        let request = tab.handling.0.as_ref().map(|kept| Arc::clone(&kept.request));
        Some(About { id: tab.id, transport: tab.transport, request })
    }

    /// Whether there is room for more; asks for [`Task::Drained`] if not. None if the connection has ended.
    pub fn room(&mut self, key: Key, id: ConnectionId) -> Option<bool> {
        let has_room = self.has_room(key);
        let tab = self.connections.get_mut(key).filter(|tab| tab.id == id && tab.ending.is_none())?;
        tab.room_wanted = !has_room;
        Some(has_room)
    }
}
