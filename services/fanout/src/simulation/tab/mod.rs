//! A tab: a client of the hub protocol that drops, returns with its cursor to any node, reads slowly, and keeps count.

mod calls;
mod habits;
mod reading;
mod token;
mod watching;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use fanfare_broker::Position;
use fanfare_e2e_tests::Random;
use fanfare_token::Claims;

use super::check::History;
use super::log::Log;
use super::node::SimulatedNode;
use super::platform::platform;
use super::producer::{LISTS, ORGS, Producers, ROOT, USERS};
use super::tests::traced_tab;
use crate::config::HubConfig;
use crate::connection::ConnectionId;
use crate::vocabulary::Identity;
use crate::vocabulary::name::GroupName;
use calls::Call;
pub(super) use habits::{Habits, Manner, Order};
use watching::Watching;

/// Where a tab is connected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) node: usize,
    shard: usize,
    pub(super) key: ConnectionId,
}

/// A connection that a node has accepted and its shard has not seen yet.
struct Arriving {
    node: usize,
    shard: usize,
    identity: Identity,
    cursor: Option<String>,
}

/// What surrounds a tab when it acts.
pub(super) struct Surroundings<'a> {
    pub(super) nodes: &'a mut [SimulatedNode],
    pub(super) log: &'a Log,
    pub(super) producers: &'a Producers,
    pub(super) history: &'a History,
    pub(super) now: i64,
}

/// One tab.
pub(super) struct Tab {
    pub(super) number: usize,
    user: &'static str,
    org: &'static str,
    roles: Vec<String>,
    pub(super) order: Order,
    pub(super) manner: Manner,
    /// Whether it answers pings, as some clients do not.
    pongs: bool,
    /// How many bytes its link holds.
    wire: usize,
    /// The hub to which it connects.
    hub: Arc<HubConfig>,
    habits: Habits,
    token: Option<Arc<Claims>>,
    logins: usize,
    /// The lists that it shows.
    lists: BTreeSet<&'static str>,
    /// The orgs into which it looks.
    watching: Watching,
    /// The groups into which it has asked to come on this connection, and has not left.
    asked: BTreeSet<GroupName>,
    arriving: Option<Arriving>,
    pub(super) link: Option<Link>,
    connects: usize,
    /// What it has sent and its node has not read.
    outgoing: Vec<u8>,
    /// What it has read of a frame that has not ended.
    incoming: Vec<u8>,
    calls: VecDeque<Call>,
    called: usize,
    /// When it acts.
    now: i64,
    /// Whether the handshake was answered.
    is_open: bool,
    /// When that was.
    opened_at: i64,
    /// Whether it has said where it stands since it connected.
    has_said: bool,
    /// Whether it has called for a resume since it connected.
    has_resumed: bool,
    /// What it heard last of each partition since then.
    heard_last: BTreeMap<(u64, u32), u64>,
    /// The newest cursor that any handler saw, or that an answer brought.
    last: Option<String>,
    /// The cursor that it had when it lost its connection, as long as it has not resumed with it.
    resume_from: Option<String>,
    pub(super) owed_from: Option<Position>,
    /// From where on this connection hears the recreated log.
    renewed: Option<Position>,
    pub(super) got: BTreeMap<String, u32>,
    pub(super) flags: BTreeMap<String, bool>,
    /// Of each list the count that it shows.
    pub(super) counts: BTreeMap<String, i64>,
    /// Of each list the highest count that this connection was told.
    told_counts: BTreeMap<String, i64>,
    pub(super) again: usize,
}

