//! Producers: what happens on the platform, and relays that publish it at least once and in order.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use fanfare_broker::{Message, Stream};
use fanfare_e2e_tests::Random;
use serde_json::{Value, json};

use super::platform::platform;
use crate::pipeline::to_message;

/// The orgs of the platform.
pub(super) const ORGS: [&str; 3] = ["acme", "globex", "initech"];
/// The users; each name is one of every org.
pub(super) const USERS: [&str; 3] = ["alice", "bob", "carol"];
/// Who may look into each org, as long as their role is not taken away.
pub(super) const ROOT: &str = "root";
/// The flags of each org.
pub(super) const FLAGS: [&str; 3] = ["beta", "dark", "plain"];
/// The lists; each belongs to an org.
pub(super) const LISTS: [(&str, &str); 3] = [("groceries", "acme"), ("errands", "acme"), ("plans", "globex")];

/// What mostly happens in a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Theme {
    #[default]
    Anything,
    Flags,
    Lists,
    People,
    Orgs,
    Counts,
}

/// Where the events of an aggregate wait, in order: one relay for each producer.
#[derive(Debug, Default)]
struct Outbox {
    waiting: VecDeque<Message>,
}

/// All producers, and what is true by their own tables.
#[derive(Debug, Default)]
pub(super) struct Producers {
    theme: Theme,
    outboxes: [Outbox; 4],
    serial: u64,
    revision: i64,
    /// Of each org and flag: whether it is on; none once removed.
    pub(super) flags: BTreeMap<(String, String), Option<bool>>,
    /// Of each user, list and org: whether access is granted.
    pub(super) access: BTreeMap<(String, String, String), bool>,
    /// Of each org that was ever suspended: whether it is.
    suspended: BTreeMap<String, bool>,
    /// Of each org and user: the roles, once they were changed, and in which second.
    pub(super) roles: BTreeMap<(String, String), (Vec<String>, i64)>,
    /// When each user logged out last, in seconds by auth's clock, everywhere or a session.
    pub(super) logouts: Vec<(String, Option<String>, i64)>,
    state: BTreeMap<String, Message>,
}

const AUTH: usize = 0;
const LICENSE: usize = 1;
const EXPORT: usize = 2;
const SHARED: usize = 3;

impl Producers {
    pub(super) fn new(theme: Theme) -> Self {
        Self { theme, ..Self::default() }
    }

    /// Something happens.
    pub(super) fn act(&mut self, now: i64, sessions: &[String], random: &mut Random) {
        let org = *random.pick(&ORGS);
        let user = *random.pick(&USERS);
        let of_theme = match self.theme {
            Theme::Anything => 0..100,
            Theme::Flags => 15..35,
            Theme::Lists => 52..88,
            Theme::People => 88..97,
            Theme::Orgs => 97..98,
            Theme::Counts => 60..68,
        };
        let kind = if random.chance(50) { of_theme } else { 0..100 };
        match kind.start + random.below(kind.len()) {
            0..15 => self.alert(now, org, user, random),
            15..35 => self.flag(now, org, random),
            35..42 => {
                let kind = *random.pick(&["license.LicenseExpired", "license.LicenseUpdated"]);
                let body = if kind == "license.LicenseExpired" {
                    json!({ "org": org, "plan": "team", "expired_at": now })
                } else {
                    json!({ "org": org, "plan": "team", "seats": 5 })
                };
                self.emit(LICENSE, now, kind, body);
            }
            42..52 => self.export(now, org, user, random),
            52..60 => {
                let (list, org) = *random.pick(&LISTS);
                let body = json!({ "org": org, "list_id": list, "item": format!("item {}", self.serial) });
                self.emit(SHARED, now, "lists.ItemAdded", body);
            }
            60..68 => self.count(now, random),
            68..88 => self.access(now, user, random),
            88..93 => self.change_roles(now, org, user, random),
            93..97 => self.log_out(now, org, user, sessions, random),
            97 => self.suspend(now, org, random),
            _ => self.poison(now, org, random),
        }
    }

