//! Tabs that return with a cursor and get what they missed.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{Audience, Load, Plan};

/// What happened while the tabs were away.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Missed {
    /// Events for all of them.
    pub(crate) own: usize,
    /// Events of other orgs before each of those.
    pub(crate) others: usize,
}

impl Load {
    /// Drops all tabs, publishes what they miss, and prepares their return with the cursor of their last notification;
    /// returns the number of tabs.
    ///
    /// All of them must have received the same event last.
    pub(crate) fn miss(&mut self, missed: &Missed) -> Result<usize> {
        let cursor = self.tabs.ledger.newest_cursor().context("the tabs were shown nothing yet")?;
        self.drop_all();
        self.tabs.ledger.finish();
        for tab in &mut self.tabs.all {
            tab.cursor = Some(Rc::clone(&cursor));
        }
        self.renew_producers()?;
        for _ in 0..missed.own {
            self.publish_elsewhere(missed.others, f64::INFINITY)?;
            let one = Plan { bursts: 1, burst: 1, audience: Audience::Everybody, pause: Duration::ZERO };
            self.publish(&one, 0, self.tabs.all.len())?;
            self.wait_for_answers()?;
        }
        Ok(self.tabs.all.len())
    }

    /// Waits until all tabs have received what they missed; returns how much of it is missing then.
    pub(crate) fn wait_for_missed(&mut self, deadline: Duration) -> Result<usize> {
        let begun = Instant::now();
        while self.tabs.ledger.outstanding() > 0 && begun.elapsed() < deadline {
            self.turn(Duration::from_millis(100))?;
            self.tabs.check()?;
        }
        Ok(self.tabs.ledger.outstanding())
    }
}