impl Tab {
    pub(super) fn new(number: usize, habits: Habits, random: &mut Random) -> Self {
        let is_root = random.chance(15);
        let (user, org) = if is_root { (ROOT, ORGS[0]) } else { (*random.pick(&USERS), *random.pick(&ORGS)) };
        let roles: &[&str] = match user {
            ROOT => &["user", "superadmin"],
            "bob" => &["admin"],
            _ => &["user"],
        };
        let roles = roles.iter().map(ToString::to_string).collect();
        let habits = if random.chance(15) { Habits { reads: 8, ..habits } } else { habits };
        let orders = [
            Order::AtConnect,
            Order::ResumeThenJoin,
            Order::JoinThenResume,
            Order::Late,
            Order::LateWithOld,
            Order::Twice,
            Order::Never,
        ];
        let manners = [Manner::Floods, Manner::Deaf, Manner::Fragments, Manner::Resumes];
        Self {
            number,
            user,
            org,
            roles,
            order: *random.pick(&orders),
            manner: if random.chance(12) { *random.pick(&manners) } else { Manner::Honest },
            pongs: random.chance(70),
            wire: *random.pick(&[600, 4 << 10, 64 << 10]),
            hub: Arc::clone(random.pick(&platform().hubs)),
            habits,
            lists: BTreeSet::new(),
            watching: Watching::default(),
            asked: BTreeSet::new(),
            token: None,
            logins: 0,
            arriving: None,
            link: None,
            connects: 0,
            outgoing: Vec::new(),
            incoming: Vec::new(),
            calls: VecDeque::new(),
            called: 0,
            now: 0,
            is_open: false,
            opened_at: 0,
            has_said: false,
            has_resumed: false,
            heard_last: BTreeMap::new(),
            last: None,
            resume_from: None,
            owed_from: None,
            renewed: None,
            got: BTreeMap::new(),
            flags: BTreeMap::new(),
            counts: BTreeMap::new(),
            told_counts: BTreeMap::new(),
            again: 0,
        }
    }

    pub(super) fn session(&self) -> Option<String> {
        Some(self.token.as_ref()?.session.as_ref()?.to_string())
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        Identity::new(Arc::clone(self.token.as_ref()?), None, |_| false).ok()
    }

