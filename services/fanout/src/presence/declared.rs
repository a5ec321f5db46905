//! Presence on the groups of one template, as it is declared.

use std::sync::Arc;
use std::time::Duration;

use super::described::Described;
use super::shape::{Scene, Shape};
use crate::route::Times;
use crate::vocabulary::Identity;
use crate::vocabulary::name::GroupTemplate;

/// The most characters of one text that describes a user; longer ones are cut.
const MOST_TEXT: usize = 256;

/// Presence on the groups of one template.
#[derive(Debug, Clone)]
pub struct Declared {
    /// The groups.
    pub template: GroupTemplate,
    /// The method whose calls show that a user is still there.
    pub heartbeat: Option<Arc<str>>,
    /// After how long without one a tab counts no more.
    pub inactive_after: Option<Duration>,
    /// How long a user whose last connection was lost stays, so that a reload is not a leave and a join.
    pub linger: Duration,
    /// In rooms with more members, changes are gathered for a moment and sent together.
    pub batch_above: usize,
    /// The most members of one page of a snapshot.
    pub page_members: usize,
    /// The texts that describe a user.
    pub describe: Box<[Described]>,
    /// What the others are sent when a user joins.
    pub joined: Option<MessageTemplate>,
    /// What they are sent when one leaves.
    pub left: Option<MessageTemplate>,
    /// What they are sent for several at once; without it, each is sent alone.
    pub together: Option<MessageTemplate>,
    /// What a newcomer is sent.
    pub snapshot: MessageTemplate,
    /// A member in a list of members.
    pub member: Shape,
    /// How dates and times are sent in MessagePack.
    pub times: Times,
}

/// A notification: its target and arguments.
#[derive(Debug, Clone)]
pub struct MessageTemplate {
    /// The clients' method.
    pub target: Arc<str>,
    /// Its arguments.
    pub arguments: Box<[Shape]>,
}

impl MessageTemplate {
    /// The arguments for one notification.
    pub(crate) fn arguments<'a>(&'a self, scene: &Scene<'a>) -> Vec<fanfare_signalr::Value<'a>> {
        self.arguments.iter().map(|shape| shape.evaluate(scene)).collect()
    }
}

impl Declared {
    /// The texts that describe a user, from their claims.
    #[must_use]
    pub fn about(&self, who: &Identity) -> Box<[(Arc<str>, Box<str>)]> {
        let described = self.describe.iter();
        let described = described.filter_map(|text| Some((Arc::clone(&text.name), text.text(who, MOST_TEXT)?)));
        described.collect()
    }
}
