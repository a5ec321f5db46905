//! The time of a shard, and what is due when.

use std::cmp::Reverse;
use std::time::{Duration, Instant};

use super::drain::Drain;
use super::{Core, Key};
use crate::connection::CloseReason;

/// The longest step of a shard's time: what a node stood still beyond that has passed for nobody.
const LONGEST_STEP: Duration = Duration::from_secs(2);

/// A clock that advances with the turns of its shard, and never faster than real time.
///
/// A node that was stopped for a minute finds in its sockets what its clients sent meanwhile. By the wall they were
/// silent for as long; by this clock they were not, and what they sent is read before it says so (rule 7.4).
#[derive(Debug)]
pub(super) struct PacedClock {
    seen: Instant,
    now: Instant,
}

impl PacedClock {
    pub(super) fn new(now: Instant) -> Self {
        Self { seen: now, now }
    }

    /// The shard's time.
    pub(super) fn now(&self) -> Instant {
        self.now
    }

    fn advance(&mut self, now: Instant) {
        self.now += now.saturating_duration_since(self.seen).min(LONGEST_STEP);
        self.seen = self.seen.max(now);
    }
}

impl Core {
    /// Lets time pass up to `now`. To be called before every other input, and at least once a second.
    pub fn advance(&mut self, now: Instant) {
        self.clock.advance(now);
    }

    /// The shard's time.
    pub(super) fn now(&self) -> Instant {
        self.clock.now
    }

    /// How long until [`Self::fire`] has something to do.
    #[must_use]
    pub fn next_due(&self) -> Option<Duration> {
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        let turn = self.draining.as_ref().and_then(Drain::due);
        let at = timer.into_iter().chain(turn).min()?;
        Some(at.saturating_duration_since(self.clock.now))
    }

    /// Does what is due.
    pub fn fire(&mut self) {
        self.look_after_joining();
        self.tell_that_it_drains();
        let now = self.now();
        while let Some(&Reverse((at, key))) = self.timers.peek()
            && at <= now
        {
            self.timers.pop();
            let Some(tab) = self.connections.get_mut(key) else { continue };
            // An earlier time took this one's place, or the connection is another one.
            if tab.due == Some(at) {
                tab.due = None;
                self.on_time(key);
            }
        }
    }

    fn on_time(&mut self, key: Key) {
        self.start_next_call(key);
        self.check_quiet(key);
        self.recheck_due(key);
        self.pump(key);
        if self.connections.get(key).is_some_and(|tab| tab.inbound.is_paused()) {
            self.resume_reading(key);
        }
    }

    /// Asks to be called at a time, unless an earlier one is noted.
    pub(super) fn schedule(&mut self, key: Key, at: Instant) {
        let Some(tab) = self.connections.get_mut(key) else { return };
        if tab.due.is_none_or(|due| at < due) {
            tab.due = Some(at);
            self.timers.push(Reverse((at, key)));
        }
    }

    /// What is judged once a second: silence, keep-alive, tokens that run out, ends that take too long.
    pub fn tick(&mut self, unix_seconds: i64) {
        let keys: Vec<Key> = self.connections.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.tick_one(key, unix_seconds);
        }
        self.spending.tidy(self.clock.now);
        self.say_left_out();
    }

    fn tick_one(&mut self, key: Key, unix_seconds: i64) {
        let now = self.now();
        let Some(tab) = self.connections.get_mut(key) else { return };
        if let Some(ending) = &mut tab.ending {
            ending.over |= now >= ending.deadline;
            self.tasks.push_back(super::Task::Wake(key));
            return self.tick_poll(key);
        }
        let mut actions = Vec::new();
        // A client whose bytes are not read is not silent.
        if tab.inbound.is_paused() {
            tab.connection.heard(now);
        }
        tab.connection.tick(&tab.hub.settings, now, &mut actions);
        if tab.identity.as_ref().is_some_and(|who| who.ends_at() <= unix_seconds) {
            tab.connection.close(CloseReason::TokenExpired, &mut actions);
        }
        let takes_nothing = tab.stalled_for(now) >= tab.hub.settings.client_timeout;
        for action in actions {
            self.carry_out(key, action);
        }
        if takes_nothing {
            self.evict(key, CloseReason::SlowConsumer);
        }
        self.tick_poll(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_stood_still_has_not_lived_through_it() {
        let start = Instant::now();
        let mut clock = PacedClock::new(start);
        clock.advance(start + Duration::from_secs(1));
        clock.advance(start + Duration::from_secs(61));
        assert_eq!(clock.now, start + Duration::from_secs(3));
        clock.advance(start + Duration::from_secs(60));
        clock.advance(start + Duration::from_secs(62));
        assert_eq!(clock.now, start + Duration::from_secs(4), "never back, and in step from there on");
    }
}