    pub(super) fn org(&self) -> &'static str {
        self.org
    }

    /// The path of its hub.
    pub(super) fn hub(&self) -> &Arc<str> {
        &self.hub.path
    }

    /// One step of the client.
    pub(super) fn step(&mut self, around: &mut Surroundings<'_>, random: &mut Random) -> Result<(), String> {
        self.now = around.now;
        let Some(link) = self.link else { return self.connect(around, random) };
        if self.token_is_over(around.now) {
            self.drop_link(around);
            return Ok(());
        }
        let Habits { drops, joins, asks, reads } = self.habits;
        self.misbehave(random);
        self.write(link, around);
        if self.is_open && random.chance(3) {
            return self.refresh(link, around);
        }
        if random.chance(drops) {
            self.drop_link(around);
        } else if self.is_open && self.has_said && self.calls.len() < 4 && random.chance(joins) {
            let (list, org) = (random.pick(&LISTS).0, *random.pick(&ORGS));
            let looks = self.user == ROOT || random.chance(10);
            self.call(match random.below(4) {
                0 if looks && org != self.org => Call::Watch(org),
                1 if self.asked.contains(&platform().org(org)) => Call::Unwatch(org),
                2 if self.asked.contains(&platform().list(list)) => Call::Leave(list),
                _ => Call::Join(list),
            });
        } else if self.is_open && self.has_said && self.may_ask() && self.calls.len() < 4 && random.chance(asks) {
            self.call(Call::Cursor);
        } else if random.chance(reads) && self.manner != Manner::Deaf {
            let most = *random.pick(&[40, 400, 100_000]);
            return self.read(link, most, around);
        }
        Ok(())
    }

    /// Whether the page may ask where it is: not before it has resumed, as that would say that it begins here.
    fn may_ask(&self) -> bool {
        self.resume_from.is_none() || self.order == Order::Never
    }

    /// Goes on without chance: reads, resumes, connects.
    pub(super) fn come_to_rest(&mut self, around: &mut Surroundings<'_>, random: &mut Random) -> Result<(), String> {
        self.now = around.now;
        // Those that only disturb the others have done so.
        if self.manner != Manner::Honest {
            if self.link.is_some() {
                self.drop_link(around);
            }
            return Ok(());
        }
        let Some(link) = self.link else { return self.connect(around, random) };
        self.write(link, around);
        self.read(link, usize::MAX, around)
    }

    /// Whether nothing is on its way to it any more.
    pub(super) fn is_at_rest(&self) -> bool {
        if self.manner != Manner::Honest {
            return self.link.is_none();
        }
        let is_heard = self.outgoing.is_empty() && self.incoming.is_empty() && self.calls.is_empty();
        self.link.is_some() && self.has_said && self.last.is_some() && self.owed_from.is_some() && is_heard
    }

    /// Asks a node for a connection; what it has accepted comes to its shard a while later.
    fn connect(&mut self, around: &mut Surroundings<'_>, random: &mut Random) -> Result<(), String> {
        if let Some(arriving) = self.arriving.take() {
            return self.arrive(arriving, around, random);
        }
        if self.token_is_over(around.now) {
            self.log_in(around);
        }
        let ready: Vec<usize> = around.nodes.iter().filter(|node| node.is_ready()).map(|node| node.number).collect();
        if ready.is_empty() {
            return Ok(());
        }
        // A page that mixes up the cursors of its hubs.
        if random.chance(4) {
            self.hub = Arc::clone(random.pick(&platform().hubs));
        }
        let number = *random.pick(&ready);
        let node = &around.nodes[number];
        let shard = random.below(node.shards.len());
        let Some(identity) = self.identity() else { return Ok(()) };
        let refused = node.groups.is_logged_out(identity.claims());
        // The page shows why, and tries again.
        if node.groups.closed_org(&self.hub, &identity).is_some() {
            return Ok(());
        }
        if node.known().is_closed(&identity) && !node.is_busy() {
            return Err(format!("node {number} accepts {:?}, whose org is closed", identity.claims()));
        }
        let ended = around.history.ended_by(&identity, node.learnt());
        if let (false, Some(ended)) = (refused, ended) {
            return Err(format!("node {number} has read {ended:?} and accepts {:?}", identity.claims()));
        }
        if refused {
            let any = around.history.is_ended(&identity);
            self.token = None;
            return if any { Ok(()) } else { Err(format!("{} is refused without a logout", identity.claims().user)) };
        }
        let cursor = self.resume_from.clone().filter(|_| self.order == Order::AtConnect);
        self.arriving = Some(Arriving { node: number, shard, identity, cursor });
        Ok(())
    }

    /// The shard takes over the connection.
    fn arrive(&mut self, arriving: Arriving, around: &mut Surroundings<'_>, random: &mut Random) -> Result<(), String> {
        let Arriving { node, shard: number, identity, cursor } = arriving;
        self.connects += 1;
        let id = ConnectionId::from_random(u128::from(random.bits()) << 64 | u128::from(random.bits()));
        self.trace(format_args!(
            "connects to {} of node {node} as {} with {:?}, owed from {:?}",
            self.hub.path, id, self.resume_from, self.owed_from
        ));
        let (shard, view) = around.nodes[node].shard(number, around.log, around.now);
        if traced_tab() == Some(self.number) {
            shard.traced = Some(id);
        }
        self.watching.connected(cursor.as_deref(), around.now);
        shard.accept(view, identity, cursor, (id, &self.hub), self.wire);
        self.link = Some(Link { node, shard: number, key: id });
        (self.is_open, self.has_said, self.has_resumed) = (false, false, false);
        self.renewed = None;
        self.told_counts.clear();
        self.asked.clear();
        self.heard_last.clear();
        self.outgoing.clear();
        self.incoming.clear();
        self.calls.clear();
        self.send("{\"protocol\":\"json\",\"version\":1}");
        if self.order == Order::Never {
            // A page that was reloaded.
            self.flags.clear();
            self.owed_from = None;
        }
        if self.order == Order::Never || self.resume_from.is_none() {
            self.watching.begin_anew();
        }
        Ok(())
    }

    /// Loses the connection, on whichever side.
    pub(super) fn drop_link(&mut self, around: &mut Surroundings<'_>) {
        let Some(link) = self.link.take() else { return };
        let (shard, view) = around.nodes[link.node].shard(link.shard, around.log, around.now);
        let has_heard_unasked = shard.has_heard_unasked(link.key);
        shard.hang_up(link.key, view);
        self.lost(has_heard_unasked);
    }

    /// The node died.
    pub(super) fn lose_node(&mut self, number: usize, nodes: &[SimulatedNode]) {
        self.arriving.take_if(|arriving| arriving.node == number);
        if let Some(link) = self.link.take_if(|link| link.node == number) {
            self.lost(nodes[number].shards[link.shard].has_heard_unasked(link.key));
        }
    }

    fn lost(&mut self, has_heard_unasked: bool) {
        self.calls.clear();
        self.outgoing.clear();
        // What it has heard without having resumed is a beginning of its own: nobody can tell its cursor from one of
        // a tab that has missed nothing.
        if self.resume_from.is_some() && has_heard_unasked {
            self.owed_from = None;
            self.watching.begin_anew();
        }
        self.watching.lost(self.now);
        self.trace(format_args!("loses its connection, unasked {has_heard_unasked}"));
        self.resume_from = self.last.clone();
    }
}
