//! A random world: hubs, routes, users and events, and their configuration for a node.

use std::fmt::Write as _;

use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::token::now;
use fanfare_e2e_tests::{NewEvent, Random, Settings, Token};
use serde_json::json;

/// Names that are easily confused: users named like orgs, orgs like roles, one a part of another.
const USERS: [&str; 7] = ["alice", "bob", "acme", "a", "al.ice@x", "role-admin", "admin"];
const ORGS: [&str; 4] = ["acme", "acme-1", "globex", "admin"];
const ROLES: [&str; 6] = ["user", "admin", "lead", "red", "green", "superadmin"];
const KINDS: [&str; 3] = ["red", "green", "blue"];
/// Text that would be in some user's group if names were joined carelessly.
const FORGED: [&str; 6] = ["acme/role:admin", "acme:alice", "{org}", "org:acme", "é ü", "*"];

const NOTE: &str = r#"{
  "type": "record", "name": "Note",
  "fields": [
    {"name": "org", "type": ["null", "string"], "default": null},
    {"name": "user", "type": ["null", "string"], "default": null},
    {"name": "team", "type": "string"},
    {"name": "watchers", "type": {"type": "array", "items": "string"}},
    {"name": "level", "type": "int"},
    {"name": "kind", "type": {"type": "enum", "name": "Kind", "symbols": ["red", "green", "blue"], "default": "red"}}
  ]
}"#;
const BARRIER: &str = r#"{"type": "record", "name": "Barrier", "fields": [{"name": "number", "type": "int"}]}"#;

/// The members of a group, as declared by the hub or the route. Each has a template for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// The user named by the event.
    User,
    /// The users of a list.
    Watchers,
    /// The user named in a free text.
    UserInText,
    /// The session named in a free text.
    SessionInText,
    /// All members of the event's org.
    Org,
    /// All members of the org named in a free text.
    OrgInText,
    /// The admins of the event's org.
    OrgAdmins,
    /// Members of the event's org with the role in a free text.
    OrgRoleInText,
    /// The named user of the event's org.
    OrgUser,
    /// Users with a role of this name, in any org.
    RoleOfKind,
    /// Admins of any org.
    Admins,
    /// Superadmins.
    Superadmins,
}

/// A route's group, the hub's declaration for it, and its members.
const AUDIENCES: [(Audience, &str, &str); 12] = [
    (Audience::User, "user:{user}", "\"user:{user}\""),
    (Audience::Watchers, "user:{watchers}", "\"user:{user}\""),
    (Audience::UserInText, "user:{team}", "\"user:{user}\""),
    (Audience::SessionInText, "session:{team}", "\"session:{session}\""),
    (Audience::Org, "org:{org}", "\"org:{org}\""),
    (Audience::OrgInText, "org:{team}", "\"org:{org}\""),
    (Audience::OrgAdmins, "org:{org}/role:admin", "\"org:{org}/role:{role}\""),
    (Audience::OrgRoleInText, "org:{org}/role:{team}", "\"org:{org}/role:{role}\""),
    (Audience::OrgUser, "{org}:{user}", "\"{org}:{user}\""),
    (Audience::RoleOfKind, "role={kind}", "\"role={role}\""),
    (Audience::Admins, "admin", "{ group = \"admin\", roles = [\"admin\", \"superadmin\"] }"),
    (Audience::Superadmins, "superadmin", "{ group = \"superadmin\", roles = [\"superadmin\"] }"),
];

/// The notes that a route matches.
#[derive(Debug, Clone, Default)]
pub(super) struct When {
    pub(super) level: Option<(i64, i64)>,
    pub(super) kinds: Option<Vec<String>>,
    pub(super) user_present: Option<bool>,
    pub(super) org_present: Option<bool>,
}

/// A route of notes.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) name: String,
    pub(super) hub: usize,
    pub(super) audiences: Vec<Audience>,
    pub(super) when: When,
    pub(super) cross_org: bool,
}

/// A user with a tab.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) user: String,
    pub(super) org: Option<String>,
    pub(super) roles: Vec<String>,
    pub(super) session: Option<String>,
    /// The org that a superadmin names when connecting.
    pub(super) named_org: Option<String>,
    pub(super) hub: usize,
    as_browser: bool,
}

/// An event.
#[derive(Debug, Clone)]
pub(super) enum Event {
    Note { org: Option<String>, user: Option<String>, team: String, watchers: Vec<String>, level: i64, kind: String },
    Roles { org: String, user: String, roles: Vec<String> },
    Flag { org: String, flag: String, enabled: bool },
    FlagRemoved { org: String, flag: String },
    Barrier,
}

