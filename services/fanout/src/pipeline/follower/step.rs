//! The steps of the follower: questions to the broker, and actions for its driver.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{BrokerError, Position, Record};

use crate::groups::Groups;
use crate::pipeline::{RecentRecords, Window};
use crate::projection::{ConnectionEffect, Projection};

/// Whether the event of a record is delivered or only learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// The compacted state, read ahead of the log.
    State,
    /// The log up to what existed at start: learnt, and delivered to nobody.
    CatchingUp,
    /// The log as it grows.
    Live,
}

/// The next step.
#[derive(Debug)]
pub(crate) enum Step {
    /// The broker is to be asked; its answer is waited for.
    Ask(Ask),
    /// This is to be done, completely, before anything else.
    Do(Do),
}

/// A question to the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Where the log ends: [`Answer::At`].
    Head,
    /// Where this window begins: [`Answer::At`].
    Window(Window),
    /// To open a reader of the compacted state: [`Answer::At`], where it begins.
    OpenState,
    /// Its next batch: [`Answer::Batch`], empty at the end.
    ReadState,
    /// To open a reader after a position, in place of the previous one: [`Answer::At`], where it begins.
    OpenLog(Position),
    /// Its next batch, once there is one: [`Answer::Batch`].
    ReadLog,
    /// Nothing: it has ended.
    Nothing,
}

/// An answer of the broker.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A position.
    At(Position),
    /// Records, and how far their reader has come.
    Batch(Vec<Record>, Position),
}

/// An action for the driver.
#[derive(Debug)]
pub(crate) enum Do {
    /// Take a record in: see `Intake::take`.
    Take(Arc<Record>, Mode),
    /// The reader has come so far: holes are read, too.
    Pass(Position),
    /// The newest records in memory continue after this.
    Begin(Position),
    /// A change of state without a record.
    Change(Change),
    /// Open connections feel something; done once all have.
    Apply(ConnectionEffect),
    /// Cursors may claim this place.
    Told(Position),
    /// Whether the node has read enough to take connections.
    Ready(bool),
    /// So many places more are to be read until then.
    Expect(u64),
    /// So many places left the retention before they were read.
    Lost(u64),
    /// The log is another one than before, or has lost its end.
    Replaced,
    /// Nothing for so long.
    Wait(Duration),
    /// There is nothing more to do.
    End(Result<(), BrokerError>),
}

/// A change of state that no record causes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// It continues from another place.
    GoOnFrom(Position),
    /// It continues in a new stream.
    Renew {
        /// Where its window begins.
        start: Position,
        /// Whether there is nothing before that.
        is_all: bool,
    },
    /// Connections that were open when the stream was recreated are closed.
    EndRenewal,
    /// Everything read up to here was only learnt; what comes is delivered.
    Learnt,
}

impl Change {
    fn apply(self, known: &mut Projection) {
        match self {
            Self::GoOnFrom(position) => known.continue_from(position),
            Self::Renew { start, is_all } => known.renew(start, is_all),
            Self::EndRenewal => known.end_renewal(),
            Self::Learnt => known.end_reading_back(),
        }
    }
}

impl Do {
    /// Does what needs neither I/O nor waiting; what is left to the driver otherwise.
    pub(crate) fn at_once(self, groups: &Groups, recent: &RecentRecords) -> Option<Self> {
        match self {
            Self::Pass(read) => {
                recent.pass(&read);
                let position = groups.fold(|known| {
                    known.pass(&read);
                    known.position().clone()
                });
                groups.pass(&position);
            }
            Self::Begin(after) => recent.begin(&after),
            Self::Change(change) => groups.fold(|known| change.apply(known)),
            Self::Told(position) => groups.pass(&position),
            other => return Some(other),
        }
        None
    }
}
