//! Passes presence on: to open connections, and to other nodes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare_telemetry::metrics::FanoutMetrics;
use tokio::sync::Notify;

use crate::clock::unix_millis;
use crate::config::HubConfig;
use crate::groups::{Groups, ShardMessage};
use crate::nodes::{News, Nodes};
use crate::roster::{Heard, Notice, Rosters, Time, Write};

/// How long changes may gather before they are sent.
const TURN: Duration = Duration::from_millis(5);

/// Drives the rosters of a node.
#[derive(Debug)]
pub struct Presence {
    rosters: Arc<Rosters>,
    woken: Arc<Notify>,
    /// This node among the others.
    nodes: Nodes,
}

/// Takes records of other nodes.
#[derive(Debug, Clone)]
pub struct Listener {
    rosters: Option<Arc<Rosters>>,
    nodes: Nodes,
    metrics: Arc<FanoutMetrics>,
}

impl Listener {
    /// A listener for these rosters; without any it hears nothing.
    #[must_use]
    pub fn new(rosters: Option<Arc<Rosters>>, nodes: Nodes, metrics: Arc<FanoutMetrics>) -> Self {
        Self { rosters, nodes, metrics }
    }

    /// The rosters; none if no hub has presence.
    #[must_use]
    pub fn rosters(&self) -> Option<Arc<Rosters>> {
        self.rosters.clone()
    }

    /// Takes one thing that was read.
    pub fn hear(&self, news: &News) {
        let Some(rosters) = &self.rosters else { return };
        match news {
            News::Entry { node, what, body } if !self.nodes.is_own(node) => {
                let outcome = rosters.tell(|core| core.heard(node.as_str(), what, body));
                let label = match outcome {
                    Heard::Other => return,
                    Heard::Yes => "heard",
                    Heard::Unreadable => "unreadable",
                    Heard::NoRoom => "no_room",
                };
                self.metrics.presence_record(label);
                if matches!(outcome, Heard::Unreadable | Heard::NoRoom) {
                    tracing::warn!(%node, what, reason = label, "another node's record of presence is skipped");
                }
            }
            News::Gone(node) => {
                let members = rosters.tell(|core| core.gone(node.as_str()));
                if members > 0 {
                    tracing::info!(%node, members, "a node is gone, and its members with it");
                }
            }
            News::Entry { .. } | News::Came(_) | News::CaughtUp => {}
        }
    }
}

/// The time by both clocks.
pub(super) fn now() -> Time {
    Time { instant: Instant::now(), unix: unix_millis() }
}

impl Presence {
    /// Presence on these hubs; none if no hub declares it.
    #[must_use]
    pub fn of(hubs: &[HubConfig], nodes: &Nodes) -> Option<Self> {
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        let rosters = Rosters::of(hubs, now(), Box::new(move || wake.notify_one()))?;
        Some(Self { rosters: Arc::new(rosters), woken, nodes: nodes.clone() })
    }

    /// The roster; for the shards.
    #[must_use]
    pub fn rosters(&self) -> Arc<Rosters> {
        Arc::clone(&self.rosters)
    }

    /// Hands the shards their notices and writes this node's members, for as long as the node runs.
    pub async fn run(self, groups: &Groups, metrics: &FanoutMetrics) -> Infallible {
        loop {
            let (notices, writes, next, (here, elsewhere)) = {
                let mut core = self.rosters.core();
                core.advance(now());
                let notices = core.due();
                (notices, core.take_writes(), core.next_due(), core.counts())
            };
            for Write { what, body } in writes {
                metrics.presence_record("said");
                self.nodes.say(&what, body);
            }
            metrics.set_presence_members(here, elsewhere);
            for notice in notices {
                count(&notice, metrics);
                tell(groups, notice).await;
            }
            tokio::time::sleep(TURN).await;
            match next {
                Some(at) => {
                    tokio::select! {
                        () = tokio::time::sleep_until(at.into()) => {}
                        () = self.woken.notified() => {}
                    }
                }
                None => self.woken.notified().await,
            }
        }
    }
}

fn count(notice: &Notice, metrics: &FanoutMetrics) {
    match notice {
        Notice::Changed(changes) => {
            let (joined, left) = changes.counts();
            metrics.presence_told("joined", joined);
            metrics.presence_told("left", left);
        }
        Notice::Snapshot(_) => metrics.presence_told("snapshot", 1),
    }
}

/// Waits for a shard that is behind: changes meanwhile gather in the rosters and are sent as one.
async fn tell(groups: &Groups, notice: Notice) {
    match &notice {
        Notice::Snapshot(snapshot) => {
            let shard = snapshot.shard;
            groups.tell(shard, ShardMessage::Presence(notice)).await;
        }
        Notice::Changed(changes) => {
            let room = changes.room();
            let shards = groups.interest().shards(&room.hub, std::slice::from_ref(&room.group));
            for shard in shards.iter() {
                groups.tell(shard, ShardMessage::Presence(notice.clone())).await;
            }
        }
    }
}
