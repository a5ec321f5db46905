//! Tabs beside a client that may block everything: missing deliveries are counted, and do not end the run.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::ledger::nanos;
use super::tab::Phase;
use super::{Audience, Load, Plan, Source};

/// The longest wait for the sockets.
const LOOK: Duration = Duration::from_millis(2);

/// The results for the tabs.
#[derive(Debug, Default)]
pub(crate) struct Fared {
    /// The latency of each delivery, in nanoseconds; for missing ones, how long they were waited for.
    pub(crate) each: Vec<u64>,
    /// Missing deliveries.
    pub(crate) late: usize,
    /// Tabs that the server closed.
    pub(crate) ended: usize,
}

impl Load {
    /// Publishes to all tabs at a steady pace for a while, and waits for deliveries in flight.
    pub(crate) fn run_beside(&mut self, pause: Duration, time: Duration, patience: Duration) -> Result<Fared> {
        let one = Plan { bursts: 1, burst: 1, audience: Audience::Everybody, pause };
        self.renew_producers()?;
        let begun = Instant::now();
        let mut due = begun;
        while begun.elapsed() < time {
            // The next event is published when the node has accepted the one before it, so their order is known.
            if due <= Instant::now() && self.producers_are_idle() {
                self.publish(&one, 0, self.tabs.all.len())?;
                due = Instant::now() + pause;
            }
            self.look()?;
        }
        let over = Instant::now();
        while over.elapsed() < patience && (self.tabs.ledger.outstanding() > 0 || !self.producers_are_idle()) {
            self.look()?;
        }
        let mut each = self.tabs.ledger.times().to_vec();
        let late = self.tabs.ledger.overdue();
        each.extend(&late);
        Ok(Fared { each, late: late.len(), ended: self.tabs.ended })
    }

    /// Connects the tabs one after another; returns how long each took, and how many failed or are not open when
    /// patience ends, which then is their time.
    pub(crate) fn connect_beside(&mut self, patience: Duration) -> Result<(Vec<u64>, usize)> {
        let (begun, mut times, mut failed) = (Instant::now(), Vec::new(), 0);
        for tab in 0..self.tabs.all.len() {
            self.tabs.opened.clear();
            self.tabs.failed = 0;
            if begun.elapsed() < patience {
                self.tabs.start(tab, self.poll.registry());
            }
            while self.tabs.opened.is_empty() && self.tabs.failed == 0 && begun.elapsed() < patience {
                self.look()?;
            }
            failed += usize::from(self.tabs.opened.is_empty());
            times.push(self.tabs.opened.first().copied().unwrap_or_else(|| nanos(patience)));
        }
        Ok((times, failed))
    }

    /// Publishes the logout of a tab's user; returns how long it took until the tab was closed, or patience if it was
    /// not.
    pub(crate) fn log_out_beside(&mut self, tab: usize, patience: Duration) -> Result<Duration> {
        let begun = Instant::now();
        while !self.producers_are_idle() && begun.elapsed() < patience {
            self.look()?;
        }
        if self.producers_are_idle()
            && let (Source::Node { events, publishers }, Some(user)) = (&mut self.source, &self.users[tab])
            && let Some(publisher) = publishers.first_mut()
        {
            let made = events.log_out(user)?;
            let request = publisher.request(&made.headers, &made.body);
            publisher.publish(&request)?;
        }
        while self.tabs.all[tab].phase == Phase::Open && begun.elapsed() < patience {
            self.look()?;
        }
        Ok(begun.elapsed().min(patience))
    }

    /// Checks the sockets; a forbidden delivery is still a fault.
    fn look(&mut self) -> Result<()> {
        self.turn(LOOK)?;
        self.tabs.fault.take().map_or(Ok(()), Err)
    }
}
