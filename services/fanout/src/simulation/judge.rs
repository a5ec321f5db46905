//! What must hold in a run: all the time, and once it has come to rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fanfare_event::{Event, Id};
use fanfare_token::Claims;

use super::check::{Account, Told, retained_flags, true_flags};
use super::node::SimulatedNode;
use super::platform::{TOKEN_LIFETIME, platform};
use super::producer::ORGS;
use super::tab::{Manner, Tab};
use super::world::World;
use crate::vocabulary::Identity;
use crate::vocabulary::name::{GroupName, GroupTemplate};

/// How many steps a node may take to read everything back.
const READ_BACK: usize = 20_000;

impl World {
    pub(super) fn verify(&mut self) -> Result<(), String> {
        for node in &mut self.nodes {
            let told: Vec<Told> = node.shards.iter_mut().flat_map(|shard| shard.told.drain(..)).collect();
            let wrong = told.iter().find_map(|told| self.history.not_granted(told, node.learnt()));
            let broken = node.shards.iter_mut().find_map(|shard| shard.broken.pop());
            if let Some(fault) = broken.or(wrong) {
                return Err(fault);
            }
        }
        self.verify_logouts()?;
        self.verify_orgs_and_grants()
    }

    /// After a logout was read and felt, no tab of the user is left on the node (rule 1.3, 1.5).
    fn verify_logouts(&self) -> Result<(), String> {
        for node in self.nodes.iter().filter(|node| node.is_ready() && !node.is_busy()) {
            for shard in node.shards.iter().filter(|shard| !shard.is_opening()) {
                for who in shard.live() {
                    if let Some(out) = self.history.ended_by(who, node.learnt()) {
                        return Err(format!("node {} keeps a tab beyond {out:?}", node.number));
                    }
                }
            }
        }
        Ok(())
    }

