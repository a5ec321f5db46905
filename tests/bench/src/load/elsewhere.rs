//! Events of orgs without a tab.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{Load, Source};

/// How long the last answers may take.
const PATIENCE: Duration = Duration::from_secs(30);

impl Load {
    /// Publishes this many of them, at this rate or as fast as all producers can, and waits for the answers; returns
    /// how long it took.
    pub(crate) fn publish_elsewhere(&mut self, events: usize, per_second: f64) -> Result<Duration> {
        self.renew_producers()?;
        let (begun, mut sent) = (Instant::now(), 0);
        while sent < events {
            let due = ((begun.elapsed().as_secs_f64() * per_second) as usize).saturating_add(1);
            while sent < due.min(events) && self.send_elsewhere()? {
                sent += 1;
            }
            self.turn(Duration::from_millis(1))?;
        }
        self.wait_for_answers()?;
        Ok(begun.elapsed())
    }

    /// Publishes one if a producer is idle.
    fn send_elsewhere(&mut self) -> Result<bool> {
        let Source::Node { events, publishers } = &mut self.source else { return Ok(false) };
        let Some(publisher) = publishers.iter_mut().find(|publisher| publisher.is_idle()) else { return Ok(false) };
        let made = events.make_elsewhere()?;
        let request = publisher.request(&made.headers, &made.body);
        publisher.publish(&request)?;
        Ok(true)
    }

    pub(super) fn wait_for_answers(&mut self) -> Result<()> {
        let begun = Instant::now();
        while !self.producers_are_idle() {
            self.turn(Duration::from_millis(100))?;
            ensure!(begun.elapsed() < PATIENCE, "a producer has no answer after {PATIENCE:?}");
        }
        Ok(())
    }
}
