//! Asks an authorizer again while a connection is in a group that it allowed.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Core, Key, Task, Ticket};
use crate::connection::Recheck;
use crate::method::Answer;
use crate::method::declared::{Asking, Declared};
use crate::vocabulary::name::GroupName;

/// How many of these questions a shard has under way.
const AT_ONCE: usize = 32;

/// When one is tried again that found no room.
const SOON: Duration = Duration::from_secs(1);

/// When an authorizer is asked again that gave no answer, unless it is asked more often anyway.
const AGAIN: Duration = Duration::from_secs(5);

impl Core {
    /// How the authorizer of a method is asked again, if it is.
    pub(super) fn recheck(&mut self, key: Key, method: &Declared, asking: Option<Arc<Asking>>) -> Option<Box<Recheck>> {
        let again = method.authorization.authorizer.as_ref()?.again?;
        let due = self.now() + self.jitter(key, again.every);
        Some(Box::new(Recheck { asking: asking?, again, due, under_way: None, failing: None }))
    }

    /// A time, a tenth more or less: groups that were joined at once are not asked about at once. No dice are thrown, so
    /// that the same inputs give the same outputs.
    fn jitter(&mut self, key: Key, time: Duration) -> Duration {
        let mut hasher = DefaultHasher::new();
        (self.ticket(), key, self.connections.get(key).map(|tab| tab.id)).hash(&mut hasher);
        let share = u32::try_from(hasher.finish() % 201).unwrap_or_default();
        time * (900 + share) / 1000
    }

    /// Asks about the groups of a connection that are due, and notes when the next one is.
    pub(super) fn recheck_due(&mut self, key: Key) {
        let now = self.now();
        let later = now + self.jitter(key, SOON);
        let Self { connections, tickets, rechecks, .. } = self;
        let Some(tab) = connections.get_mut(key).filter(|tab| tab.ending.is_none()) else { return };
        let mut put: Vec<(Arc<Asking>, Ticket)> = Vec::new();
        let mut next: Option<Instant> = None;
        for recheck in tab.subscriptions.joined.iter_mut().filter_map(|joined| joined.recheck.as_mut()) {
            if recheck.under_way.is_some() {
                continue;
            }
            if recheck.due <= now {
                let known = put.iter().find(|(asking, _)| **asking == *recheck.asking).map(|(_, ticket)| *ticket);
                if known.is_none() && *rechecks < AT_ONCE {
                    *tickets += 1;
                    *rechecks += 1;
                    put.push((Arc::clone(&recheck.asking), *tickets));
                    recheck.under_way = Some(*tickets);
                    continue;
                }
                if known.is_some() {
                    recheck.under_way = known;
                    continue;
                }
                recheck.due = later;
            }
            next = Some(next.map_or(recheck.due, |next| next.min(recheck.due)));
        }
        for (asking, ticket) in put {
            if let Some(question) = self.question(key, asking, Vec::new()) {
                self.tasks.push_back(Task::Recheck { key, ticket, question });
            }
        }
        if let Some(next) = next {
            self.schedule(key, next);
        }
    }

    /// Takes the answer to a question that was put again. A refusal takes the group away; so does an authorizer that has
    /// given no answer for too long.
    pub fn rechecked(&mut self, key: Key, ticket: Ticket, answer: &Answer) {
        self.look_after_joining();
        let now = self.now();
        self.rechecks = self.rechecks.saturating_sub(1);
        let mut lost: Vec<(GroupName, &'static str)> = Vec::new();
        let Some(tab) = self.connections.get(key) else { return };
        let about: Vec<(GroupName, Duration)> = tab
            .subscriptions
            .joined
            .iter()
            .filter_map(|joined| {
                let recheck = joined.recheck.as_ref().filter(|recheck| recheck.under_way == Some(ticket))?;
                Some((joined.membership.group.clone(), recheck.again.every))
            })
            .collect();
        for (group, every) in about {
            let wait = if *answer == Answer::Unknown { every.min(AGAIN) } else { every };
            let due = now + self.jitter(key, wait);
            let is_withdrawn = self.is_withdrawn(key, &group, answer);
            let Some(recheck) = self.recheck_of(key, &group) else { continue };
            (recheck.under_way, recheck.due) = (None, due);
            let outcome = match answer {
                Answer::Allowed(..) if is_withdrawn => "withdrawn",
                Answer::Allowed(..) => {
                    recheck.failing = None;
                    "allowed"
                }
                Answer::Refused => "refused",
                Answer::Unknown => {
                    let since = *recheck.failing.get_or_insert(now);
                    if now.saturating_duration_since(since) >= recheck.again.grace { "expired" } else { "unknown" }
                }
            };
            self.context.metrics.rechecked(outcome);
            if !matches!(outcome, "allowed" | "unknown") {
                lost.push((group, outcome));
            }
        }
        for (group, reason) in lost {
            let Some(tab) = self.connections.get(key) else { return };
            let user = tab.identity.as_ref().map(|who| tracing::field::display(who.claims().user.clone()));
            tracing::info!(connection = %tab.id, user, hub = &*tab.hub.path, %group, reason, "a group is taken away");
            self.leave_asked(key, &group);
        }
        self.recheck_due(key);
    }

    fn recheck_of(&mut self, key: Key, group: &GroupName) -> Option<&mut Recheck> {
        let tab = self.connections.get_mut(key)?;
        let mut joined = tab.subscriptions.joined.iter_mut();
        joined.find(|joined| joined.membership.group == *group)?.recheck.as_deref_mut()
    }

    /// Whether an event has withdrawn a group since the authorizer was asked.
    fn is_withdrawn(&self, key: Key, group: &GroupName, answer: &Answer) -> bool {
        let (Some(tab), Answer::Allowed(made_at, _)) = (self.connections.get(key), answer) else { return false };
        let Some(who) = &tab.identity else { return false };
        self.context.groups.read(|known| known.grants().withdrawn_since(&tab.hub.path, who, group, made_at))
    }
}
