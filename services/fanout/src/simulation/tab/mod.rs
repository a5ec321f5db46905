//! A tab: the client's half, which drops, returns with its cursor to any node, reads slowly, and keeps count.

mod reading;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::Position;
use fanfare_e2e_tests::Random;
use fanfare_event::Id;
use fanfare_signalr::negotiate::Transport;
use fanfare_token::Claims;

use super::check::History;
use super::log::Log;
use super::node::SimulatedNode;
use super::platform::{TOKEN_LIFETIME, platform};
use super::producer::{LISTS, ORGS, Producers, USERS};
use super::rule::{Rule, Rules};
use super::shard::still;
use crate::connection::{Action, Connection, Identity, Settings};
use crate::projection::open_cursor;

const SETTINGS: Settings = Settings {
    handshake: Duration::from_secs(15),
    keepalive: Duration::from_secs(15),
    client_timeout: Duration::from_secs(30),
    message_bytes: 32 << 10,
    invocations_per_minute: 600,
};

/// Where a tab is connected.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) node: usize,
    shard: usize,
    key: usize,
}

/// A connection that a node has accepted and its shard has not seen yet.
struct Arriving {
    link: Link,
    identity: Identity,
    cursor: Option<Position>,
}

/// What surrounds a tab when it acts.
pub(super) struct Surroundings<'a> {
    pub(super) nodes: &'a mut [SimulatedNode],
    pub(super) log: &'a Log,
    pub(super) producers: &'a Producers,
    pub(super) history: &'a History,
    pub(super) now: i64,
    pub(super) rules: Rules,
}

/// How often a tab does what, in percent of its steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Habits {
    pub(super) drops: usize,
    pub(super) joins: usize,
    pub(super) asks: usize,
    pub(super) reads: usize,
}

/// One tab.
pub(super) struct Tab {
    pub(super) number: usize,
    user: &'static str,
    org: &'static str,
    roles: Vec<String>,
    /// Whether it names its cursor in the URL, or calls `Resume` once it is connected.
    at_connect: bool,
    habits: Habits,
    token: Option<Arc<Claims>>,
    logins: usize,
    /// The lists that it shows.
    lists: BTreeSet<&'static str>,
    arriving: Option<Arriving>,
    pub(super) link: Option<Link>,
    connects: usize,
    last: Option<String>,
    resume_from: Option<String>,
    pub(super) owed_from: Option<Position>,
    pub(super) got: BTreeMap<String, u32>,
    pub(super) flags: BTreeMap<String, (bool, i64)>,
    pub(super) again: usize,
}

