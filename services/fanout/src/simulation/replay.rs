//! What reads the log again for the core: the product's walk over the past, on a log that answers when chance says so.

use fanfare_broker::{Position, Record};
use fanfare_e2e_tests::Random;
use fanfare_event::Id;

use super::log::Fault;
use super::platform::{bounds, platform};
use super::shard::View;
use crate::pipeline::replay::filter::{Extent, Replayed};
use crate::pipeline::replay::state::{
    Needed, Next, ReplayState, extent as whole, further, is_ahead, is_beyond, needed,
};
use crate::pipeline::{ResumeError, Window, Written};
use crate::shard::ReplayAnswer;

/// A replay under way.
pub(super) struct Reading(ReplayState);

impl From<Fault> for ResumeError {
    fn from(_: Fault) -> Self {
        Self::Unavailable
    }
}

impl Reading {
    /// Begins to read what lies behind `after`, up to `until`.
    pub(super) fn open(after: &Position, until: Position, orgs: Vec<Id>, view: View<'_>) -> Result<Self, ResumeError> {
        let window = extent(after, view)?;
        // While the log is away nobody can tell.
        let is_lost = is_ahead(after, &until) && view.log.head().is_ok_and(|head| is_beyond(after, &head));
        let bounds = bounds(view.window);
        Ok(Self(ReplayState::open((after, until), orgs, window, is_lost, &bounds, view.recent)))
    }

    /// The next batch.
    pub(super) fn next(&mut self, view: View<'_>, random: &mut Random) -> ReplayAnswer {
        let events = match self.0.next(view.recent) {
            Next::Nothing => return ReplayAnswer::End { cost: self.0.take_cost(), complete: self.0.is_complete() },
            Next::Records(records) => Ok(self.take(records.iter().map(|record| &**record))),
            Next::Log(from) => self.read(&from, view, random),
        };
        match events {
            Ok(events) => ReplayAnswer::Batch { events, cost: self.0.take_cost(), complete: self.0.is_complete() },
            Err(fault) => ReplayAnswer::Failed(fault.into()),
        }
    }

    fn read(&mut self, from: &Position, view: View<'_>, random: &mut Random) -> Result<Vec<Replayed>, Fault> {
        match view.log.read(from, random) {
            Ok((records, read)) => {
                let found = self.take(records.iter());
                self.0.pass(&read);
                return Ok(found);
            }
            Err(Fault::Trimmed(oldest)) => self.0.trimmed(&oldest),
            Err(Fault::OtherIncarnation) => self.0.other_log(),
            Err(Fault::Unavailable) => return Err(Fault::Unavailable),
        }
        if let Next::Log(from) = self.0.next(view.recent) {
            view.log.reads(&from)?;
        }
        Ok(Vec::new())
    }

    fn take<'a>(&mut self, records: impl Iterator<Item = &'a Record>) -> Vec<Replayed> {
        let platform = platform();
        let known = &*platform.routes;
        records.filter_map(|record| self.0.take(known, record, &Written::Own)).collect()
    }
}

/// The window, as far as this cursor needs to know it.
fn extent(after: &Position, view: View<'_>) -> Result<Extent, Fault> {
    let start = |window: Window| {
        let age = i64::try_from(window.age.as_millis()).unwrap_or(i64::MAX);
        view.log.window(age, window.records, view.now)
    };
    match needed(after, start(view.window)?) {
        Needed::Enough(extent) => Ok(extent),
        Needed::Further(oldest) => {
            let [by_age, recent, stored] = further(view.window.age);
            Ok(whole(oldest, [start(by_age)?, start(recent)?, start(stored)?]))
        }
    }
}
