//! Asks the platform's authorizers on behalf of calls, and again for joined groups.

use std::rc::Rc;

use fanfare_broker::Position;

use super::Shard;
use crate::shard::{Authorize, Key, Ticket};

impl Shard {
    /// Asks an authorizer.
    pub(super) fn authorize(self: &Rc<Self>, key: Key, ticket: Ticket, number: usize, question: Authorize) {
        let shard = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let Authorize { asking, now, hub, who, groups } = question;
            // An event may have withdrawn what an earlier answer allowed.
            let still_good = |made_at: &Position| {
                let known = &shard.shared.context.groups;
                who.as_ref().is_none_or(|who| {
                    known.read(|known| {
                        !groups.iter().any(|group| known.grants().withdrawn_since(&hub, who, group, made_at))
                    })
                })
            };
            let answer = shard.shared.authorizers.ask(&asking, now, still_good).await;
            shard.core().authorized(key, ticket, number, answer);
            shard.carry_out();
        });
    }

    /// Asks an authorizer again; its earlier answer does not count.
    pub(super) fn ask_again(self: &Rc<Self>, key: Key, ticket: Ticket, question: Authorize) {
        let shard = Rc::clone(self);
        tokio::task::spawn_local(async move {
            let answer = shard.shared.authorizers.ask(&question.asking, question.now, |_| false).await;
            shard.core().rechecked(key, ticket, &answer);
            shard.carry_out();
        });
    }
}