impl Tab {
    pub(super) fn new(number: usize, habits: Habits, random: &mut Random) -> Self {
        let (user, org) = (*random.pick(&USERS), *random.pick(&ORGS));
        let roles = if user == "bob" { vec!["admin".to_owned()] } else { vec!["user".to_owned()] };
        let habits = if random.chance(15) { Habits { reads: 8, ..habits } } else { habits };
        Self {
            number,
            user,
            org,
            roles,
            at_connect: random.chance(50),
            habits,
            lists: BTreeSet::new(),
            token: None,
            logins: 0,
            arriving: None,
            link: None,
            connects: 0,
            last: None,
            resume_from: None,
            owed_from: None,
            got: BTreeMap::new(),
            flags: BTreeMap::new(),
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

    /// One step of the client.
    pub(super) fn step(&mut self, around: &mut Surroundings<'_>, random: &mut Random) -> Result<(), String> {
        let Some(link) = self.link else { return self.connect(around, random) };
        let (shard, view) = around.nodes[link.node].shard(link.shard, around.log, around.now);
        if shard.is_opening() {
            return Ok(());
        }
        if self.token_is_over(around.now) {
            self.drop_link(around.nodes);
            return Ok(());
        }
        let Habits { drops, joins, asks, reads } = self.habits;
        if random.chance(drops) {
            self.drop_link(around.nodes);
        } else if random.chance(joins) {
            let list = random.pick(&LISTS).0;
            if shard.join_list(link.key, list, view) {
                self.lists.insert(list);
            }
        } else if random.chance(asks) {
            shard.ask_cursor(link.key, view.groups);
        } else if random.chance(20) {
            shard.replay_on(link.key, view, random);
        } else if random.chance(reads) {
            return self.read(link, around);
        }
        Ok(())
    }

    /// Asks a node for a connection; what it has accepted comes to its shard a while later.
    fn connect(&mut self, around: &mut Surroundings<'_>, random: &mut Random) -> Result<(), String> {
        if let Some(arriving) = self.arriving.take() {
            return self.arrive(arriving, around);
        }
        if self.token_is_over(around.now) {
            self.log_in(around);
        }
        let ready: Vec<usize> = around.nodes.iter().filter(|node| node.is_ready()).map(|node| node.number).collect();
        if ready.is_empty() {
            return Ok(());
        }
        let number = *random.pick(&ready);
        let node = &around.nodes[number];
        let shard = random.below(node.shards.len());
        let Some(identity) = self.identity() else { return Ok(()) };
        let refuses = node.groups.read(|known| known.refuses(identity.claims()));
        let refused = refuses && around.rules.keep(Rule::RefuseAtConnect);
        let ended = around.history.ended_by(&identity, node.learnt());
        if let (false, Some(ended)) = (refused, ended) {
            return Err(format!("node {number} has read {ended:?} and accepts {:?}", identity.claims()));
        }
        if refused {
            let any = around.history.is_ended(&identity);
            self.token = None;
            return if any { Ok(()) } else { Err(format!("{} is refused without a logout", identity.claims().user)) };
        }
        let resume_from = self.resume_from.take().or_else(|| self.last.clone());
        let cursor = resume_from.as_deref().map(|text| open_cursor(&platform().seal, text));
        let cursor = cursor.transpose().map_err(|error| error.to_string())?;
        if resume_from.is_none() {
            self.owed_from = None;
        }
        self.resume_from = resume_from;
        self.connects += 1;
        let link = Link { node: number, shard, key: self.number * 10_000 + self.connects };
        self.arriving = Some(Arriving { link, identity, cursor: cursor.filter(|_| self.at_connect) });
        Ok(())
    }

    /// The shard takes over the connection, whose handshake is done.
    fn arrive(&mut self, arriving: Arriving, around: &mut Surroundings<'_>) -> Result<(), String> {
        let node = &mut around.nodes[arriving.link.node];
        let shard = &mut node.shards[arriving.link.shard];
        if shard.is_opening() {
            self.arriving = Some(arriving);
            return Ok(());
        }
        let Arriving { link, identity, cursor } = arriving;
        let mut connection = Connection::new(Transport::WebSockets, false, &SETTINGS, still());
        let mut actions = Vec::new();
        connection.receive(b"{\"protocol\":\"json\",\"version\":1}\x1e", &SETTINGS, still(), &mut actions);
        if !actions.iter().any(|action| matches!(action, Action::Opened { .. })) {
            return Err(format!("the handshake failed: {actions:?}"));
        }
        shard.accept(link.key, identity, connection);
        shard.open(link.key, &node.groups, cursor);
        self.link = Some(link);
        Ok(())
    }

    fn token_is_over(&self, now: i64) -> bool {
        self.token.as_ref().is_none_or(|token| token.expires_at <= now.div_euclid(1000))
    }

    fn log_in(&mut self, around: &Surroundings<'_>) {
        self.logins += 1;
        let id = |text: &str| Id::parse(text).expect("an id");
        let issued_at = around.producers.issue_at(self.user, around.now);
        let changed = around.producers.roles.get(&(self.org.to_owned(), self.user.to_owned()));
        self.token = Some(Arc::new(Claims {
            issuer: Arc::from("http://127.0.0.1:1"),
            realm: None,
            user: id(self.user),
            org: Some(id(self.org)),
            roles: changed.map_or(&self.roles, |(roles, _)| roles).clone(),
            session: Some(id(&format!("s{}-{}-{}", self.number, self.user, self.logins))),
            issued_at,
            expires_at: issued_at + TOKEN_LIFETIME,
            publish: None,
            orgs: Vec::new(),
            unusable: Vec::new(),
        }));
    }

    /// Loses the connection, on whichever side.
    pub(super) fn drop_link(&mut self, nodes: &mut [SimulatedNode]) {
        let Some(link) = self.link.take() else { return };
        let node = &mut nodes[link.node];
        node.shards[link.shard].forget(link.key, &node.groups);
        self.lost();
    }

    /// The node died.
    pub(super) fn lose_node(&mut self, number: usize) {
        self.arriving.take_if(|arriving| arriving.link.node == number);
        if self.link.is_some_and(|link| link.node == number) {
            self.link = None;
            self.lost();
        }
    }

    fn lost(&mut self) {
        // As the page does: while it catches up, newer cursors do not replace the one to resume from.
        self.resume_from = self.resume_from.take().or_else(|| self.last.clone());
    }

    /// Whether nothing is on its way to it any more.
    pub(super) fn is_settled(&self, nodes: &[SimulatedNode]) -> bool {
        let Some(link) = self.link else { return false };
        let tab = nodes[link.node].shards[link.shard].tabs.get(&link.key);
        let settled = |tab: &super::shard::ServerTab| {
            tab.queue.is_empty() && !tab.is_replaying() && tab.ended.is_none() && tab.resumed.is_none()
        };
        self.resume_from.is_none() && self.last.is_some() && self.owed_from.is_some() && tab.is_some_and(settled)
    }

    /// Goes on without chance: reads, resumes, connects.
    pub(super) fn settle(&mut self, around: &mut Surroundings<'_>, random: &mut Random) -> Result<(), String> {
        let Some(link) = self.link else { return self.connect(around, random) };
        let (shard, view) = around.nodes[link.node].shard(link.shard, around.log, around.now);
        if shard.is_opening() {
            return Ok(());
        }
        shard.replay_on(link.key, view, random);
        self.read(link, around)
    }
}