    /// After an org was closed, none of its tabs is left on the node; after a grant or a withdrawal, each tab is in the
    /// groups that are granted to its user without a call, and in no other (rules 1.6 and 11).
    fn verify_orgs_and_grants(&self) -> Result<(), String> {
        for node in self.nodes.iter().filter(|node| node.is_ready() && !node.is_busy()) {
            for shard in node.shards.iter().filter(|shard| !shard.is_opening()) {
                for (who, foreign) in shard.live_foreign() {
                    if !foreign.is_empty() && !node.known().may_name_any_org(who) {
                        let (number, user) = (node.number, &who.claims().user);
                        return Err(format!("a tab of {user} on node {number} is in {foreign:?} without the role"));
                    }
                }
                for (who, groups) in shard.live_groups() {
                    let (number, claims) = (node.number, who.claims());
                    if node.known().is_closed(who) {
                        return Err(format!("node {number} keeps a tab of {:?}, which is closed", claims.org));
                    }
                    let granted = node.known().crews(who);
                    let held: BTreeSet<GroupName> =
                        groups.into_iter().filter(|group| group.shape() == "crew:{}").collect();
                    if granted != held {
                        let user = &claims.user;
                        return Err(format!(
                            "a tab of {user} on node {number} is in {held:?}, and {granted:?} is granted"
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a tab is not let in, as its org is closed.
    pub(super) fn is_shut_out(&self, tab: &Tab) -> bool {
        tab.link.is_none() && self.producers.is_suspended(tab.org())
    }

    pub(super) fn judge(&mut self) -> Result<(), String> {
        self.judge_nodes()?;
        self.judge_ages()?;
        self.judge_letters()?;
        self.judge_tabs()
    }

    fn judge_tabs(&self) -> Result<(), String> {
        for tab in self.tabs.iter().filter(|tab| tab.manner == Manner::Honest && !self.is_shut_out(tab)) {
            let (Some(identity), Some(owed_from)) = (tab.identity(), &tab.owed_from) else { continue };
            let account = Account { identity: &identity, hub: tab.hub(), owed_from, until: None, got: &tab.got };
            let missing = self.history.missing(&account, &self.log);
            let missing = if missing.is_empty() { self.missing_of_others(tab) } else { missing };
            let missing =
                if missing.is_empty() { tab.missing_of_watched(None, &self.history, &self.log) } else { missing };
            if !missing.is_empty() {
                let (user, org) = (&identity.claims().user, tab.org());
                let (number, order) = (tab.number, tab.order);
                return Err(format!(
                    "tab {number} ({user} of {org}, {order:?}) has missed {missing:#?} since {owed_from:?}"
                ));
            }
            let shown = tab.flags.iter().filter(|(_, on)| **on).map(|(flag, on)| (flag.clone(), *on));
            let shown: BTreeMap<String, bool> = shown.collect();
            let mut wanted = true_flags(&self.producers, tab.org());
            wanted.retain(|_, on| *on);
            if shown != wanted {
                return Err(format!("tab {} of {} shows {shown:?}, and {wanted:?} is true", tab.number, tab.org()));
            }
        }
        Ok(())
    }

    /// What a tab has not heard of the orgs into which it looks.
    fn missing_of_others(&self, tab: &Tab) -> Vec<String> {
        let Some(link) = &tab.link else { return Vec::new() };
        let foreign = self.nodes[link.node].shards.iter().flat_map(|shard| shard.foreign(link.key));
        let missing = foreign.flat_map(|(_, org, from)| {
            let identity = anybody_of(org.as_str());
            let account = Account { identity: &identity, hub: tab.hub(), owed_from: &from, until: None, got: &tab.got };
            self.history.missing(&account, &self.log)
        });
        missing.collect()
    }

    /// What nodes know is what the producers know.
    fn judge_nodes(&self) -> Result<(), String> {
        for (node, hub) in self.nodes.iter().flat_map(|node| platform().hubs.iter().map(move |hub| (node, &hub.path))) {
            for org in ORGS {
                let group = org_group(org);
                let values: Vec<Arc<Event>> = node.groups.read(|known| {
                    known.retained().for_groups(hub, std::iter::once(&group)).into_iter().map(|v| v.event).collect()
                });
                let (found, wanted) = (retained_flags(&values), true_flags(&self.producers, org));
                if found != wanted {
                    return Err(format!("node {} retains {found:?} for {org}, and {wanted:?} is true", node.number));
                }
            }
            self.judge_people(node)?;
            for org in ORGS {
                let id = Id::parse(org).map_err(|error| error.to_string())?;
                let closed = node.groups.read(|known| known.orgs().closed(hub, &id).is_some());
                if closed != self.producers.is_suspended(org) {
                    return Err(format!("node {} is wrong about {org}: it says {closed}", node.number));
                }
            }
        }
        Ok(())
    }

    /// Logouts, roles and access, as tokens find them that were issued before all of them.
    fn judge_people(&self, node: &SimulatedNode) -> Result<(), String> {
        let (number, producers, platform) = (node.number, &self.producers, platform());
        // What is older is in every token that lives.
        let counts = |at: i64| at + TOKEN_LIFETIME > self.now.div_euclid(1000);
        for (user, session, at) in producers.logouts.iter().filter(|(.., at)| counts(*at)) {
            let session = session.as_deref().unwrap_or("another");
            if !node.groups.read(|known| known.refuses(&claims(user, ORGS[0], session, *at))) {
                return Err(format!(
                    "node {number} accepts {user} in session {session} from before the logout at {at}"
                ));
            }
        }
        for ((org, user), (wanted, _)) in producers.roles.iter().filter(|(_, (_, at))| counts(*at)) {
            let roles = node.groups.read(|known| known.roles_of(&claims(user, org, "another", 0)));
            let found: Vec<String> = roles.into_iter().map(|(role, _)| role).collect();
            if found != *wanted {
                return Err(format!("node {number} gives {user} of {org} the roles {found:?}, and {wanted:?} is true"));
            }
        }
        for ((user, list, org), wanted) in &producers.access {
            let who = Identity::new(Arc::new(claims(user, org, "another", 0)), None, |_| false);
            let who = who.map_err(|error| error.to_string())?;
            let group = platform.list(list);
            for hub in &platform.hubs {
                let state = node.groups.read(|known| known.grants().state(&hub.path, &who, &group));
                if state.is_none_or(|state| state.granted != *wanted) {
                    return Err(format!(
                        "node {number} is wrong about the access of {user} to {list}: {wanted} is true"
                    ));
                }
            }
        }
        Ok(())
    }

    /// All nodes know the same, and so do two that begin now, which have also read the same.
    fn judge_ages(&mut self) -> Result<(), String> {
        let mut fresh = [0, 1].map(|number| SimulatedNode::new(100 + number, self.settings));
        for node in &mut fresh {
            let mut steps = 0..READ_BACK;
            while !node.is_idle(&self.log) {
                steps.next().ok_or("a node that begins now does not end reading back")?;
                node.step(&self.log, self.now, &mut self.random);
            }
        }
        let [one, two] = fresh.each_ref().map(|node| node.groups.read(|known| known.digest()));
        if one != two {
            return Err("two nodes that have read the same records know different things".to_owned());
        }
        let wanted = fresh[0].groups.read(|known| known.digest_of_now());
        let differs = |node: &&SimulatedNode| node.groups.read(|known| known.digest_of_now()) != wanted;
        match self.nodes.iter().find(differs) {
            Some(node) => Err(format!("node {} knows something else than a node that begins now", node.number)),
            None => Ok(()),
        }
    }

    fn judge_letters(&self) -> Result<(), String> {
        let window = self.settings.window;
        let oldest = self.log.window(window.age.as_millis() as i64, window.records, self.now);
        let oldest = oldest.map_err(|fault| format!("{fault:?}"))?;
        for (incarnation, place) in &self.history.poison {
            let owed = *incarnation == oldest.incarnation() && !place.is_within(&oldest);
            if owed && !self.nodes.iter().any(|node| node.letters.contains(place)) {
                return Err(format!("no letter of the record at {place:?}"));
            }
        }
        Ok(())
    }
}

fn claims(user: &str, org: &str, session: &str, issued_at: i64) -> Claims {
    crate::scene::claims(user, org, &[], session, issued_at)
}

/// Somebody of an org, of whom nothing else is known.
pub(super) fn anybody_of(org: &str) -> Identity {
    Identity::new(Arc::new(claims("nobody", org, "none", 0)), None, |_| false).expect("an identity")
}

fn org_group(org: &str) -> GroupName {
    GroupTemplate::parse("org:{org}").expect("a template").name(&[org]).expect("a name")
}
