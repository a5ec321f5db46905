//! A notification on its way from the pipeline to the shards.

use std::sync::Arc;

use fanfare_broker::{Position, Record};
use fanfare_event::{Event, Id};
use smallvec::SmallVec;
use tokio::sync::oneshot;
use tracing::Span;

use crate::connection::Frame;
use crate::projection::{ConnectionEffect, Held};
use crate::roster::Notice;
use crate::route::Match;
use crate::rule::{Rule, kept};
use crate::vocabulary::Place;
use crate::vocabulary::name::GroupName;

/// One notification on its way to the tabs of its audience.
#[derive(Debug)]
pub struct Delivery {
    /// Where in the log it comes from: a tab that was told of this place at connect is not told again.
    pub place: Place,
    /// How far the node had come before it: all that it sent before this was of records up to there.
    pub after: Position,
    /// What of that waits for its turn and was not sent.
    pub held: Arc<Held>,
    /// Whether it has waited for its turn itself, so that what came behind it was sent before.
    pub is_late: bool,
    /// The hub whose connections hear it.
    pub hub: Arc<str>,
    /// Its audience; a connection in several of the groups hears it once.
    pub groups: SmallVec<[GroupName; 2]>,
    /// The org it belongs to: no connection outside of it hears it, whatever its groups.
    pub org: Option<Id>,
    /// Whether the route says that it crosses orgs.
    pub cross_org: bool,
    /// The bytes.
    pub frame: Frame,
    /// A newer notification with the same key replaces this one where it still waits.
    pub conflation: Option<u64>,
    /// Of a logout: only connections that it ends hear of it.
    pub ends: Option<ConnectionEffect>,
    /// When the broker stored the event, in milliseconds since the epoch.
    pub stored_at: i64,
    /// The span of the event, so that the push belongs to its trace.
    pub span: Span,
}

impl Delivery {
    /// What a route makes of an event, for the groups that it matched.
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
            conflation: route.conflation_key(event, &matched.groups),
            ends: ends.cloned(),
            stored_at: record.time,
            span: Span::current(),
        }
    }

    /// How far a tab of its hub was told before it.
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
    /// Make open connections feel what an event changed, then answer.
    ///
    /// The pipeline waits for the answer: a tab that joins a group by an event is a member before the
    /// next event is sent to that group.
    Apply(Arc<ConnectionEffect>, oneshot::Sender<()>),
    /// Tell tabs who is there. It is of no place in the log, so no cursor has to do with it.
    Presence(Notice),
}