/// Hubs, routes and their schemas.
#[derive(Debug)]
pub(super) struct World {
    joins: [Vec<&'static str>; 2],
    pub(super) routes: Vec<Route>,
}

/// The path of a hub.
pub(super) fn hub(index: usize) -> &'static str {
    ["/hubs/one", "/hubs/two"][index]
}

impl World {
    pub(super) fn random(random: &mut Random) -> Self {
        let mut joins = [Vec::new(), Vec::new()];
        for join in &mut joins {
            for (_, _, rule) in AUDIENCES {
                // Flags and roles are about these two, so they always exist.
                let needed = rule.contains("user:{user}") || rule.contains("\"org:{org}\"");
                if !join.contains(&rule) && (needed || random.chance(75)) {
                    join.push(rule);
                }
            }
        }
        let routes = (0..20).map(|number| route(random, number, &joins)).collect();
        Self { joins, routes }
    }

    pub(super) fn settings(&self) -> Settings {
        let mut hubs = String::new();
        for (index, join) in self.joins.iter().enumerate() {
            let _ = writeln!(hubs, "[hub.\"{}\"]\njoin = [{}, \"all\"]", hub(index), join.join(", "));
        }
        let both = format!("hubs = [\"{}\", \"{}\"]", hub(0), hub(1));
        let mut routes = String::new();
        for route in &self.routes {
            routes.push_str(&route.text());
        }
        let fixed = [
            ("barrier", "probe.Barrier", "\"all\"", "cross_org = true"),
            ("roles", "auth.RolesChanged", "\"user:{user}\"", ROLES_EFFECT),
            ("flag", "license.FlagToggled", "\"org:{org}\"", "retain = true"),
            ("flag-removed", "license.FlagRemoved", "\"org:{org}\"", "retain = \"remove\""),
        ];
        for (name, event, group, more) in fixed {
            let head =
                format!("[[route]]\nname = \"{name}\"\nevent = \"{event}\"\n{both}\ngroups = [{group}]\n{more}\n");
            routes.push_str(&format!("{head}{}\n", send(name)));
        }
        let schemas = [("probe/Note.v1.avsc", NOTE), ("probe/Barrier.v1.avsc", BARRIER)];
        let schemas = schemas.map(|(path, text)| (path.to_owned(), text.to_owned())).to_vec();
        Settings { hubs, routes, schemas, ..Settings::default() }
    }
}

const ROLES_EFFECT: &str = "roles = { user = \"{user}\", org = \"{org}\", roles = \"{roles}\" }";

fn send(route: &str) -> String {
    format!(
        "send = {{ target = \"probe\", arguments = [{{ route = \"{route}\", event = \"{{$id}}\", cursor = \"{{$cursor}}\" }}] }}"
    )
}

fn route(random: &mut Random, number: usize, joins: &[Vec<&'static str>; 2]) -> Route {
    let hub = random.below(2);
    let possible: Vec<Audience> =
        AUDIENCES.iter().filter(|(_, _, rule)| joins[hub].contains(rule)).map(|(audience, ..)| *audience).collect();
    let mut audiences = random.some(&possible, 3);
    if audiences.is_empty() {
        audiences.push(*random.pick(&possible));
    }
    let mut when = When::default();
    if random.chance(30) {
        let low = random.below(6) as i64;
        when.level = Some((low, low + random.below(5) as i64));
    }
    if random.chance(25) {
        let kinds = random.words(&KINDS, 2);
        when.kinds = (!kinds.is_empty()).then_some(kinds);
    }
    if random.chance(25) {
        when.user_present = Some(random.chance(50));
    }
    if random.chance(25) {
        when.org_present = Some(random.chance(50));
    }
    Route { name: format!("route-{number}"), hub, audiences, when, cross_org: random.chance(20) }
}

impl Route {
    fn text(&self) -> String {
        let groups: Vec<String> = self.audiences.iter().map(|wanted| format!("\"{}\"", template(*wanted))).collect();
        let mut when = Vec::new();
        if let Some((min, max)) = self.when.level {
            when.push(format!("level = {{ min = {min}, max = {max} }}"));
        }
        if let Some(kinds) = &self.when.kinds {
            when.push(format!("kind = {kinds:?}"));
        }
        for (field, present) in [("user", self.when.user_present), ("org", self.when.org_present)] {
            when.extend(present.map(|present| format!("{field} = {{ present = {present} }}")));
        }
        format!(
            "[[route]]\nname = \"{}\"\nevent = \"probe.Note\"\nhub = \"{}\"\ngroups = [{}]\nwhen = {{ {} }}\ncross_org = {}\n{}\n",
            self.name,
            hub(self.hub),
            groups.join(", "),
            when.join(", "),
            self.cross_org,
            send(&self.name),
        )
        .replace("when = {  }\n", "")
    }
}

fn template(wanted: Audience) -> &'static str {
    AUDIENCES.iter().find(|(audience, ..)| *audience == wanted).expect("each has a row").1
}

