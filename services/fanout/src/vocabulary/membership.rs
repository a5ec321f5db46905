//! The membership of a connection in a group.

use super::Intervals;
use super::name::GroupName;

/// One group that a connection is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The group.
    pub group: GroupName,
    /// Between which places of the log events granted it; a resume gives nothing else. None if no event has to do
    /// with it.
    pub granted: Option<Intervals>,
}
