//! One connection as its shard holds it: one struct with one owner.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fanfare_event::Id;
use fanfare_signalr::negotiate::Transport;

use super::calls::Calls;
use super::drain::PARTING;
use super::flow::Flow;
use super::handler::Handling;
use super::inbound::Inbound;
use super::lines::Life;
use super::presence::Attending;
use super::queue::SendQueue;
use super::resume::Rejoin;
use super::{Core, Key, LINGER};
use crate::config::HubConfig;
use crate::connection::{CloseReason, Connection, ConnectionId, Frame, Subscriptions, Unacknowledged, WireForm};
use crate::groups::{Delivery, Followed};
use crate::projection::Retained;
use crate::rule::{Rule, kept};
use crate::vocabulary::Identity;
use crate::vocabulary::name::GroupName;
use crate::websocket::FrameReader;

/// One connection of a shard.
#[derive(Debug)]
pub(super) struct Tab {
    pub id: ConnectionId,
    pub hub: Arc<HubConfig>,
    /// Its identity; none on a public hub.
    pub identity: Option<Identity>,
    pub transport: Transport,
    /// When it began, and what it is called elsewhere.
    pub life: Box<Life>,
    /// The cursor of the URL, until the handshake is done.
    pub cursor: Option<Box<str>>,
    /// The protocol's state machine.
    pub connection: Connection,
    /// The framing of what the client sends on a WebSocket.
    pub reader: FrameReader,
    /// Whether there is a link: a stateful connection may wait for another.
    pub is_linked: bool,
    /// Of long polling.
    pub poll: Poll,
    /// What waits for the link.
    pub queue: SendQueue,
    /// What of it is included in the shard's total.
    pub accounted: usize,
    /// Since when the link takes nothing of what waits.
    pub stalled: Option<Instant>,
    /// The payload of the newest ping that is not answered: it is answered once there is room.
    pub pong: Option<Box<[u8]>>,
    /// What a stateful client has not acknowledged.
    pub unacknowledged: Option<Box<Unacknowledged>>,
    pub subscriptions: Subscriptions,
    /// What is between the log and the queue; none while live notifications go straight to the queue.
    pub flow: Option<Box<Flow>>,
    /// After a resume: joins are replayed, too.
    pub rejoin: Option<Box<Rejoin>>,
    /// Whether the client has said where it stands, or has asked for its cursor.
    pub is_anchored: bool,
    /// Whether a newer token has replaced the one that opened it.
    pub is_refreshed: bool,
    /// Whether it was sent any event.
    pub was_told: bool,
    /// The rooms that it is in, and what it was sent of them.
    pub attending: Option<Box<Attending>>,
    pub calls: Calls,
    pub handling: Handling,
    pub inbound: Inbound,
    /// Set once the connection has ended; its link lives a little longer.
    pub ending: Option<Box<Ending>>,
    /// Whether its link is gone and only its calls are still carried out.
    pub is_forgotten: bool,
    /// The number of the last delivery it was given: one in several audiences hears a notification once.
    pub last_delivery: u64,
    /// The time that is noted for it.
    pub due: Option<Instant>,
    /// Whether somebody waits for room in the queue.
    pub room_wanted: bool,
}

/// The poll of a long-polling connection.
#[derive(Debug)]
pub(super) struct Poll {
    /// Whether one waits for something to say.
    pub waits: bool,
    /// Since when there is a poll, or since when there is none.
    pub since: Instant,
    /// Whether there has been one at all: the first opens and nothing else, as its client throws the body away.
    pub polled: bool,
}

/// A connection that has ended and whose last bytes are being sent.
#[derive(Debug)]
pub(super) struct Ending {
    pub reason: CloseReason,
    /// When the link is closed whatever the client does.
    pub deadline: Instant,
    /// Whether our side of the link is shut.
    pub shut: bool,
    /// Whether the connection can be forgotten.
    pub over: bool,
}

/// What is to be done with a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkState {
    /// It continues.
    Open,
    /// All is written: half-close it, and wait for the client's end. Returned once.
    Shut,
    /// The connection has no link just now.
    Lost,
    /// The connection is over: drop the link and forget it.
    Over,
}

impl Tab {
    /// The form in which this connection takes its bytes.
    pub(super) fn form(&self) -> WireForm {
        WireForm::of(self.transport, self.connection.protocol())
    }

    /// Queues bytes of the wire; what stateful reconnect numbers is kept until it is acknowledged.
    ///
    /// # Errors
    /// The reason to end the connection.
    pub(super) fn push(&mut self, frame: Bytes, tracked: bool, limit: usize) -> Result<(), CloseReason> {
        if tracked && let Some(kept) = &mut self.unacknowledged {
            let fits = kept.push(frame.clone()).is_ok();
            // Without a link there is no queue: what is kept is sent when another link comes.
            if !self.is_linked {
                return if fits { Ok(()) } else { Err(CloseReason::Unacknowledged) };
            }
            // A client that takes what it is sent but acknowledges later stays; only its next link will be one of a new
            // connection.
            if !fits {
                self.unacknowledged = None;
                self.connection.give_up_replacement();
            }
        }
        // A ping is for the link that is there.
        if !self.is_linked {
            return Ok(());
        }
        self.queue.push(frame, None, limit).map_err(|_| CloseReason::SlowConsumer)
    }

