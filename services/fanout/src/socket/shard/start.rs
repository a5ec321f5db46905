//! Starts the tasks that the core wants.

use std::rc::Rc;

use super::Shard;
use super::link::Kind;
use crate::shard::{Key, PollAnswer, Task};

impl Shard {
    /// Starts one task.
    pub(super) fn start(self: &Rc<Self>, task: Task) {
        match task {
            Task::Replay { key, ticket, after, until, orgs } => self.open_replay(key, ticket, after, until, orgs),
            Task::ReadOn { key, ticket } => self.read_on(key, ticket),
            Task::Pause(ticket) => self.pause_replay(ticket),
            Task::EndReplay(ticket) => {
                self.replays.borrow_mut().remove(&ticket);
            }
            Task::Authorize { key, ticket, number, question } => self.authorize(key, ticket, number, question),
            Task::Recheck { key, ticket, question } => self.ask_again(key, ticket, question),
            Task::Publish { key, ticket, event } => self.publish(key, ticket, *event),
            Task::Handler { key, task } => self.start_handler(key, task),
            Task::AnswerPoll { key, answer } => self.answer(key, answer),
            Task::Wake(key) => {
                self.flush(key);
                if let Some(link) = self.link(key) {
                    link.wake.notify_one();
                }
            }
            Task::Drained(key) => {
                if let Some(link) = self.link(key) {
                    link.drained.notify_waiters();
                }
            }
            Task::Ponged { number, took } => self.ponged(number, took),
            Task::Forgotten { key, .. } => self.forgotten(key),
        }
    }

    fn answer(&self, key: Key, answer: PollAnswer) {
        let Some(link) = self.link(key) else { return };
        if let Kind::LongPolling(poll) = &link.kind
            && let Some(poll) = poll.borrow_mut().take()
        {
            // Its client may have left.
            let _ = poll.send(answer);
        }
    }

    fn forgotten(&self, key: Key) {
        self.unlink(key);
        self.holds.borrow_mut().remove(&key);
        self.handlers.end(key);
    }
}
