//! Reads the log again, for the core.

use std::rc::Rc;

use fanfare_broker::Position;
use fanfare_event::Id;

use super::Shard;
use crate::pipeline::{Replaying, ResumeError};
use crate::shard::{Key, ReplayAnswer, Ticket};

impl Shard {
    /// Opens a replay and reads its first batch.
    pub(super) fn open_replay(
        self: &Rc<Self>,
        key: Key,
        ticket: Ticket,
        after: Position,
        until: Position,
        orgs: Vec<Id>,
    ) {
        let shard = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let opened = shard.shared.replay.open(&after, until, orgs).await;
            shard.read_and_answer(key, ticket, opened).await;
        });
    }

    /// Reads the next batch of a replay.
    pub(super) fn read_on(self: &Rc<Self>, key: Key, ticket: Ticket) {
        let Some(replaying) = self.replays.borrow_mut().remove(&ticket) else { return };
        let shard = Rc::clone(self);
        tokio::task::spawn_local(async move { shard.read_and_answer(key, ticket, Ok(replaying)).await });
    }

    async fn read_and_answer(self: &Rc<Self>, key: Key, ticket: Ticket, replaying: Result<Replaying, ResumeError>) {
        let answer = match replaying {
            Err(error) => ReplayAnswer::Failed(error),
            Ok(mut replaying) => match replaying.next().await {
                Err(error) => ReplayAnswer::Failed(error),
                Ok(None) => ReplayAnswer::End { cost: replaying.take_cost(), complete: replaying.is_complete() },
                Ok(Some(events)) => {
                    let (cost, complete) = (replaying.take_cost(), replaying.is_complete());
                    // Before the core hears of it: it may want to continue at once, or to end it.
                    self.replays.borrow_mut().insert(ticket, replaying);
                    ReplayAnswer::Batch { events, cost, complete }
                }
            },
        };
        self.core().replayed(key, ticket, answer);
        self.carry_out();
    }

    /// Lets others read the broker while the tab takes nothing.
    pub(super) fn pause_replay(&self, ticket: Ticket) {
        if let Some(replaying) = self.replays.borrow_mut().get_mut(&ticket) {
            replaying.pause();
        }
    }
}
