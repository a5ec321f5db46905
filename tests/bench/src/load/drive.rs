//! Publishing in a closed loop: a burst, then waiting until it has arrived everywhere.

use std::io::Write as _;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::{Load, Samples, Source};

/// How long a burst may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// The audience of a phase's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Each event for every tab.
    Everybody,
    /// Each event for one tab, in turn.
    EachInTurn,
}

/// A phase.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// The number of bursts.
    pub(crate) bursts: usize,
    /// The number of events in a burst.
    pub(crate) burst: usize,
    /// Their audience.
    pub(crate) audience: Audience,
    /// The pause between two bursts.
    pub(crate) pause: Duration,
}

impl Load {
    /// Publishes and waits for every delivery. The times are collected until [`Load::finish`].
    pub(crate) fn run(&mut self, plan: &Plan) -> Result<()> {
        let tabs = self.tabs.all.len();
        self.renew_producers()?;
        for number in 0..plan.bursts {
            let (first, count) = match plan.audience {
                Audience::Everybody => (0, tabs),
                Audience::EachInTurn => (number % tabs, 1),
            };
            self.publish(plan, first, count)?;
            let begun = Instant::now();
            while self.tabs.ledger.outstanding() > 0 || !self.producers_are_idle() {
                self.turn(Duration::from_millis(100))?;
                self.tabs.check()?;
                let left = self.tabs.ledger.outstanding();
                ensure!(begun.elapsed() < PATIENCE, "after {PATIENCE:?} {left} deliveries have not arrived");
            }
            if !plan.pause.is_zero() {
                self.settle(plan.pause)?;
            }
        }
        Ok(())
    }

    /// The times since the last call.
    pub(crate) fn finish(&mut self) -> Samples {
        self.tabs.ledger.finish()
    }

    pub(super) fn publish(&mut self, plan: &Plan, first: usize, count: usize) -> Result<()> {
        self.tabs.ledger.begin_burst();
        for number in 0..plan.burst {
            let place = self.tabs.ledger.next();
            let audience = &mut self.tabs.all[first..first + count];
            let counted = audience.iter().filter(|tab| tab.counted).count();
            audience.iter_mut().for_each(|tab| tab.expected.push_back(place));
            match &mut self.source {
                Source::Node { events, publishers } => {
                    let user = self.users[first].as_ref().filter(|_| plan.audience == Audience::EachInTurn);
                    let made = events.make(user)?;
                    let publisher = publishers.get_mut(number).context("a producer for each event of a burst")?;
                    let request = publisher.request(&made.headers, &made.body);
                    self.tabs.ledger.publish(Some(made.shown), None, counted);
                    publisher.publish(&request)?;
                }
                Source::Floor { frame, .. } => self.tabs.ledger.publish(None, Some(frame.clone()), counted),
            }
        }
        self.command(&format!("send {first} {count} {}", plan.burst))
    }

    /// The node may have closed idle connections meanwhile.
    pub(super) fn renew_producers(&mut self) -> Result<()> {
        self.turn(Duration::ZERO)?;
        match &mut self.source {
            Source::Node { publishers, .. } => {
                publishers.iter_mut().try_for_each(|one| one.renew(self.poll.registry()))
            }
            Source::Floor { .. } => Ok(()),
        }
    }

    pub(super) fn producers_are_idle(&self) -> bool {
        match &self.source {
            Source::Node { publishers, .. } => publishers.iter().all(super::Publisher::is_idle),
            Source::Floor { .. } => true,
        }
    }

    /// Sends the frame to the floor.
    pub(crate) fn set_frame(&mut self, bytes: usize) -> Result<()> {
        self.command(&format!("frame {bytes}"))?;
        if let Source::Floor { control, frame } = &mut self.source {
            // Any bytes will do: they are only compared.
            *frame = (b'a'..=b'z').cycle().take(bytes).collect();
            control.write_all(frame).context("the floor has gone")?;
        }
        Ok(())
    }

    /// Sends a command to the floor; a node gets none.
    pub(crate) fn command(&mut self, command: &str) -> Result<()> {
        if let Source::Floor { control, .. } = &mut self.source {
            // In one write: each write would be a packet.
            control.write_all(format!("{command}\n").as_bytes()).context("the floor has gone")?;
        }
        Ok(())
    }
}