    /// The last that happens.
    pub(super) fn end(&mut self, now: i64) {
        let body = json!({ "org": null, "user": null, "severity": "info", "title": "the end", "message": "m" });
        self.emit(AUTH, now, "system.Alert", body);
    }

    fn alert(&mut self, now: i64, org: &str, user: &str, random: &mut Random) {
        let (org, user) = match random.below(4) {
            0 => (Value::Null, Value::Null),
            1 => (json!(org), json!(user)),
            _ => (json!(org), Value::Null),
        };
        let title = format!("alert {}", self.serial);
        let body = json!({ "org": org, "user": user, "severity": "info", "title": title, "message": "m" });
        self.emit(AUTH, now, "system.Alert", body);
    }

    fn flag(&mut self, now: i64, org: &str, random: &mut Random) {
        let flag = *random.pick(&FLAGS);
        let slot = (org.to_owned(), flag.to_owned());
        self.revision += 1;
        // A flag whose producer counts no revisions is ordered by the log alone, and so never removed by another type.
        if flag == "plain" {
            let enabled = random.chance(50);
            self.flags.insert(slot, Some(enabled));
            self.emit(LICENSE, now, "license.FlagToggled", json!({ "org": org, "flag": flag, "enabled": enabled }));
        } else if random.chance(40) {
            self.flags.insert(slot, None);
            let body = json!({ "org": org, "flag": flag, "revision": self.revision });
            self.emit(LICENSE, now, "license.FlagRemoved", body);
        } else {
            let enabled = random.chance(50);
            self.flags.insert(slot, Some(enabled));
            let body = json!({ "org": org, "flag": flag, "enabled": enabled, "revision": self.revision });
            self.emit(LICENSE, now, "license.FlagToggled", body);
        }
    }

    fn export(&mut self, now: i64, org: &str, user: &str, random: &mut Random) {
        let job = format!("job {}", random.below(2));
        if random.chance(60) {
            let body =
                json!({ "org": org, "user": user, "job_id": job, "percent": self.serial % 100, "stage": "rows" });
            return self.emit(EXPORT, now, "export.ExportProgress", body);
        }
        let body = json!({ "org": org, "user": user, "job_id": job, "kind": "broken", "reason": "broken" });
        self.emit(EXPORT, now, "export.ExportFailed", body);
    }

    fn access(&mut self, now: i64, user: &str, random: &mut Random) {
        let (list, org) = *random.pick(&LISTS);
        let granted = random.chance(60);
        self.revision += 1;
        self.access.insert((user.to_owned(), list.to_owned(), org.to_owned()), granted);
        let kind = if granted { "lists.CollaboratorAdded" } else { "lists.CollaboratorRemoved" };
        let body = json!({ "org": org, "user": user, "list_id": list, "revision": self.revision });
        self.emit(SHARED, now, kind, body);
    }

    /// Somebody counts quickly.
    fn count(&mut self, now: i64, random: &mut Random) {
        let (list, org) = *random.pick(&LISTS);
        for _ in 0..1 + random.below(5) {
            let body = json!({ "org": org, "list_id": list, "count": self.serial });
            self.emit(SHARED, now, "lists.Counted", body);
        }
    }

    fn suspend(&mut self, now: i64, org: &str, random: &mut Random) {
        let suspended = random.chance(35);
        self.revision += 1;
        self.suspended.insert(org.to_owned(), suspended);
        let kind = if suspended { "orgs.Suspended" } else { "orgs.Resumed" };
        let body = json!({ "org": org, "cause": format!("cause {}", self.serial), "revision": self.revision });
        self.emit(SHARED, now, kind, body);
    }

    /// Whether an org is suspended.
    pub(super) fn is_suspended(&self, org: &str) -> bool {
        self.suspended.get(org) == Some(&true)
    }

