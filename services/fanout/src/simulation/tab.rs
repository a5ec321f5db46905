//! A tab: the client's half, which drops, returns with its cursor to any node, reads slowly, and keeps count.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::Position;
use fanfare_e2e_tests::Random;
use fanfare_event::Id;
use fanfare_signalr::negotiate::Transport;
use fanfare_token::Claims;
use serde_json::Value;

use super::check::{Account, History, true_flags};
use super::log::Log;
use super::node::SimulatedNode;
use super::platform::{TOKEN_LIFETIME, platform};
use super::producer::{LISTS, ORGS, Producers, USERS};
use super::replay::Resumed;
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

    /// Takes what waits and answers.
    fn read(&mut self, link: Link, around: &mut Surroundings<'_>) -> Result<(), String> {
        let (shard, view) = around.nodes[link.node].shard(link.shard, around.log, around.now);
        let Some(tab) = shard.tabs.get_mut(&link.key) else {
            return Err("a tab is gone from its shard".to_owned());
        };
        let bytes = tab.queue.drain();
        let (ended, replaying) = (tab.ended.clone(), tab.is_replaying());
        let (live_from, resumed, renewed) = (tab.hearing.live_from.clone(), tab.resumed.take(), tab.renewed.take());
        let (identity, gap_at) = (tab.identity.clone(), tab.gap_at.take());
        let cursor = shard.answer_cursor(link.key, view.rules);
        for frame in bytes.split(|byte| *byte == 0x1e).filter(|frame| !frame.is_empty()) {
            let message: Value = serde_json::from_slice(frame).map_err(|error| error.to_string())?;
            self.hear(&message, &identity, around.history)?;
        }
        // What a new stream holds from there on comes live, and nobody can tell it of the old one any more.
        let was_renewed = renewed.is_some();
        self.owed_from = renewed.or(self.owed_from.take());
        if let Some(gap_at) = gap_at.filter(|_| was_renewed) {
            self.verify_up_to(&gap_at, &identity, around)?;
        }
        if let Some(cursor) = cursor {
            let place = open_cursor(&platform().seal, &cursor).map_err(|error| error.to_string())?;
            if ended.is_none() && self.resume_from.is_none() {
                self.verify_up_to(&place, &identity, around)?;
            }
            self.last = Some(cursor);
        }
        if let Some(reason) = ended {
            self.drop_link(around.nodes);
            if !reason.allow_reconnect() {
                // The page shows the login: whoever comes next begins anew.
                (self.token, self.last, self.resume_from, self.owed_from) = (None, None, None, None);
                self.flags.clear();
            }
            return Ok(());
        }
        if let Some(resumed) = resumed {
            self.end_resume(resumed, around.producers, around.log.incarnation());
            return Ok(());
        }
        let Some(live_from) = live_from else { return Ok(()) };
        self.owed_from.get_or_insert(live_from);
        if replaying {
            return Ok(());
        }
        if let Some(cursor) = self.resume_from.clone()
            && !self.at_connect
        {
            let cursor = open_cursor(&platform().seal, &cursor).map_err(|error| error.to_string())?;
            let (shard, view) = around.nodes[link.node].shard(link.shard, around.log, around.now);
            // As clients should: first into their groups, then back to what was missed in them.
            self.lists.retain(|list| shard.join_list(link.key, list, view));
            shard.resume(link.key, &cursor, None, view);
        } else if self.last.is_none() {
            let (shard, view) = around.nodes[link.node].shard(link.shard, around.log, around.now);
            shard.ask_cursor(link.key, view.groups);
        }
        Ok(())
    }

    /// Nothing that it has a right to lies before a place and has not come.
    fn verify_up_to(&self, place: &Position, who: &Identity, around: &Surroundings<'_>) -> Result<(), String> {
        let Some(owed_from) = &self.owed_from else { return Ok(()) };
        let account = Account { identity: who, owed_from, until: Some(place), got: &self.got };
        let missing = around.history.missing(&account, around.log);
        let user = &who.claims().user;
        if missing.is_empty() { Ok(()) } else { Err(format!("{user} is at {place:?} and has not got {missing:#?}")) }
    }

    fn end_resume(&mut self, resumed: Resumed, producers: &Producers, incarnation: u64) {
        // A call that failed is made again.
        let Some(complete) = resumed.complete else { return };
        if !complete {
            let from = resumed.live_from;
            match &mut self.owed_from {
                Some(owed_from) if owed_from.incarnation() == from.incarnation() => owed_from.merge(&from),
                // It was answered before the tab was let go on in the stream that is now.
                Some(owed_from) if owed_from.incarnation() == incarnation => {}
                owed_from => *owed_from = Some(from),
            }
            self.refetch(producers);
        }
        // The answer comes behind what was replayed.
        self.last = self.last.take().or_else(|| self.resume_from.clone());
        self.resume_from = None;
    }

    /// Not everything can be told again: the page asks the producer what is true.
    fn refetch(&mut self, producers: &Producers) {
        let flags = true_flags(producers, self.org);
        self.flags = flags.into_iter().map(|(flag, on)| (flag, (on, 0))).collect();
    }

    fn hear(&mut self, message: &Value, who: &Identity, history: &History) -> Result<(), String> {
        let argument = &message["arguments"][0];
        let Some(id) = argument["id"].as_str() else { return Ok(()) };
        if let Some(wrong) = history.misplaced(id, who) {
            return Err(wrong);
        }
        let times = self.got.entry(id.to_owned()).or_default();
        *times += 1;
        self.again += usize::from(*times > 1);
        if message["target"] == "featureFlag" {
            let flag = argument["flag"].as_str().unwrap_or_default();
            let at = argument["at"].as_str().and_then(|at| fanfare_event::Timestamp::parse_rfc3339(at).ok());
            let at = at.map_or(0, |at| at.0);
            let enabled = argument["enabled"] == true;
            let known = self.flags.get(flag);
            let old = self.resume_from.is_some() && known.is_some_and(|(_, known)| at < *known);
            if !old {
                self.flags.insert(flag.to_owned(), (enabled, at));
            }
        }
        self.last = argument["cursor"].as_str().map(str::to_owned).or(self.last.take());
        Ok(())
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
