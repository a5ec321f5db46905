//! Why a call is not carried out, in the words that SignalR clients know.

use fanfare_signalr::invocation_error;
use thiserror::Error;

use crate::vocabulary::name::ValueError;

/// Why a call is not carried out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    /// Too few or too many arguments.
    #[error("Invocation provides {given} argument(s) but target expects {expected}.")]
    Count {
        /// How many there were.
        given: usize,
        /// How many there should be.
        expected: usize,
    },
    /// An argument is not what it should be; the sentence names it.
    #[error("{0}")]
    Argument(String),
    /// A value cannot be part of a group's name.
    #[error("A value of the group {0}.")]
    Group(#[from] ValueError),
    /// The caller lacks a claim that the method needs.
    #[error("The caller has no {0}.")]
    NoClaim(&'static str),
    /// The caller's claims do not allow it.
    #[error("the caller's claims do not allow it")]
    Unauthorized,
    /// The platform's authorizer, or the lack of a grant, says no.
    #[error("Access is refused.")]
    Denied,
    /// The authorizer gave no answer that counts.
    #[error("Access cannot be checked now. Try again later.")]
    Unchecked,
    /// The event does not fit its schema; the sentence names the field and what is expected there.
    #[error("{0}")]
    Event(String),
    /// The event was surely not stored.
    #[error("The event was not stored. Try again later.")]
    NotStored,
    /// The outcome of publishing is not known.
    #[error("It is not known whether the event was stored.")]
    Unknown,
    /// The connection ended meanwhile; nobody hears of it.
    #[error("The connection has ended.")]
    Gone,
    /// The connection is in as many groups as are allowed.
    #[error("The connection has joined {0} groups, and no more are allowed. Leave one first.")]
    TooMany(usize),
}

impl Refusal {
    /// The error of the Completion.
    #[must_use]
    pub fn text(&self, target: &str) -> String {
        match self {
            Self::Count { .. } => invocation_error::failed_with(target, "InvalidDataException", &self.to_string()),
            Self::Unauthorized => invocation_error::unauthorized(target),
            other => invocation_error::unexpected_with(target, "HubException", &other.to_string()),
        }
    }
}