    /// Marks the connection as ended; the first reason stays.
    pub(super) fn end(&mut self, reason: CloseReason, now: Instant) {
        // A lost link takes no Close message: nothing is to be waited for.
        let gone = !self.is_linked || matches!(reason, CloseReason::ClientGone | CloseReason::SlowConsumer);
        let deadline = now + if reason == CloseReason::Draining { PARTING } else { LINGER };
        let ending = self.ending.get_or_insert_with(|| Box::new(Ending { reason, deadline, shut: false, over: false }));
        ending.over |= gone;
        if gone {
            self.queue.clear();
            self.is_linked = false;
        }
    }

    /// Whether it has ended because its user has no right to it any more.
    pub(super) fn is_void(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| ending.reason.voids_calls())
    }

    /// Whether a live notification may be given to this connection at all.
    pub(super) fn is_live(&self) -> bool {
        self.ending.is_none() && self.subscriptions.live_from.is_some()
    }

    /// The groups through which a notification may be heard here (rule 1.2).
    #[inline]
    pub(super) fn audible<'d>(&self, delivery: &'d Delivery) -> Cow<'d, [GroupName]> {
        let Delivery { org, cross_org, groups, .. } = delivery;
        self.subscriptions.audible(self.identity.as_ref(), org.as_ref(), *cross_org, groups)
    }

    /// Whether it is in one of these groups: it may have left them since something began to wait for it.
    pub(super) fn is_still_in(&self, groups: &[GroupName]) -> bool {
        groups.iter().any(|group| self.subscriptions.holds(group)) || !kept(Rule::LeftIsNotTold)
    }

    /// The bytes that it gets of a delivery.
    #[inline]
    pub(super) fn frame<'d>(&self, delivery: &'d Delivery) -> &'d Frame {
        match &delivery.followed {
            Some(followed) if self.hears_more(delivery, followed) => &followed.frame,
            _ => &delivery.frame,
        }
    }

    /// Whether it hears another notification of the event, which comes behind this one.
    fn hears_more(&self, delivery: &Delivery, followed: &Followed) -> bool {
        let (who, org) = (self.identity.as_ref(), delivery.org.as_ref());
        followed.by.iter().any(|(groups, cross_org)| {
            let audible = self.subscriptions.audible(who, org, *cross_org, groups);
            audible.iter().any(|group| self.subscriptions.holds(group))
        })
    }

    /// Whether what is retained is still for it.
    pub(super) fn hears_retained(&self, value: &Retained) -> bool {
        let Retained { route, event, .. } = value;
        let (org, groups) = (event.attributes.org.as_ref(), route.audience(event));
        self.is_still_in(&self.subscriptions.audible(self.identity.as_ref(), org, route.cross_org(), &groups))
    }

    /// Whether a notification comes live through these groups, rather than from before the connection or them.
    #[inline]
    pub(super) fn is_live_for(&self, groups: &[GroupName], delivery: &Delivery) -> bool {
        let Delivery { place, ends, .. } = delivery;
        self.ending.is_none()
            && !groups.is_empty()
            && self.subscriptions.is_live_for(groups, *place)
            // A logout is not read again from the log.
            && (ends.is_some() || !self.subscriptions.was_sent(*place) || !kept(Rule::ToldOnce))
    }

    /// The orgs whose events may be written to it, including those of groups that it has joined for other orgs.
    pub(super) fn orgs(&self) -> Vec<Id> {
        let mut orgs: Vec<Id> = self.identity.iter().flat_map(|who| who.orgs().cloned()).collect();
        for (_, org) in self.subscriptions.foreign() {
            if !orgs.contains(org) {
                orgs.push(org.clone());
            }
        }
        orgs
    }

    /// How long the link has taken nothing of what waits for it. Long polling has a rule of its own.
    pub(super) fn stalled_for(&self, now: Instant) -> Duration {
        match self.stalled {
            Some(since) if !self.queue.is_empty() && self.transport != Transport::LongPolling => {
                now.saturating_duration_since(since)
            }
            _ => Duration::ZERO,
        }
    }

    /// Updates the shard's total of what waits from the queue.
    #[inline]
    pub(super) fn account(&mut self, waiting: &mut usize) {
        *waiting = (*waiting + self.queue.memory()).saturating_sub(self.accounted);
        self.accounted = self.queue.memory();
    }

    /// The groups that were joined while a resume is under way: they are replayed by themselves behind it.
    pub(super) fn joined_meanwhile(&self) -> &[GroupName] {
        self.rejoin.as_ref().map(|rejoin| &*rejoin.waiting).unwrap_or_default()
    }

    /// Whether the client has still to say where it stands.
    pub(super) fn is_catching_up(&self) -> bool {
        self.flow.as_ref().is_some_and(|flow| flow.catching_up.is_some())
    }
}

impl Core {
    /// Whether a key is still the one of this connection.
    #[must_use]
    pub fn is(&self, key: Key, id: ConnectionId) -> bool {
        self.connections.get(key).is_some_and(|tab| tab.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 640 bytes are a size class of the allocator, and the next one has 768: rare fields are in a box.
    #[test]
    fn a_tab_takes_no_more_memory_than_it_needs() {
        assert!(size_of::<Tab>() <= 640, "{}", size_of::<Tab>());
        assert!(size_of::<Flow>() <= 320, "{}", size_of::<Flow>());
    }
}
