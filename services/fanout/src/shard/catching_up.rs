//! A client says where it stands before it hears anything (rule 2.7).
//!
//! A new connection is registered at its handshake, so logouts, roles and expiry act on it. But deliveries to it wait
//! until a `Resume` has succeeded, a `Cursor` is answered, or the client is quiet. Otherwise a handler that keeps the
//! newest cursor would have passed the gap before its page could ask for what it missed.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use fanfare_broker::Position;

use super::tab::Tab;
use super::{Core, Key};
use crate::operator::connections::What;
use crate::rule::{Rule, kept};
use crate::vocabulary::name::GroupName;
use crate::vocabulary::{Membership, Place};

/// How long a client must be quiet until it counts as having nothing to say, plus twice the time of its first sign.
const QUIET: Duration = Duration::from_millis(150);

/// How long a client that gives no sign of life is waited for. Some clients answer no ping.
const NO_SIGN: Duration = Duration::from_secs(2);

/// How long calls extend the wait at most.
const MOST: Duration = Duration::from_secs(30);

/// A connection that has not said yet where it stands.
#[derive(Debug)]
pub(super) struct CatchingUp {
    /// When the handshake was received.
    since: Instant,
    /// When its answer left.
    answered: Option<Instant>,
    /// When the client gave its first sign of life after that.
    sign: Option<Instant>,
    /// When the last completion was written.
    completed: Option<Instant>,
    /// The groups that it has come into since its handshake, and up to where the node had come then: what was retained
    /// in them by then did not come live to it.
    pub(super) entered: Vec<(GroupName, Position)>,
}

/// How a tab came to be live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Caught {
    /// By a resume that began at this position.
    Resumed(Position),
    /// By asking where it is, or by a resume without a cursor.
    Asked,
    /// By saying nothing.
    Quiet,
}

impl Caught {
    fn what(&self) -> What {
        match self {
            Self::Resumed(_) => What::Resumed,
            Self::Asked => What::Asked,
            Self::Quiet => What::Quiet,
        }
    }
}

impl CatchingUp {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, answered: None, sign: None, completed: None, entered: Vec::new() }
    }

    /// Notes groups that it has come into, up to where the node has come; those that it has left since are forgotten, as a
    /// client may join and leave all the time.
    pub(super) fn enter(&mut self, groups: &[Membership], position: &Position, holds: impl Fn(&GroupName) -> bool) {
        self.entered.retain(|(known, _)| holds(known) && !groups.iter().any(|held| held.group == *known));
        self.entered.extend(groups.iter().map(|held| (held.group.clone(), position.clone())));
    }

    /// When the wait ends if the client sends nothing more.
    pub(super) fn ends(&self, is_busy: bool) -> Instant {
        let end = self.since + MOST;
        if is_busy { end } else { self.quiet_at().min(end) }
    }

    /// When the client counts as quiet if it sends nothing more.
    fn quiet_at(&self) -> Instant {
        let answered = self.answered.unwrap_or(self.since);
        let Some(sign) = self.sign else { return answered + NO_SIGN };
        let first = sign.saturating_duration_since(answered);
        self.completed.map_or(sign, |completed| completed.max(sign)) + QUIET + 2 * first
    }
}

impl Tab {
    fn catching_up(&mut self) -> Option<&mut CatchingUp> {
        self.flow.as_mut()?.catching_up.as_mut()
    }

    /// Notes that bytes of the server have left.
    pub(super) fn note_answered(&mut self, now: Instant) {
        if let Some(catching_up) = self.catching_up() {
            catching_up.answered.get_or_insert(now);
        }
    }

    /// Notes a sign of life of the client: anything that it sends after the handshake's answer.
    pub(super) fn note_sign(&mut self, now: Instant) {
        if let Some(catching_up) = self.catching_up()
            && catching_up.answered.is_some()
        {
            catching_up.sign.get_or_insert(now);
        }
    }

    /// Notes that a call was answered.
    pub(super) fn note_completed(&mut self, now: Instant) {
        if let Some(catching_up) = self.catching_up() {
            catching_up.completed = Some(now);
        }
    }
}

impl Core {
    /// Ends the wait of a client that is quiet, or looks again when it may be.
    pub(super) fn check_quiet(&mut self, key: Key) {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return };
        // The connection waits for a replay of `?cursor=`, and its running calls extend the wait themselves.
        let is_busy = tab.calls.is_busy() || tab.flow.as_ref().is_some_and(|flow| flow.replay.is_some());
        let Some(catching_up) = tab.catching_up() else { return };
        let at = catching_up.ends(is_busy);
        let is_replayed_to = tab.flow.as_ref().is_some_and(|flow| flow.replay.is_some());
        if at <= now && !is_replayed_to {
            if kept(Rule::QuietHears) {
                self.end_catching_up(key, &Caught::Quiet);
            }
            return;
        }
        self.schedule(key, at.max(now + Duration::from_millis(1)));
    }

    /// Ends the wait: sends first what is retained, then what came live meanwhile.
    pub(super) fn end_catching_up(&mut self, key: Key, caught: &Caught) {
        self.end_catching_up_with(key, caught, &HashSet::new());
    }

    /// The same after a replay that has sent what is at these places.
    pub(super) fn end_catching_up_with(&mut self, key: Key, caught: &Caught, told: &HashSet<Place>) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        let Some(flow) = &mut tab.flow else { return };
        let was_catching_up = flow.catching_up.is_some();
        let entered = match flow.catching_up.take() {
            Some(catching_up) => {
                let opened = tab.life.opened;
                tab.life.moments.note(opened, self.clock.now(), caught.what(), 0);
                catching_up.entered
            }
            None => Vec::new(),
        };
        if let Caught::Resumed(until) = caught
            && tab.subscriptions.go_live_from(until)
        {
            // The replay has it.
            flow.live.drop_within(until);
        }
        tab.is_anchored |= *caught != Caught::Quiet;
        // It goes on from here, and not from the cursor of a resume that failed or was cut.
        if was_catching_up && flow.replay.is_none() && !matches!(caught, Caught::Resumed(_)) {
            tab.rejoin = None;
        }
        self.tell_all_retained(key, told, &entered);
        self.pump(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_is_counted_from_the_later_of_sign_and_completion() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut waits = CatchingUp::new(start);
        assert_eq!(waits.quiet_at(), at(2_000), "no sign");
        waits.answered = Some(at(10));
        assert_eq!(waits.quiet_at(), at(2_010));
        waits.sign = Some(at(50));
        assert_eq!(waits.quiet_at(), at(50 + 150 + 80), "twice the time of the first sign");
        waits.completed = Some(at(500));
        assert_eq!(waits.quiet_at(), at(500 + 150 + 80));
        waits.completed = Some(at(20));
        assert_eq!(waits.quiet_at(), at(280));
    }
}
