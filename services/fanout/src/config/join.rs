//! The groups that a connection joins when it connects: a hub's join rules, applied to verified claims.

use fanfare_event::Id;
use fanfare_token::{ClaimKind, Claims, OtherClaims};
use smallvec::SmallVec;

use crate::document::Spot;
use crate::document::section::{Node, Section, text};
use crate::document::suggest;
use crate::vocabulary::name::{GroupName, GroupTemplate};
use crate::vocabulary::owner::Owner;

/// The most groups of one rule.
const MAX_GROUPS: usize = 256;

/// A value of the claims that a join rule may name.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Hole {
    User,
    Session,
    Org,
    Role,
    Realm,
    /// `{claim.teams}`: a claim without a meaning of its own.
    Other(Box<str>),
}

/// The names of the holes, as a template writes them.
const HOLES: [(&str, Hole); 5] = [
    ("user", Hole::User),
    ("session", Hole::Session),
    ("org", Hole::Org),
    ("role", Hole::Role),
    ("realm", Hole::Realm),
];

/// One rule: connections that have the values of the template, and one of the roles if any are listed, join the group.
#[derive(Debug, Clone)]
pub struct JoinRule {
    template: GroupTemplate,
    holes: SmallVec<[Hole; 2]>,
    roles: Option<Vec<String>>,
}

/// Whom the rules are applied to: the claims of a token, or what newer events made of them.
#[derive(Debug, Clone, Copy)]
pub struct Joiner<'a> {
    /// The user.
    pub user: &'a Id,
    /// The session, if the token names one.
    pub session: Option<&'a Id>,
    /// The user's own org.
    pub org: Option<&'a Id>,
    /// The org that a superadmin named at connect.
    pub named_org: Option<&'a Id>,
    /// The realm of the token's issuer.
    pub realm: Option<&'a str>,
    /// The roles in force.
    pub roles: &'a [String],
    /// The claims without a meaning of their own; none if they are not known.
    pub other: Option<&'a OtherClaims>,
}

impl<'a> Joiner<'a> {
    /// The bearer of a token, with the roles that it claims.
    pub fn of(claims: &'a Claims) -> Self {
        Self {
            user: &claims.user,
            session: claims.session.as_ref(),
            org: claims.org.as_ref(),
            named_org: None,
            realm: claims.realm.as_deref(),
            roles: &claims.roles,
            other: Some(&claims.other),
        }
    }

    /// The values of a hole; none if its claim is missing.
    fn values(&self, hole: &Hole, org: Option<&'a Id>) -> SmallVec<[&'a str; 1]> {
        let one = match hole {
            Hole::User => Some(self.user.as_str()),
            Hole::Session => self.session.map(Id::as_str),
            Hole::Org => org.map(Id::as_str),
            Hole::Realm => self.realm,
            Hole::Role => return self.roles.iter().map(String::as_str).collect(),
            Hole::Other(name) => {
                let values = self.other.map(|other| other.values(name)).unwrap_or_default();
                return values.iter().map(String::as_str).collect();
            }
        };
        one.into_iter().collect()
    }
}

impl JoinRule {
    /// A rule from its template and the roles that it asks for.
    pub fn new(template: GroupTemplate, roles: Option<Vec<String>>) -> Result<Self, UnknownHole> {
        let mut holes = SmallVec::new();
        for name in template.holes() {
            let known = HOLES.iter().find(|(known, _)| *known == name).map(|(_, hole)| hole.clone());
            let other = || name.strip_prefix("claim.").map(|name| Hole::Other(name.into()));
            holes.push(known.or_else(other).ok_or_else(|| UnknownHole(name.to_owned()))?);
        }
        Ok(Self { template, holes, roles })
    }

    /// The template of the groups that this rule joins.
    pub fn template(&self) -> &GroupTemplate {
        &self.template
    }

    /// Whether the rule needs what this claim says.
    pub fn needs(&self, claim: ClaimKind) -> bool {
        match claim {
            ClaimKind::Org => self.holes.contains(&Hole::Org),
            ClaimKind::Session => self.holes.contains(&Hole::Session),
            ClaimKind::Roles => self.holes.contains(&Hole::Role) || self.roles.is_some(),
        }
    }

    /// Adds the groups of this rule that are not in the list yet.
    pub fn groups(&self, joiner: &Joiner<'_>, into: &mut Vec<GroupName>) {
        let held = |role: &String| joiner.roles.contains(role);
        if self.roles.as_ref().is_some_and(|asked| !asked.iter().any(held)) {
            return;
        }
        self.join(joiner, joiner.org, into);
        // Someone who names another org hears what all of that org hears, and has no role in it.
        if !self.holes.is_empty() && self.holes.iter().all(|hole| *hole == Hole::Org) {
            self.join(joiner, joiner.named_org, into);
        }
    }

