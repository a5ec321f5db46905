//! What the simulation sees of a shard that no client can see, and what it checks of every shard.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare_broker::Position;
use fanfare_event::Id;

use super::tab::Tab;
use super::{Core, Key};
use crate::connection::ConnectionId;
use crate::groups::Delivery;
use crate::vocabulary::name::GroupName;
use crate::vocabulary::{Identity, Membership, Place};

/// The most memory of the calls of one connection: beyond half of it nothing more is read, and one read adds less.
const MOST_CALLS: usize = 256 * 1024;

/// A timer may be so late.
const ROUNDING: Duration = Duration::from_millis(2);

/// Internal events, for the simulation to judge.
#[derive(Debug)]
pub(crate) enum Observed {
    /// A notification was given to a connection as it came.
    Live(Key, Arc<Delivery>),
    /// A replay sent something that was for these groups.
    Replayed(Key, Place, Vec<GroupName>),
    /// Something that waited for a connection was sent to it, though it has left all of these groups.
    Left(Key, Vec<GroupName>),
    /// A live connection continues in a new stream, after this position.
    Renewed(Key, Position),
    /// A replay of the URL has ended, complete or not; from there on the connection is live.
    Resumed(Key, bool, Position),
}

impl Core {
    /// Whose connections are live, and since which position.
    pub(crate) fn live(&self) -> impl Iterator<Item = (Key, &Identity, &Position)> {
        self.connections
            .iter()
            .filter(|(_, tab)| tab.ending.is_none())
            .filter_map(|(key, tab)| Some((key, tab.identity.as_ref()?, tab.subscriptions.live_from.as_ref()?)))
    }

    /// The groups that a connection has joined for orgs that are not its own, and from where each is live.
    pub(crate) fn foreign(&self, key: Key) -> Vec<(GroupName, Id, Position)> {
        let joined = self.connections.get(key).map(|tab| &tab.subscriptions.joined);
        let foreign = joined.into_iter().flat_map(|joined| joined.iter());
        foreign
            .filter_map(|one| Some((one.membership.group.clone(), one.org.clone()?, one.live_from.clone())))
            .collect()
    }

    /// All groups of a connection, each with when it was granted as the connection was let in.
    pub(crate) fn granted(&self, key: Key) -> Vec<Membership> {
        let Some(tab) = self.connections.get(key) else { return Vec::new() };
        let joined = tab.subscriptions.joined.iter().map(|joined| &joined.membership);
        tab.subscriptions.memberships.iter().chain(joined).cloned().collect()
    }

    /// The groups that a connection is in by its claims and grants.
    pub(crate) fn held(&self, key: Key) -> Vec<GroupName> {
        let memberships = self.connections.get(key).map(|tab| &tab.subscriptions.memberships);
        memberships.into_iter().flatten().map(|held| held.group.clone()).collect()
    }

    /// Whether a connection was sent this from the log after it had fallen behind.
    pub(crate) fn was_sent(&self, key: Key, place: Place) -> bool {
        self.connections.get(key).is_some_and(|tab| tab.subscriptions.was_sent(place))
    }

    /// Notes that a connection is sent something that has waited for it.
    pub(crate) fn observe_waited(&mut self, key: Key, groups: &[GroupName]) {
        let is_in = |tab: &Tab| groups.iter().any(|group| tab.subscriptions.holds(group));
        if !self.connections.get(key).is_some_and(|tab| is_in(tab)) {
            self.observed.push(Observed::Left(key, groups.to_vec()));
        }
    }

    /// Whether nothing is between the log and any queue, and all queues are written.
    pub(crate) fn is_at_rest(&self) -> bool {
        self.is_settled() && self.connections.iter().all(|(_, tab)| tab.flow.is_none() && tab.queue.is_empty())
    }

    /// Whether a connection has not said where it stands.
    pub(crate) fn is_catching_up(&self, key: Key) -> bool {
        self.connections.get(key).is_some_and(|tab| tab.is_catching_up())
    }

    /// The connections that were sent something and have not said where they stand.
    pub(crate) fn heard_unasked(&self) -> impl Iterator<Item = ConnectionId> {
        self.connections.iter().filter(|(_, tab)| tab.was_told && !tab.is_anchored).map(|(_, tab)| tab.id)
    }

    /// For the check at the end that nothing was missed: whether it has joined and looked.
    pub(crate) fn is_looking(&self) -> bool {
        !self.looks.is_empty()
    }
}

impl Core {
    /// The shard's time.
    pub(crate) fn time(&self) -> Instant {
        self.now()
    }

    /// What must not be after any input: more memory waits for a connection than may, or something waits that could be
    /// sent. The first such fault, in words.
    pub(crate) fn wrong(&self) -> Option<String> {
        let open = self.connections.iter().filter(|(_, tab)| tab.ending.is_none());
        open.into_iter().find_map(|(key, tab)| self.beyond_bounds(tab).or_else(|| self.overdue(key, tab)))
    }

    /// Rule 7.3: what waits is bounded in memory.
    fn beyond_bounds(&self, tab: &Tab) -> Option<String> {
        let limit = self.context.bounds.queue_bytes();
        let queued = tab.queue.memory();
        // A frame alone is always accepted.
        if queued > limit && tab.queue.only().is_none() {
            return Some(format!("{queued} bytes wait for the link of {}", tab.id));
        }
        if let Some(held) = tab.flow.as_ref().and_then(|flow| flow.live.memory_of_several())
            && held > limit / 2
        {
            return Some(format!("{held} bytes are held for {}", tab.id));
        }
        let calls = tab.calls.memory();
        (calls > MOST_CALLS).then(|| format!("calls of {} take {calls} bytes", tab.id))
    }

    /// How much is noted of the joins of one connection: groups to be replayed, groups entered before it has caught up, and
    /// retained values to be sent.
    pub(super) fn noted_joins(&self, key: Key) -> [usize; 3] {
        let Some(tab) = self.connections.get(key) else { return [0; 3] };
        let flow = tab.flow.as_deref();
        let entered = flow.and_then(|flow| flow.catching_up.as_ref()).map_or(0, |wait| wait.entered.len());
        let retained = flow.and_then(|flow| flow.retained.as_ref()).map_or(0, |retaining| retaining.len());
        [tab.joined_meanwhile().len(), entered, retained]
    }

    /// Rules 2.7 and 7.5: a wait has an end, and what waits for a connection that reads is sent in the same turn.
    fn overdue(&self, key: Key, tab: &Tab) -> Option<String> {
        let flow = tab.flow.as_ref().filter(|flow| flow.replay.is_none())?;
        match &flow.catching_up {
            Some(wait) => {
                let ends = wait.ends(tab.calls.is_busy()) + ROUNDING;
                (self.now() > ends).then(|| format!("{} is still waited for", tab.id))
            }
            None if self.has_room(key) && tab.queue.is_empty() => Some(format!("{} is not told what waits", tab.id)),
            None => None,
        }
    }
}
