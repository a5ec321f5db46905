//! The calls of a connection: carried out one after the other, as clients expect, except streams.
//!
//! A call that cannot run yet waits in order. Waiting calls are counted as memory, and beyond a bound nothing more is
//! read from the client. No call is dropped, and none is refused for its number (rule 7.2).

use std::collections::VecDeque;

use bytes::Bytes;
use fanfare_signalr::{Message, Outcome, invocation_error};
use tracing::Span;

use super::budget::{Budget, Rate};
use super::declared::Judging;
use super::lines::Line;
use super::tab::Tab;
use super::{Core, Key, Task, Ticket};
use crate::connection::Call;
use crate::method::{Builtin, Method, Signature};

/// The calls of one connection; allocated with the first one.
#[derive(Debug, Default)]
pub(super) struct Calls(Option<Box<Open>>);

#[derive(Debug)]
struct Open {
    waiting: VecDeque<Call>,
    /// Their cost in memory.
    memory: usize,
    running: Option<Running>,
    budget: Budget,
}

/// The call that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) ticket: Ticket,
    pub(super) id: Option<String>,
    pub(super) target: String,
    /// The trace of its log lines and of what it publishes.
    pub(super) span: Span,
    pub(super) work: Work,
}

/// A call that waits.
#[derive(Debug)]
pub(super) enum Work {
    /// Its turn to replay.
    Resume(Option<String>),
    /// Its replay.
    Replay,
    /// An authorizer, or the broker.
    Declared(Box<Judging>),
    /// An embedder's code.
    Handler,
}

impl Calls {
    /// The memory of what waits.
    pub(super) fn memory(&self) -> usize {
        self.0.as_ref().map_or(0, |open| open.memory)
    }

    /// Whether a call waits or runs.
    pub(super) fn is_busy(&self) -> bool {
        self.0.as_ref().is_some_and(|open| open.running.is_some() || !open.waiting.is_empty())
    }

    pub(super) fn running(&self) -> Option<&Running> {
        self.0.as_ref()?.running.as_ref()
    }

    pub(super) fn running_mut(&mut self) -> Option<&mut Running> {
        self.0.as_mut()?.running.as_mut()
    }

    /// Takes the running call out if it is the one of a ticket.
    pub(super) fn finish(&mut self, ticket: Ticket) -> Option<Running> {
        self.0.as_mut()?.running.take_if(|running| running.ticket == ticket)
    }

    /// The replay that a resume waits for will not end.
    pub(super) fn abandon_resume(&mut self) {
        if let Some(open) = &mut self.0 {
            open.running.take_if(|running| matches!(running.work, Work::Resume(_) | Work::Replay));
        }
    }

    /// Forgets all that waits.
    pub(super) fn clear(&mut self) {
        self.0 = None;
    }

    /// Charges the calls for what a call costs beyond itself.
    pub(super) fn spend(&mut self, calls: f32, rate: Rate, now: std::time::Instant) {
        if let Some(open) = &mut self.0 {
            open.budget.spend(calls, rate, now);
        }
    }

    fn open(&mut self, rate: Rate, now: std::time::Instant) -> &mut Open {
        self.0.get_or_insert_with(|| {
            Box::new(Open { waiting: VecDeque::new(), memory: 0, running: None, budget: Budget::new(rate, now) })
        })
    }

    fn is_waiting(&self, id: &str) -> bool {
        self.0.as_ref().is_some_and(|open| open.waiting.iter().any(|call| call.id.as_deref() == Some(id)))
    }
}

impl Core {
    /// Takes a call: refuses it if it can never be carried out, otherwise starts it or lets it wait.
    pub(super) fn call(&mut self, key: Key, call: Call) {
        let (rate, now) = (self.call_rate(key), self.now());
        let Some(tab) = self.connections.get_mut(key) else { return };
        // It may have come in one packet with the handshake, which was found to be too late.
        if tab.is_void() {
            return;
        }
        let Some((method, signature)) = self.context.methods.find(&tab.hub.path, &call.target) else {
            let error = invocation_error::unknown_method(&call.target);
            return self.refuse_call(key, &call, None, "unknown_method", error);
        };
        // An invalid call is not kept while it waits.
        let wrong = match &method {
            Method::Builtin(builtin) => builtin.check(&call.arguments).err(),
            _ => None,
        };
        if let Some(error) = mismatch(tab, &call, signature).or(wrong) {
            return self.refuse_call(key, &call, Some(&call.target), "arguments", error);
        }
        let Some(call) = self.open_streams(key, call, method, signature) else { return };
        let Some(tab) = self.connections.get_mut(key) else { return };
        let open = tab.calls.open(rate, now);
        open.memory += call.memory();
        open.waiting.push_back(call);
        self.start_next_call(key);
    }

    /// Refuses a call that could never be carried out. Its method is named only if there is one of that name: anything else
    /// is a client's text, which is in no log.
    fn refuse_call(&mut self, key: Key, call: &Call, method: Option<&str>, reason: &'static str, error: String) {
        self.say(key, &Span::none(), "call refused", &Line { method, reason: Some(reason), ..Line::default() });
        self.refuse(key, call.id.as_deref(), error);
    }

    pub(super) fn refuse(&mut self, key: Key, id: Option<&str>, error: String) {
        self.complete(key, id, Outcome::Error(error.into()));
    }

    /// How many calls the hub of a connection allows it.
    pub(super) fn call_rate(&self, key: Key) -> Rate {
        let hub = self.connections.get(key).map(|tab| &tab.hub);
        Rate::per_minute(hub.map_or(1, |hub| hub.settings.invocations_per_minute))
    }

