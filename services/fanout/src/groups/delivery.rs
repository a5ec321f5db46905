//! A notification on its way from the pipeline to the shards.

use std::sync::Arc;

use fanfare_broker::{Position, Record};
use fanfare_event::{Event, Id};
use smallvec::SmallVec;
use tokio::sync::oneshot;
use tracing::Span;

use super::ReachNumber;
use crate::connection::Frame;
use crate::projection::{ConnectionEffect, Held};
use crate::roster::Notice;
use crate::route::Match;
use crate::rule::{Rule, kept};
use crate::vocabulary::Place;
use crate::vocabulary::name::GroupName;

/// One notification on its way to the connections of its audience.
#[derive(Debug)]
pub struct Delivery {
    /// Its place in the log: a connection that this place was covered for at connect does not get it again.
    pub place: Place,
    /// How far the node had come before it: all that it sent before this was of records up to there.
    pub after: Position,
    /// What of that waits in a throttle and was not sent.
    pub held: Arc<Held>,
    /// Whether it has waited in a throttle itself, so that later ones were sent before it.
    pub is_late: bool,
    /// The hub whose connections get it.
    pub hub: Arc<str>,
    /// Its audience; a connection in several of the groups gets it once.
    pub groups: SmallVec<[GroupName; 2]>,
    /// The org it belongs to: no connection of another org gets it, whatever its groups.
    pub org: Option<Id>,
    /// Whether the route has `cross_org`.
    pub cross_org: bool,
    /// The bytes.
    pub frame: Frame,
    /// What follows it of the same event on the same hub.
    pub followed: Option<Box<Followed>>,
    /// A newer notification with the same key replaces this one while it waits.
    pub conflation: Option<u64>,
    /// For a logout: only connections that it ends get it.
    pub ends: Option<ConnectionEffect>,
    /// When the broker stored the event, in milliseconds since the epoch.
    pub stored_at: i64,
    /// The span of the event, so that the push belongs to its trace.
    pub span: Span,
    /// Under which number shards note whom it reaches.
    pub reach: Option<ReachNumber>,
}

/// The audiences of some notifications: the groups of each, and whether it crosses orgs.
pub type FollowedBy = SmallVec<[(SmallVec<[GroupName; 2]>, bool); 1]>;

/// Notifications of one event that follow another one on the same hub.
///
/// A client that gets several of them has not got the whole event with the first: its connection may be lost between two.
/// So all but the last carry a cursor from before the event.
#[derive(Debug)]
pub struct Followed {
    /// The audiences of those that follow.
    pub by: FollowedBy,
    /// The bytes of this one for connections in one of these audiences.
    pub frame: Frame,
}

impl Delivery {
    /// The notification that a route makes of an event, for the groups that it matched.
    #[must_use]
    pub fn of(
        record: &Record,
        event: &Arc<Event>,
        matched: &Match<'_>,
        effects: &[ConnectionEffect],
        cursor: &str,
        (after, held): (Position, Arc<Held>),
    ) -> Self {
        let route = matched.route;
        let ends = effects.iter().find(|found| found.is_logout() && route.effect(event).is_logout());
        Self {
            place: Place::of(record),
            after,
            held,
            is_late: false,
            hub: Arc::from(route.hub()),
            groups: matched.groups.clone(),
            org: event.attributes.org.clone(),
            cross_org: route.cross_org(),
            frame: Frame::new(route, event, cursor),
            followed: None,
            conflation: route.conflation_key(event, &matched.groups),
            ends: ends.cloned(),
            stored_at: record.time,
            span: Span::current(),
            reach: None,
        }
    }

    /// How far a connection of its hub has been sent everything before it.
    #[must_use]
    pub fn told_before(&self) -> Position {
        if kept(Rule::HeldInCursors) { self.held.before(&self.hub, self.after.clone()) } else { self.after.clone() }
    }
}

/// A message from the pipeline to one shard.
#[derive(Debug)]
pub enum ShardMessage {
    /// Write a notification to the members of its groups.
    Deliver(Arc<Delivery>),
    /// Apply to open connections what an event changed, then answer.
    ///
    /// The pipeline waits for the answer: a tab that joins a group by an event is a member before the
    /// next event is sent to that group.
    Apply(Arc<ConnectionEffect>, oneshot::Sender<()>),
    /// Send presence. It has no place in the log, so cursors do not cover it.
    Presence(Notice),
}
