//! What the core asks its driver to do, and the answers that it takes.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::Position;
use fanfare_event::Id;
use fanfare_token::IssuerOrgs;
use tracing::Span;

use super::handler::HandlerTask;
use super::round_trip::PingNumber;
use crate::connection::ConnectionId;
use crate::method::declared::{Asking, Draft};
use crate::pipeline::{Replayed, ResumeError};
use crate::vocabulary::Identity;
use crate::vocabulary::name::GroupName;

/// A connection's place in its shard; used again once the connection is forgotten.
pub type Key = usize;

/// The number of something that was asked for; never used again, so that an answer finds its question or nothing.
pub type Ticket = u64;

/// A question to the platform's authorizer on behalf of a call.
#[derive(Debug)]
pub struct Authorize {
    /// The question.
    pub asking: Arc<Asking>,
    /// Where the log was before the question.
    pub now: Position,
    /// The hub of the call.
    pub hub: Arc<str>,
    /// The caller.
    pub who: Option<Identity>,
    /// The groups that are asked for: an earlier answer counts if none of them was withdrawn since.
    pub groups: Vec<GroupName>,
}

/// An event that a declared method publishes.
#[derive(Debug)]
pub struct Publish {
    /// The hub of the call: the event's source.
    pub hub: Arc<str>,
    /// The caller; the event may concern only their orgs.
    pub identity: Option<Identity>,
    /// The orgs that they may name in addition to their own, if any.
    pub any_org: Option<IssuerOrgs>,
    /// The event.
    pub draft: Draft,
    /// The span of the call, which is the parent of the event's.
    pub span: Span,
}

/// The answer to a poll.
#[derive(Debug, PartialEq, Eq)]
pub enum PollAnswer {
    /// 200 with hub messages; none for the first poll and for one that ran out of time.
    Messages(Vec<u8>),
    /// 204: the connection is over, or a newer poll has replaced this one.
    Over,
}

/// What the driver has to do.
pub enum Task {
    /// Read the log again for a connection and answer with [`super::Core::replayed`], the first batch included.
    Replay {
        /// The connection.
        key: Key,
        /// The replay.
        ticket: Ticket,
        /// What the tab has.
        after: Position,
        /// Where live begins.
        until: Position,
        /// The orgs of the connection.
        orgs: Vec<Id>,
    },
    /// Read the next batch.
    ReadOn {
        /// The connection.
        key: Key,
        /// The replay.
        ticket: Ticket,
    },
    /// Let others read the broker: the tab takes nothing for now.
    Pause(Ticket),
    /// The replay is over.
    EndReplay(Ticket),
    /// Ask an authorizer and answer with [`super::Core::authorized`].
    Authorize {
        /// The connection.
        key: Key,
        /// The call.
        ticket: Ticket,
        /// Which of its questions it is.
        number: usize,
        /// The question.
        question: Authorize,
    },
    /// Ask an authorizer again, whatever it answered before, and answer with [`super::Core::rechecked`].
    Recheck {
        /// The connection.
        key: Key,
        /// The question's number.
        ticket: Ticket,
        /// The question.
        question: Authorize,
    },
    /// Publish an event and answer with [`super::Core::published`].
    Publish {
        /// The connection.
        key: Key,
        /// The call.
        ticket: Ticket,
        /// The event.
        event: Box<Publish>,
    },
    /// Something for the code behind a hub.
    Handler {
        /// The connection.
        key: Key,
        /// What it is.
        task: HandlerTask,
    },
    /// Answer the poll that waits.
    AnswerPoll {
        /// The connection.
        key: Key,
        /// The answer.
        answer: PollAnswer,
    },
    /// Something about a connection's link has changed: look at [`super::Core::link_state`] and read on if it may be.
    Wake(Key),
    /// There is room for more again: wake whoever waits for it.
    Drained(Key),
    /// The client of a ping has answered: see [`super::Core::ping`].
    Ponged {
        /// The ping.
        number: PingNumber,
        /// How long that took.
        took: Duration,
    },
    /// The connection is forgotten and its key free.
    Forgotten {
        /// What its key was.
        key: Key,
        /// What its id was.
        id: ConnectionId,
    },
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = match self {
            Self::Replay { .. } => "Replay",
            Self::ReadOn { .. } => "ReadOn",
            Self::Pause(_) => "Pause",
            Self::EndReplay(_) => "EndReplay",
            Self::Authorize { .. } => "Authorize",
            Self::Recheck { .. } => "Recheck",
            Self::Publish { .. } => "Publish",
            Self::Handler { .. } => "Handler",
            Self::AnswerPoll { .. } => "AnswerPoll",
            Self::Wake(_) => "Wake",
            Self::Drained(_) => "Drained",
            Self::Ponged { .. } => "Ponged",
            Self::Forgotten { .. } => "Forgotten",
        };
        f.write_str(name)
    }
}

/// What came of reading the log again.
#[derive(Debug)]
pub enum ReplayAnswer {
    /// The next events.
    Batch {
        /// The events, in order.
        events: Vec<Replayed>,
        /// How many records were looked at.
        cost: usize,
        /// Whether everything after the cursor was still in the window, as far as is known now.
        complete: bool,
    },
    /// There is nothing more.
    End {
        /// How many records were looked at.
        cost: usize,
        /// Whether everything after the cursor was in the window.
        complete: bool,
    },
    /// The log cannot be read now.
    Failed(ResumeError),
}
