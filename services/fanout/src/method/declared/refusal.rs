//! Why a call is refused, and the error text that its client gets.

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
    /// An argument does not fit; the sentence names it.
    #[error("{0}")]
    Argument(String),
    /// The same with the method's own error text.
    #[error("{0}")]
    Worded(String),
    /// A value cannot be part of a group's name.
    #[error("A value of the group {0}.")]
    Group(#[from] ValueError),
    /// The caller lacks a claim that the method needs.
    #[error("The caller has no {0}.")]
    NoClaim(String),
    /// A claim has several values where one is needed.
    #[error("The caller's claim {0} has several values.")]
    Several(String),
    /// The authorizer's answer lacks a claim that the method needs.
    #[error("The answer of the authorizer says no {0}.")]
    NoAnswer(String),
    /// Lists spread to more groups than one call may name.
    #[error("A call names {0} groups at most.")]
    TooWide(usize),
    /// A group belongs to an org that the caller may not hear.
    #[error("The group belongs to another organization.")]
    OtherOrg,
    /// The caller is not in the group.
    #[error("The connection is not in this group.")]
    NotIn,
    /// There were too many calls; the sentence is the method's own.
    #[error("{0}")]
    TooOften(String),
    /// The caller's claims do not allow it.
    #[error("the caller's claims do not allow it")]
    Unauthorized,
    /// The platform's authorizer refuses, or a grant is missing.
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
    /// The connection ended meanwhile; nobody gets the answer.
    #[error("The connection has ended.")]
    Gone,
    /// The connection is in as many groups as are allowed.
    #[error("The connection has joined {0} groups, and no more are allowed. Leave one first.")]
    TooMany(usize),
}

impl Refusal {
    /// The reason as a log field.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Count { .. } | Self::Argument(_) | Self::Worded(_) | Self::Group(_) => "arguments",
            Self::NoClaim(_) => "no_claim",
            Self::Several(_) => "several_values",
            Self::NoAnswer(_) => "no_answer",
            Self::TooWide(_) => "too_many_groups_named",
            Self::OtherOrg => "other_org",
            Self::NotIn => "not_in_group",
            Self::TooOften(_) => "too_often",
            Self::Unauthorized => "unauthorized",
            Self::Denied => "denied",
            Self::Unchecked => "unchecked",
            Self::Event(_) => "event",
            Self::NotStored => "not_stored",
            Self::Unknown => "outcome_unknown",
            Self::Gone => "gone",
            Self::TooMany(_) => "too_many_groups",
        }
    }

    /// Whether it is about the caller, so that the method's `refusal` replaces its text.
    #[must_use]
    pub fn is_of_access(&self) -> bool {
        matches!(self, Self::Unauthorized | Self::Denied | Self::OtherOrg | Self::NotIn)
    }

    /// The label under which the call is counted.
    #[must_use]
    pub fn label(&self) -> &'static str {
        if matches!(self, Self::TooOften(_)) { "rate_limited" } else { "error" }
    }

    /// The error of the Completion; `own` is the method's `refusal`.
    #[must_use]
    pub fn text(&self, target: &str, own: Option<&str>) -> String {
        if let Some(words) = own.filter(|_| self.is_of_access()) {
            return invocation_error::unexpected_with(target, "HubException", words);
        }
        match self {
            Self::Count { .. } => invocation_error::failed_with(target, "InvalidDataException", &self.to_string()),
            Self::Unauthorized => invocation_error::unauthorized(target),
            other => invocation_error::unexpected_with(target, "HubException", &other.to_string()),
        }
    }

    /// The same without details of what was wrong, for hubs with `detailed_errors = false`.
    #[must_use]
    pub fn brief(&self, target: &str, own: Option<&str>) -> String {
        match self {
            Self::Count { .. } => invocation_error::failed(target),
            Self::Argument(_)
            | Self::Group(_)
            | Self::NoClaim(_)
            | Self::Several(_)
            | Self::NoAnswer(_)
            | Self::TooWide(_)
            | Self::Event(_) => invocation_error::unexpected(target),
            told => told.text(target, own),
        }
    }
}
