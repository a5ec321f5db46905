//! Long polling: polls come and go, the connection stays.

use std::rc::Rc;
use std::time::{Duration, Instant};

use fanfare_signalr::negotiate::Transport;
use tokio::sync::oneshot;

use super::Shard;
use super::link::{Link, PollAnswer};
use super::tab::Tab;
use crate::connection::CloseReason;

/// How long a poll waits for something to say; clients give up after 100 s.
const POLL_TIME: Duration = Duration::from_secs(90);

/// How long a poll waits beside a handshake that does not come.
///
/// A client posts its handshake when its first poll is answered, at the same time as its second poll. One that polls
/// and says nothing shook hands with a node that is gone, and its polls were sent here: it hears nothing until it is
/// told that its connection is over.
const STRAY_POLL_TIME: Duration = Duration::from_secs(5);

impl Shard {
    /// Takes a poll of a connection that is open, or has just ended and has not been told.
    pub(super) fn poll(self: &Rc<Self>, tab: &Rc<Tab>, poll: oneshot::Sender<PollAnswer>) {
        let now = Instant::now();
        {
            let mut state = tab.state.borrow_mut();
            let state = &mut *state;
            let Link::LongPolling(link) = &mut state.link else {
                // The receiver learns from the dropped sender that there is nothing here.
                return;
            };
            link.take(poll, now);
            if state.queue.is_empty()
                && let Some(ending) = &mut state.ending
            {
                link.release(PollAnswer::Over, now);
                ending.over = true;
            }
        }
        tab.flush(now);
        self.forget_if_over(tab);
    }

    /// Lets time pass for a long-polling connection: ends polls that waited long enough, and connections
    /// whose client polls no more.
    pub(super) fn tick_poll(self: &Rc<Self>, tab: &Rc<Tab>, now: Instant) {
        let mut gone = None;
        let mut state = tab.state.borrow_mut();
        let handshaking = state.ending.is_none() && state.connection.protocol().is_none();
        if let Link::LongPolling(link) = &mut state.link {
            let passed = now.saturating_duration_since(link.since);
            match &link.waiting {
                // The client has left if nobody listens for the answer any more.
                Some(waiting) if waiting.is_closed() => link.release(PollAnswer::Over, now),
                Some(_) if passed >= POLL_TIME => link.release(PollAnswer::Messages(Vec::new()), now),
                Some(_) if handshaking && passed >= STRAY_POLL_TIME => {
                    // Without the words for a handshake that failed: to this client they would be no message.
                    link.release(PollAnswer::Over, now);
                    gone = Some(CloseReason::HandshakeTimeout);
                }
                None if passed >= self.shared.settings.client_timeout => gone = Some(CloseReason::ClientGone),
                Some(_) | None => {}
            }
        }
        if let Some(reason) = gone {
            self.by_id.borrow_mut().remove(&tab.id);
            state.end(reason, now);
            state.ending.iter_mut().for_each(|ending| ending.over = true);
        }
        drop(state);
        self.forget_if_over(tab);
    }

    /// Forgets a long-polling connection that is over; the other transports have a task that does.
    pub(super) fn forget_if_over(&self, tab: &Rc<Tab>) {
        if tab.transport != Transport::LongPolling {
            return;
        }
        let over = tab.state.borrow().ending.as_ref().is_some_and(|ending| ending.over);
        if over {
            self.forget(tab);
        }
    }
}
