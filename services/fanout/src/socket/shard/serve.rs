//! The task of one connection: reads what the client sends and lets the socket go at the end.

use std::io::ErrorKind;
use std::rc::Rc;
use std::time::Instant;

use bytes::Bytes;
use fanfare_signalr::{Outcome, Value};
use tokio::io::Interest;

use super::tab::Tab;
use super::{PendingCursor, Shard};
use crate::connection::{Action, CloseReason, HubMethod, Invocation, WireForm};
use crate::projection::seal_cursor;
use crate::websocket::{CloseCode, Received, close_frame, pong_frame};

/// How many buffers are read from one socket before others get a turn.
const READS_PER_TURN: usize = 4;

impl Shard {
    /// Serves a connection until its socket is done with.
    pub(super) async fn serve(self: Rc<Self>, tab: Rc<Tab>, read_ahead: Bytes, cursor: Option<String>) {
        let mut cursor = cursor;
        if !read_ahead.is_empty() {
            self.receive(&tab, &mut read_ahead.to_vec(), &mut cursor);
        }
        while !tab.state.borrow().ending.as_ref().is_some_and(|ending| ending.over) {
            let waits = !tab.state.borrow().queue.is_empty();
            let interest = if waits { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
            tokio::select! {
                ready = tab.stream.ready(interest) => match ready {
                    Ok(ready) => {
                        if ready.is_writable() {
                            tab.flush(Instant::now());
                        }
                        if ready.is_readable() || ready.is_error() {
                            self.read(&tab, &mut cursor);
                        }
                    }
                    Err(_) => tab.state.borrow_mut().end(CloseReason::ClientGone, Instant::now()),
                },
                () = tab.wake.notified() => {}
            }
        }
        self.forget(&tab);
    }

    fn read(self: &Rc<Self>, tab: &Rc<Tab>, cursor: &mut Option<String>) {
        for _ in 0..READS_PER_TURN {
            // Taken out while it is used: what a message causes may read another connection's state.
            let mut buffer = self.read_buffer.take();
            let outcome = tab.stream.try_read(&mut buffer);
            if let Ok(count @ 1..) = outcome {
                self.receive(tab, &mut buffer[..count], cursor);
            }
            self.read_buffer.replace(buffer);
            match outcome {
                Ok(1..) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(0) | Err(_) => {
                    tab.state.borrow_mut().end(CloseReason::ClientGone, Instant::now());
                    return;
                }
            }
        }
    }

    /// Takes bytes of the socket and carries out what they ask for.
    fn receive(self: &Rc<Self>, tab: &Rc<Tab>, bytes: &mut [u8], cursor: &mut Option<String>) {
        let now = Instant::now();
        let mut rest = bytes;
        let mut actions = Vec::new();
        loop {
            let (used, more) = self.receive_frame(tab, rest, now, &mut actions);
            for action in actions.drain(..) {
                self.carry_out_one(tab, action, now, cursor);
            }
            rest = &mut rest[used..];
            if !more || rest.is_empty() {
                break;
            }
        }
        tab.flush(now);
    }

    /// Reads one piece of a frame; how many bytes it took and whether to go on.
    fn receive_frame(
        self: &Rc<Self>,
        tab: &Rc<Tab>,
        bytes: &mut [u8],
        now: Instant,
        actions: &mut Vec<Action>,
    ) -> (usize, bool) {
        let mut state = tab.state.borrow_mut();
        let state = &mut *state;
        if state.ending.is_some() {
            // Only the end of the stream matters now; what still comes is read and dropped.
            return (bytes.len(), false);
        }
        match state.reader.read(bytes) {
            Ok((used, Some(Received::Data { bytes, .. }))) => {
                state.connection.receive(bytes, &self.shared.settings, now, actions);
                (used, true)
            }
            Ok((used, Some(Received::Ping(payload)))) => {
                let pong = Bytes::from(pong_frame(&payload));
                if state.queue.push(pong, None, self.shared.queue_bytes).is_err() {
                    state.end(CloseReason::SlowConsumer, now);
                }
                (used, true)
            }
            Ok((used, Some(Received::Pong))) => (used, true),
            Ok((used, Some(Received::Close(_)))) => {
                actions.push(Action::End(CloseReason::ClientClosed));
                (used, false)
            }
            Ok((used, None)) => (used, used > 0),
            Err(error) => {
                tracing::debug!(connection = %tab.id, %error, "broken WebSocket framing");
                actions.push(Action::End(CloseReason::InvalidFrame));
                (0, false)
            }
        }
    }

    /// Carries out what the state machine asks for.
    pub(super) fn carry_out(self: &Rc<Self>, tab: &Rc<Tab>, actions: &mut Vec<Action>, now: Instant) {
        for action in actions.drain(..) {
            self.carry_out_one(tab, action, now, &mut None);
        }
    }

    fn carry_out_one(
        self: &Rc<Self>,
        tab: &Rc<Tab>,
        action: Action,
        now: Instant,
        cursor: &mut Option<String>,
    ) {
        match action {
            Action::Send(hub_bytes) => {
                self.queue(tab, Bytes::from(tab.wire_form().wrap(&hub_bytes)));
            }
            Action::Opened(_) => self.opened(tab, cursor.take()),
            Action::Invoke(invocation) => self.invoke(tab, invocation),
            Action::End(reason) => {
                let code = match reason {
                    CloseReason::InvalidFrame => CloseCode::ProtocolError,
                    CloseReason::Draining => CloseCode::GoingAway,
                    _ => CloseCode::Normal,
                };
                self.queue(tab, Bytes::from(close_frame(code)));
                tab.state.borrow_mut().end(reason, now);
            }
        }
    }

    fn invoke(self: &Rc<Self>, tab: &Rc<Tab>, invocation: Invocation) {
        match invocation.method {
            HubMethod::Cursor => self.ask_cursor(tab, invocation.id),
            HubMethod::Resume(cursor) => {
                tokio::task::spawn_local(Rc::clone(self).resume(Rc::clone(tab), invocation.id, cursor));
            }
        }
    }

    fn ask_cursor(self: &Rc<Self>, tab: &Rc<Tab>, invocation: Option<String>) {
        // The position may be ahead of what still waits in the inbox for this tab. Told now and dropped
        // a moment later, the tab would resume behind something it never got.
        let (position, waiting) = self.shared.groups.passed(self.index);
        let cursor = seal_cursor(&self.shared.seal, &position);
        let after = self.handled.get() + waiting;
        self.cursors.borrow_mut().push(PendingCursor { tab: Rc::clone(tab), invocation, cursor, after });
        self.answer_cursors();
    }

    pub(super) fn answer_cursors(self: &Rc<Self>) {
        let ready: Vec<PendingCursor> = {
            let handled = self.handled.get();
            let mut cursors = self.cursors.borrow_mut();
            cursors.extract_if(.., |pending| pending.after <= handled).collect()
        };
        for PendingCursor { tab, invocation, cursor, .. } in ready {
            self.complete(&tab, invocation.as_deref(), Outcome::Value(Value::from(cursor)));
            tab.flush(Instant::now());
        }
    }

    /// Answers a call.
    pub(super) fn complete(self: &Rc<Self>, tab: &Rc<Tab>, invocation: Option<&str>, outcome: Outcome<'_>) {
        let label = if matches!(outcome, Outcome::Error(_)) { "error" } else { "ok" };
        self.shared.metrics.invocation(label);
        let answer = tab.state.borrow().connection.complete(invocation, outcome);
        if let Some(hub_bytes) = answer {
            let form: WireForm = tab.wire_form();
            self.queue(tab, Bytes::from(form.wrap(&hub_bytes)));
        }
    }
}