impl Person {
    pub(super) fn random(random: &mut Random, number: usize) -> Self {
        let roles = random.words(&ROLES[..5], 3);
        let mut person = Self {
            user: random.word(&USERS),
            org: (!random.chance(5)).then(|| random.word(&ORGS)),
            roles,
            session: random.chance(80).then(|| format!("session-{number}")),
            named_org: None,
            hub: random.below(2),
            as_browser: random.chance(50),
        };
        // Superadmins have names of their own: their role is not withdrawn here.
        if random.chance(15) {
            person.user = format!("root-{number}");
            person.roles.push("superadmin".to_owned());
            let other = random.word(&ORGS);
            person.named_org = (random.chance(60) && person.org.as_ref() != Some(&other)).then_some(other);
        }
        person
    }

    pub(super) fn connect(&self) -> Connect {
        let mut token = Token::user(&self.user, "unused").without("sid").without("org");
        // Older than all events, so that every change of roles applies to it.
        token = token.claim("iat", now() - 600);
        token = token.roles(&self.roles.iter().map(String::as_str).collect::<Vec<_>>());
        for (claim, value) in [("org", &self.org), ("sid", &self.session)] {
            if let Some(value) = value {
                token = token.claim(claim, value.as_str());
            }
        }
        let connect = Connect::new(hub(self.hub), token.sign());
        match (&self.named_org, self.as_browser) {
            (Some(org), true) => connect.as_browser().query("org", org),
            (Some(org), false) => connect.header("x-organization-id", org),
            (None, true) => connect.as_browser(),
            (None, false) => connect,
        }
    }
}

impl Event {
    pub(super) fn random(random: &mut Random, people: &[Person]) -> Self {
        match random.below(100) {
            ..80 => Self::note(random, people),
            80..88 => {
                Self::Roles { org: random.word(&ORGS), user: random.word(&USERS), roles: random.words(&ROLES[..5], 4) }
            }
            88..96 => Self::Flag {
                org: random.word(&ORGS),
                flag: random.word(&["beta", "dark", "acme"]),
                enabled: random.chance(50),
            },
            _ => Self::FlagRemoved { org: random.word(&ORGS), flag: random.word(&["beta", "dark", "acme"]) },
        }
    }

    fn note(random: &mut Random, people: &[Person]) -> Self {
        let sessions: Vec<&str> = people.iter().filter_map(|person| person.session.as_deref()).collect();
        let names: [&[&str]; 5] = [&ORGS, &USERS, &ROLES, &FORGED, &sessions];
        let team = {
            let list = random_list(random, &names);
            random.word(list)
        };
        Self::Note {
            org: random.chance(80).then(|| random.word(&ORGS)),
            user: random.chance(60).then(|| random.word(&USERS)),
            team,
            watchers: random.words(&USERS, 3),
            level: random.below(10) as i64,
            kind: random.word(&KINDS),
        }
    }

    pub(super) fn published(&self, id: &str) -> NewEvent {
        match self {
            Self::Note { org, user, team, watchers, level, kind } => {
                let body = json!({
                    "org": org, "user": user, "team": team, "watchers": watchers, "level": level, "kind": kind,
                });
                NewEvent::new("probe.Note", id, &body)
            }
            Self::Roles { org, user, roles } => {
                NewEvent::new("auth.RolesChanged", id, &json!({ "org": org, "user": user, "roles": roles }))
            }
            Self::Flag { org, flag, enabled } => NewEvent::flag(org, flag, *enabled, id),
            Self::FlagRemoved { org, flag } => {
                NewEvent::new("license.FlagRemoved", id, &json!({ "org": org, "flag": flag }))
            }
            Self::Barrier => NewEvent::new("probe.Barrier", id, &json!({ "number": 0 })),
        }
    }
}

fn random_list<'n>(random: &mut Random, names: &[&'n [&'n str]]) -> &'n [&'n str] {
    let lists: Vec<_> = names.iter().filter(|list| !list.is_empty()).copied().collect();
    lists[random.below(lists.len())]
}
