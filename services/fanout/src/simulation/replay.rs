//! What reads the log again for the core: the product's walk over the past, on a log that answers when chance says so.

use std::time::Duration;

use fanfare_broker::{Position, Record};
use fanfare_e2e_tests::Random;
use fanfare_event::Id;

use super::log::Fault;
use super::platform::{bounds, platform};
use super::shard::View;
use crate::pipeline::past::{Ages, Extent, Past, Replayed, SLACK, begin, lacks};
use crate::pipeline::recent::{Step, Walk};
use crate::pipeline::{ResumeError, Written};
use crate::shard::ReplayAnswer;

/// Longer than any record is stored.
pub(super) const EVER: Duration = Duration::from_secs(1 << 30);

/// A replay under way.
pub(super) struct Reading {
    source: Source,
    past: Past,
    /// Where the window begins.
    oldest: Position,
    complete: bool,
    cost: usize,
}

/// Where its records come from.
enum Source {
    Memory(Walk),
    /// The log, behind a position.
    Log(Position),
}

impl From<Fault> for ResumeError {
    fn from(_: Fault) -> Self {
        Self::Unavailable
    }
}

impl Reading {
    /// Begins to read what lies behind `after`, up to `until`.
    pub(super) fn open(after: &Position, until: Position, orgs: Vec<Id>, view: View<'_>) -> Result<Self, ResumeError> {
        let window = extent(after, view)?;
        let (from, complete) = begin(after, &window);
        let past = Past::new(after, &from, until.clone(), orgs, &bounds(view.window));
        let walk = view.recent.walk(&from, &until);
        let source = walk.map_or(Source::Log(from), Source::Memory);
        Ok(Self { source, past, oldest: window.oldest, complete, cost: 0 })
    }

    /// The next batch.
    pub(super) fn next(&mut self, view: View<'_>, random: &mut Random) -> ReplayAnswer {
        if self.past.is_over() {
            return ReplayAnswer::End { cost: std::mem::take(&mut self.cost), complete: self.complete };
        }
        match self.read(view, random) {
            Ok(events) => ReplayAnswer::Batch { events, cost: std::mem::take(&mut self.cost), complete: self.complete },
            Err(fault) => ReplayAnswer::Failed(fault.into()),
        }
    }

    fn read(&mut self, view: View<'_>, random: &mut Random) -> Result<Vec<Replayed>, Fault> {
        if let Source::Memory(walk) = &mut self.source {
            match view.recent.step(walk) {
                Step::Records(records) => return Ok(self.take(records.iter().map(|record| &**record))),
                Step::End => {
                    self.past.finish();
                    return Ok(Vec::new());
                }
                Step::Gone => self.source = Source::Log(self.past.position().clone()),
            }
        }
        let Source::Log(from) = &mut self.source else { return Ok(Vec::new()) };
        match view.log.read(from, random) {
            Ok((records, read)) => {
                from.clone_from(&read);
                let found = self.take(records.iter());
                self.past.pass(&read);
                return Ok(found);
            }
            Err(Fault::Trimmed(oldest)) => {
                from.merge(&oldest);
                self.past.pass(from);
            }
            // The cursor fits the stream's name and not what is in it.
            Err(Fault::OtherIncarnation) => {
                from.clone_from(&self.oldest);
                self.past.restart(from);
            }
            Err(Fault::Unavailable) => return Err(Fault::Unavailable),
        }
        self.complete = false;
        view.log.reads(from)?;
        Ok(Vec::new())
    }

    fn take<'a>(&mut self, records: impl Iterator<Item = &'a Record>) -> Vec<Replayed> {
        let platform = platform();
        let mut found = Vec::new();
        for record in records {
            self.cost += 1;
            found.extend(self.past.take(&platform.registry, &platform.routes, record, &Written::Own));
        }
        found
    }
}

/// The window, as far as this cursor needs to know it.
fn extent(after: &Position, view: View<'_>) -> Result<Extent, Fault> {
    let age = view.window.age;
    let window = |age: Duration, records| view.log.window(age.as_millis() as i64, records, view.now);
    let oldest = window(age, view.window.records)?;
    if !lacks(after, &oldest) {
        return Ok(Extent { oldest, ages: None });
    }
    let since = |age| window(age, u64::MAX);
    let ages = Ages { by_age: since(age)?, recent: since(age.saturating_sub(SLACK))?, stored: since(EVER)? };
    Ok(Extent { oldest, ages: Some(ages) })
}