    fn change_roles(&mut self, now: i64, org: &str, user: &str, random: &mut Random) {
        let (org, user, more) = if random.chance(20) { (ORGS[0], ROOT, "superadmin") } else { (org, user, "admin") };
        let roles: &[&str] = if random.chance(50) { &["user", more] } else { &["user"] };
        self.revision += 1;
        let names = roles.iter().map(ToString::to_string).collect();
        self.roles.insert((org.to_owned(), user.to_owned()), (names, now.div_euclid(1000)));
        let body = json!({ "org": org, "user": user, "roles": roles, "revision": self.revision });
        self.emit(AUTH, now, "auth.RolesChanged", body);
    }

    fn log_out(&mut self, now: i64, org: &str, user: &str, sessions: &[String], random: &mut Random) {
        let session =
            if random.chance(40) && !sessions.is_empty() { Some(random.pick(sessions).clone()) } else { None };
        let user = session.as_deref().and_then(|session| session.split('-').nth(1)).unwrap_or(user).to_owned();
        self.revision += 1;
        self.logouts.push((user.clone(), session.clone(), now.div_euclid(1000)));
        let body = json!({ "org": org, "user": user, "session": session, "revision": self.revision });
        self.emit(AUTH, now, "auth.UserLoggedOut", body);
    }

    /// What no node can use: a body without a schema, or another org in the body than on the subject.
    fn poison(&mut self, now: i64, org: &str, random: &mut Random) {
        self.alert(now, org, "alice", random);
        let Some(message) = self.outboxes[AUTH].waiting.back_mut() else { return };
        message.id = format!("poison-{}", message.id);
        if random.chance(50) {
            message.body = Bytes::from_static(b"\xc3\x01 no such schema");
        } else {
            message.org = Some("hooli".to_owned());
        }
    }

    fn emit(&mut self, outbox: usize, now: i64, event_type: &str, body: Value) {
        self.serial += 1;
        let message = to_message(platform().encode(format!("e{}", self.serial), event_type, now, body), None);
        if message.stream == Stream::State {
            let key = format!("{:?}{}{:?}", message.org, message.topic, message.key);
            self.state.insert(key, message.clone());
        }
        self.outboxes[outbox].waiting.push_back(message);
    }

    /// When a token may be issued to a user who logs in now, in seconds (rule 1.5).
    pub(super) fn issue_at(&self, user: &str, now: i64) -> i64 {
        let everywhere = self.logouts.iter().filter(|(who, session, _)| who == user && session.is_none());
        everywhere.map(|(.., at)| at + 1).fold(now.div_euclid(1000), i64::max)
    }

    /// The next message that a relay has in flight, if its turn finds one.
    pub(super) fn in_flight(&self, random: &mut Random) -> Option<(usize, Message)> {
        let relay = random.below(self.outboxes.len());
        Some((relay, self.outboxes[relay].waiting.front()?.clone()))
    }

    /// The broker has answered and the relay has noted it.
    pub(super) fn published(&mut self, relay: usize) {
        self.outboxes[relay].waiting.pop_front();
    }

    /// The next message of all, for draining.
    pub(super) fn next(&self) -> Option<(usize, Message)> {
        let mut found = self.outboxes.iter().enumerate();
        found.find_map(|(relay, outbox)| Some((relay, outbox.waiting.front()?.clone())))
    }

    /// After the streams were recreated, producers publish the state that they hold once more.
    pub(super) fn publish_state_again(&mut self) {
        let newest: Vec<Message> = self.state.values().cloned().collect();
        for (at, mut message) in newest.into_iter().enumerate() {
            message.id = format!("{}-again-{}-{at}", message.id, self.serial);
            let outbox = match message.topic.split('.').next() {
                Some("auth") => AUTH,
                Some("license") => LICENSE,
                _ => SHARED,
            };
            self.outboxes[outbox].waiting.push_back(message);
        }
    }
}
