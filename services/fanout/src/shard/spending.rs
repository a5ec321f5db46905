//! How much of the log each user's replays may read.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare_event::Id;

use super::budget::{Budget, Rate};
use crate::vocabulary::Identity;

/// What the replays of one user may read on one shard, in records: a whole window and more at once, and then as many as
/// cost about a fiftieth of a processor. A replay above it continues later (rule 7.7).
const READS: Rate = Rate { per_second: 2_000.0, burst: 100_000.0 };

/// How many users' budgets are remembered before full ones are forgotten.
const REMEMBERED: usize = 4_096;

/// What the users of a shard have spent on replays.
#[derive(Debug, Default)]
pub(super) struct Spending(HashMap<User, Budget>);

type User = (Option<Arc<str>>, Id);

impl Spending {
    pub(super) fn spend(&mut self, who: Option<&Identity>, records: usize, now: Instant) {
        let Some(user) = who.map(user) else { return };
        let budget = self.0.entry(user).or_insert_with(|| Budget::new(READS, now));
        budget.spend(records as f32, READS, now);
    }

    pub(super) fn wait(&mut self, who: Option<&Identity>, now: Instant) -> Duration {
        let budget = who.map(user).and_then(|user| self.0.get_mut(&user));
        budget.map_or(Duration::ZERO, |budget| budget.wait(1.0, READS, now))
    }

    /// Forgets users with a full budget.
    pub(super) fn tidy(&mut self, now: Instant) {
        if self.0.len() > REMEMBERED {
            self.0.retain(|_, budget| !budget.is_full(READS, now));
        }
    }
}

fn user(identity: &Identity) -> User {
    let claims = identity.claims();
    (claims.realm.clone(), claims.user.clone())
}