    /// Joins the groups for all values of the holes; a connection that lacks a value joins none.
    fn join(&self, joiner: &Joiner<'_>, org: Option<&Id>, into: &mut Vec<GroupName>) {
        let values: SmallVec<[_; 2]> = self.holes.iter().map(|hole| joiner.values(hole, org)).collect();
        let owner = Owner { realm: joiner.realm, user: Some(joiner.user.as_str()) };
        let all = values.iter().fold(1_usize, |all, of| all.saturating_mul(of.len()));
        for number in 0..all.min(MAX_GROUPS) {
            let mut rest = number;
            let pick = |of: &SmallVec<[_; 1]>| {
                let value: &str = of[rest % of.len()];
                rest /= of.len();
                value
            };
            let picked: SmallVec<[&str; 2]> = values.iter().map(pick).collect();
            match self.template.name_for(&picked, owner) {
                Ok(name) if into.contains(&name) => {}
                Ok(name) => into.push(name),
                // Ids and roles are always valid values; a claim without a meaning of its own may hold anything.
                Err(error) => tracing::info!(group = %self.template, %error, "a claim's value names no group"),
            }
        }
        if all > MAX_GROUPS {
            tracing::warn!(group = %self.template, all, joined = MAX_GROUPS, "a rule gives more groups than are joined");
        }
    }

    /// The claims without a meaning of their own that it names.
    pub fn claims(&self) -> impl Iterator<Item = &str> {
        self.holes.iter().filter_map(|hole| match hole {
            Hole::Other(name) => Some(&**name),
            _ => None,
        })
    }
}

/// A join rule names something that claims do not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a join rule knows no `{{{0}}}`")]
pub struct UnknownHole(String);

impl UnknownHole {
    /// What was probably meant.
    pub fn help(&self) -> Option<String> {
        suggest::help(&self.0, HOLES.iter().map(|(name, _)| *name).chain(["claim.NAME"]))
    }
}

/// Reads `{ group = "list:{id}", granted = true }`: a group that a connection is in once an event has granted it to its
/// user. None if the rule is one by claims; none within if it is faulty.
pub(super) fn granted(section: &Section<'_>, node: Node<'_>) -> Option<Option<(GroupTemplate, Spot)>> {
    let rule = section.nested(node, "a join rule")?;
    rule.value("granted")?;
    let rule = rule.allow(&["group", "granted"]);
    if rule.boolean("granted") == Some(false) {
        let help = "leave it out for a group that claims give".to_owned();
        rule.fault("granted", "`granted` can only be true", Some(help));
    }
    let group = rule.required("group");
    Some(group.and_then(|group| match GroupTemplate::parse(group.value) {
        Ok(template) => Some((template, section.document().spot(group.at))),
        Err(error) => {
            section.document().fault(group.at, error.to_string(), None);
            None
        }
    }))
}

/// Reads `"org:{org}"` or `{ group = "admin", roles = ["admin"] }`.
pub(super) fn read(section: &Section<'_>, node: Node<'_>) -> Option<JoinRule> {
    let at = node.span().start;
    let document = section.document();
    let (group, roles) = match (text(node), section.nested(node, "a join rule")) {
        (Some(text), _) => (text, None),
        (None, Some(rule)) => {
            let rule = rule.allow(&["group", "roles", "granted"]);
            let roles =
                rule.strings("roles").map(|roles| roles.iter().map(|role| role.value.to_owned()).collect::<Vec<_>>());
            if roles.as_ref().is_some_and(Vec::is_empty) {
                rule.fault("roles", "no roles: nobody would join", None);
            }
            (rule.required("group")?, roles)
        }
        (None, None) => {
            let help = "for instance \"org:{org}\" or { group = \"admin\", roles = [\"admin\"] }";
            document.fault(at, "a join rule is a group template", Some(help.to_owned()));
            return None;
        }
    };
    let template = match GroupTemplate::parse(group.value) {
        Ok(template) => template,
        Err(error) => {
            document.fault(group.at, error.to_string(), None);
            return None;
        }
    };
    match JoinRule::new(template, roles) {
        Ok(rule) => Some(rule),
        Err(error) => {
            document.fault(group.at, error.to_string(), error.help());
            None
        }
    }
}