    /// Starts the calls that wait, as far as the one before has ended and the rate allows it.
    pub(super) fn start_next_call(&mut self, key: Key) {
        while let Some(call) = self.next_call(key) {
            self.run(key, call);
            if self.connections.get(key).is_some_and(|tab| tab.calls.running().is_some()) {
                break;
            }
        }
        self.forget_once_idle(key);
    }

    fn next_call(&mut self, key: Key) -> Option<Call> {
        let (rate, now) = (self.call_rate(key), self.now());
        if self.try_waiting_resume(key) {
            return None;
        }
        let tab = self.connections.get_mut(key)?;
        if tab.is_void() {
            tab.calls.clear();
            return None;
        }
        let open = tab.calls.0.as_mut()?;
        if open.running.is_some() || open.waiting.is_empty() {
            return None;
        }
        if !open.budget.take(rate, now) {
            let at = now + open.budget.wait(1.0, rate, now);
            self.schedule(key, at);
            return None;
        }
        let call = open.waiting.pop_front()?;
        open.memory = if open.waiting.is_empty() { 0 } else { open.memory.saturating_sub(call.memory()) };
        // Reading may have paused because of waiting calls.
        self.tasks.push_back(Task::Wake(key));
        Some(call)
    }

    /// Tries a resume again that waited for another replay; true if a call runs.
    fn try_waiting_resume(&mut self, key: Key) -> bool {
        let Some(running) = self.connections.get_mut(key).and_then(|tab| tab.calls.running_mut()) else { return false };
        let Work::Resume(cursor) = &running.work else { return true };
        let (id, cursor) = (running.id.clone(), cursor.clone());
        if self.resume(key, id.as_deref(), cursor.as_deref())
            && let Some(running) = self.connections.get_mut(key).and_then(|tab| tab.calls.running_mut())
        {
            running.work = Work::Replay;
        }
        self.connections.get(key).is_some_and(|tab| tab.calls.running().is_some())
    }

    fn run(&mut self, key: Key, call: Call) {
        let ticket = self.ticket();
        let span = self.call_span(key, &call.target, call.traceparent.as_deref());
        let Some(tab) = self.connections.get_mut(key) else { return };
        // It was there when the call came: the configuration may have been read again since.
        let Some((method, _)) = self.context.methods.find(&tab.hub.path, &call.target) else {
            let error = invocation_error::unknown_method(&call.target);
            return self.refuse_call(key, &call, None, "unknown_method", error);
        };
        let begin =
            |work| Running { ticket, id: call.id.clone(), target: call.target.clone(), span: span.clone(), work };
        let Some(open) = &mut tab.calls.0 else { return };
        match method {
            // A client that has left gets nothing more.
            Method::Builtin(_) if tab.ending.is_some() => {}
            Method::Builtin(builtin) => {
                let cursor = builtin.check(&call.arguments).unwrap_or_default();
                open.running = Some(begin(Work::Resume(cursor)));
                if builtin == Builtin::Cursor {
                    return self.answer_cursor(key, call.id.as_deref());
                }
                self.try_waiting_resume(key);
            }
            Method::Declared(method) => self.run_declared(key, ticket, method, call, span),
            Method::Handler(code) => {
                let running = begin(Work::Handler);
                self.run_handler(key, code, call, running);
            }
        }
    }

    pub(super) fn begin_running(&mut self, key: Key, running: Running) {
        if let Some(open) = self.connections.get_mut(key).and_then(|tab| tab.calls.0.as_mut()) {
            open.running = Some(running);
        }
    }

    /// Answers the call that runs; it is over.
    pub(super) fn complete_running(&mut self, key: Key, id: Option<&str>, outcome: Outcome<'_>) {
        let label = label(&outcome);
        self.complete_running_as(key, id, outcome, label);
    }

    /// The same, counted under a label.
    pub(super) fn complete_running_as(
        &mut self,
        key: Key,
        id: Option<&str>,
        outcome: Outcome<'_>,
        label: &'static str,
    ) {
        if let Some(open) = self.connections.get_mut(key).and_then(|tab| tab.calls.0.as_mut()) {
            open.running = None;
        }
        self.complete_as(key, id, outcome, label);
    }

    /// Answers a call.
    pub(super) fn complete(&mut self, key: Key, id: Option<&str>, outcome: Outcome<'_>) {
        let label = label(&outcome);
        self.complete_as(key, id, outcome, label);
    }

    fn complete_as(&mut self, key: Key, id: Option<&str>, outcome: Outcome<'_>, label: &'static str) {
        self.context.metrics.invocation(label);
        if let Some(id) = id {
            self.send_message(key, &Message::Completion { invocation_id: id.into(), outcome });
        }
        let now = self.now();
        if let Some(tab) = self.connections.get_mut(key) {
            tab.note_completed(now);
        }
        self.check_quiet(key);
    }

    /// Encodes a message for one connection and queues it; false if it takes none.
    pub fn send_message(&mut self, key: Key, message: &Message<'_>) -> bool {
        let Some(tab) = self.connections.get(key) else { return false };
        let Some(hub_bytes) = tab.connection.encode(message) else { return false };
        let wire = Bytes::from(tab.form().wrap(&hub_bytes));
        self.send_wire(key, wire, message.is_trackable())
    }
}

/// How a call is counted that has ended so.
fn label(outcome: &Outcome<'_>) -> &'static str {
    if matches!(outcome, Outcome::Error(_)) { "error" } else { "ok" }
}

/// Why a call does not fit the method's signature, with ASP.NET's text.
fn mismatch(tab: &Tab, call: &Call, signature: Signature) -> Option<String> {
    if let Some(id) = &call.id
        && (tab.calls.is_waiting(id) || tab.handling.streams(id))
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
