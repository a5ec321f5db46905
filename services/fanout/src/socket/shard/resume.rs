//! Sending a returning tab what it missed, as its socket takes it.

use std::collections::HashSet;
use std::rc::Rc;
use std::time::{Duration, Instant};

use fanfare_broker::Position;
use fanfare_signalr::{Outcome, Value};

use super::Shard;
use super::tab::Tab;
use crate::connection::{CloseReason, Frame, may_hear};
use crate::groups::Admission;
use crate::pipeline::{Notification, Replayed, ResumeError};
use crate::projection::{Place, open_cursor};

/// How long a tab may keep its place among those that read the broker without taking what it is sent.
const HOLDS_BROKER: Duration = Duration::from_secs(1);

/// What a replay came to.
#[derive(Debug, Default)]
struct Outline {
    /// The places of what was sent.
    told: HashSet<Place>,
    sent: usize,
    bytes: usize,
    complete: bool,
}

impl Shard {
    /// `Resume(cursor)`: replays and answers.
    pub(super) async fn resume(self: &Rc<Self>, tab: &Rc<Tab>, invocation: Option<&str>, cursor: &str) {
        let outcome = match self.replay_from(tab, cursor).await {
            Ok(outline) => {
                let replayed = i64::try_from(outline.sent).unwrap_or(i64::MAX);
                Outcome::Value(Value::map([
                    ("replayed", Value::from(replayed)),
                    ("complete", Value::from(outline.complete)),
                ]))
            }
            Err(error) => Outcome::Error(error.to_string().into()),
        };
        self.complete(tab, invocation, outcome);
    }

    /// `?cursor=`: replays first, then tells what is retained, then lets live notifications through.
    pub(super) async fn resume_at_connect(self: Rc<Self>, tab: Rc<Tab>, cursor: String, admission: Admission) {
        let outline = match self.replay_from(&tab, &cursor).await {
            Ok(outline) => outline,
            // There is no call to answer. Going on without what was missed would put the tab's next cursor beyond it, so
            // it comes back with the one it has.
            Err(ResumeError::Busy | ResumeError::Unavailable) => return self.close(&tab, CloseReason::ServerError),
            Err(error) => {
                // The tab gets the current state as if it had no cursor.
                tracing::debug!(connection = %tab.id, %error, "no resume at connect");
                Outline::default()
            }
        };
        let telling = self.telling(admission, outline.told);
        self.tell_then_release(&tab, telling).await;
    }

    async fn replay_from(self: &Rc<Self>, tab: &Rc<Tab>, cursor: &str) -> Result<Outline, ResumeError> {
        let after = open_cursor(&self.shared.seal, cursor).map_err(|_| {
            self.shared.metrics.resumed("unknown_cursor", 0);
            ResumeError::UnknownCursor
        })?;
        let until = tab.state.borrow().hearing.replay_until();
        let until = until.ok_or(ResumeError::Gone)?;
        let evictions = self.shared.groups.evictions();
        if tab.identity.as_ref().is_some_and(|who| evictions.too_often(who, Instant::now())) {
            self.shared.metrics.resumed("too_slow", 0);
            return Ok(Outline::default());
        }
        let orgs = tab.identity.iter().flat_map(|who| who.orgs().cloned()).collect();
        let mut replay = self.shared.replay.open(&after, until, orgs).await?;
        let mut outline = Outline::default();
        while let Some(batch) = replay.next().await? {
            for replayed in batch {
                if outline.sent >= self.shared.resume_notifications || outline.bytes >= self.shared.resume_bytes {
                    self.shared.metrics.resumed("cut", outline.sent as u64);
                    return Ok(outline);
                }
                // A tab that never takes what it is sent is ended by the kernel's timeout or its own. Until then it
                // must not keep others from the broker.
                if tokio::time::timeout(HOLDS_BROKER, self.room(tab)).await.is_err() {
                    replay.pause();
                }
                self.send_again(tab, replayed, &after, &mut outline).await?;
            }
            // What is in memory is read without waiting: the shard has other tabs, and the rest of a walk may hold
            // nothing for this one.
            tokio::task::yield_now().await;
        }
        // Only now: what a cursor needs may be dropped while the replay is under way.
        outline.complete = replay.is_complete();
        let label = if outline.complete { "complete" } else { "incomplete" };
        self.shared.metrics.resumed(label, outline.sent as u64);
        Ok(outline)
    }

    async fn send_again(
        self: &Rc<Self>,
        tab: &Rc<Tab>,
        replayed: Replayed,
        after: &Position,
        outline: &mut Outline,
    ) -> Result<(), ResumeError> {
        for notification in &replayed.notifications {
            if !is_for(tab, &replayed, notification) || self.is_overtaken(&replayed, notification, after) {
                continue;
            }
            self.room(tab).await.map_err(|_| ResumeError::Gone)?;
            let frame = Frame::new(&notification.route, &replayed.event, &replayed.cursor);
            let bytes = frame.wire(tab.wire_form()).clone();
            outline.sent += 1;
            outline.bytes += bytes.len();
            outline.told.insert(replayed.place);
            if !self.send_wire(tab, bytes, true) {
                return Err(ResumeError::Gone);
            }
            tab.flush(Instant::now());
        }
        Ok(())
    }

    /// Whether what the tab had before it went has overtaken it.
    fn is_overtaken(&self, replayed: &Replayed, notification: &Notification, after: &Position) -> bool {
        self.shared.groups.read(|known| known.had_newer(&notification.route, &replayed.event, after))
    }
}

/// Whether a notification of the past was for this connection: by its groups, from their grant on, and
/// by its orgs. A logout of the past did not end this connection and is none of its business.
fn is_for(tab: &Tab, replayed: &Replayed, notification: &Notification) -> bool {
    let route = &notification.route;
    if *route.hub() != *tab.hub.path || route.effect(&replayed.event).is_logout() {
        return false;
    }
    let org = replayed.event.attributes.org.as_ref();
    may_hear(tab.identity.as_ref(), org, route.cross_org())
        && tab.state.borrow().hearing.has_missed(&notification.groups, replayed.place)
}
