//! Tabs that lose their connection while events continue, and reconnect with their cursors.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::Result;
use mio::Registry;

use super::tab::Phase;
use super::tabs::Tabs;
use super::{Audience, Load, Plan};

/// How long a tab waits before it retries.
const PAUSE: Duration = Duration::from_millis(50);

/// How long the last deliveries may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The results of a stream of events.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    /// Events that were published.
    pub(crate) sent: usize,
    /// Deliveries that arrived in order.
    pub(crate) received: usize,
    /// Deliveries that did not arrive, or after a later one.
    pub(crate) missed: usize,
    /// Deliveries that arrived again.
    pub(crate) duplicated: usize,
    /// How often an open tab lost its connection.
    pub(crate) returns: usize,
}

/// The disconnected tabs.
#[derive(Debug, Default)]
pub(super) struct Returning {
    /// When they retry, in this order.
    away: VecDeque<(Instant, usize)>,
    counts: Counts,
}

impl Load {
    /// Publishes one event after another to all tabs, with a pause between them, for as long as requested; tabs that
    /// lose their connection reconnect.
    pub(crate) fn publish_while(&mut self, pause: Duration, goes_on: impl Fn() -> bool) -> Result<Counts> {
        let one = Plan { bursts: 1, burst: 1, audience: Audience::Everybody, pause };
        let mut sent = 0;
        self.tabs.returning = Some(Returning::default());
        self.renew_producers()?;
        while goes_on() {
            self.publish(&one, 0, self.tabs.all.len())?;
            sent += 1;
            self.settle(pause)?;
            self.wait_for_answers()?;
        }
        let begun = Instant::now();
        while self.tabs.ledger.outstanding() > 0 && begun.elapsed() < PATIENCE {
            self.turn(Duration::from_millis(100))?;
            self.tabs.check()?;
        }
        let counts = self.tabs.returning.take().map(|returning| returning.counts).unwrap_or_default();
        let (late, tabs) = (self.tabs.ledger.outstanding(), self.tabs.all.len());
        let missed = counts.missed + late;
        Ok(Counts { sent, received: sent * tabs - missed, missed, ..counts })
    }
}

impl Tabs {
    /// Whether a tab that has lost its connection, or failed to connect, reconnects by itself.
    pub(super) fn leaves(&mut self, at: usize) -> bool {
        let Some(returning) = &mut self.returning else { return false };
        returning.counts.returns += usize::from(self.all[at].phase == Phase::Open);
        returning.away.push_back((Instant::now() + PAUSE, at));
        self.all[at].disconnect();
        true
    }

    /// Reconnects the tabs that are due, each with the cursor of its last notification.
    pub(super) fn come_back(&mut self, registry: &Registry) {
        while let Some(at) = self.next_back() {
            let cursor = self.all[at].shown.and_then(|place| self.ledger.cursor(place));
            self.all[at].cursor = cursor;
            self.start(at, registry);
        }
    }

    fn next_back(&mut self) -> Option<usize> {
        let away = &mut self.returning.as_mut()?.away;
        away.pop_front_if(|(when, _)| *when <= Instant::now()).map(|(_, at)| at)
    }

    /// Whether this tab received a toast before. Older ones that it did not receive are missing.
    pub(super) fn is_again(&mut self, at: usize, message: &[u8]) -> bool {
        let (Some(returning), tab) = (&mut self.returning, &mut self.all[at]) else { return false };
        let Some(place) = self.ledger.place_of(message) else { return false };
        if tab.shown.is_some_and(|shown| place <= shown) {
            returning.counts.duplicated += 1;
            return true;
        }
        while let Some(missed) = tab.expected.pop_front_if(|next| *next < place) {
            returning.counts.missed += 1;
            self.ledger.give_up(missed);
        }
        false
    }
}
