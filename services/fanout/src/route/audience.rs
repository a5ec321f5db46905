//! The audience of an event: groups that the hub declares, filled with values of the event.

use std::borrow::Cow;

use fanfare_event::Kind;
use smallvec::SmallVec;

use super::HubDeclaration;
use super::field::{FieldPath, article};
use super::realm::RealmNames;
use super::scope::{Phase, Scope};
use super::source::{Context, Source};
use super::text::pieces;
use crate::document::{Located, suggest};
use crate::vocabulary::braces::{self, Piece};
use crate::vocabulary::name::{GroupName, GroupTemplate, ValueError};
use crate::vocabulary::owner::Owner;
use crate::vocabulary::personal::is_personal;

/// The most groups that a list in one event may name.
const MAX_SPREAD: usize = 256;

/// Holes of these names take ids and roles, which are text.
const TEXT_HOLES: [&str; 5] = ["user", "org", "session", "role", "realm"];

/// One group template of a route.
#[derive(Debug, Clone)]
pub(super) struct Audience {
    /// As the route writes it.
    written: Box<str>,
    template: GroupTemplate,
    values: SmallVec<[GroupValue; 2]>,
    /// The value that is a list: each of its items gives a group.
    spread: Option<usize>,
    /// The group itself where the event has no say in it.
    fixed: Option<GroupName>,
    /// The field of the user whose session it names, where that is not a value of its own.
    user: Option<FieldPath>,
}

#[derive(Debug, Clone)]
enum GroupValue {
    Literal(Box<str>),
    Value(Source),
}

/// Why an event names no proper group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadGroup {
    #[error("the value {0}")]
    Value(#[from] ValueError),
    #[error("the list has more than {MAX_SPREAD} items")]
    TooMany,
    #[error("the event names a realm that no issuer of users has")]
    Realm,
}

impl Audience {
    /// Adds the event's groups that are not in the list yet; a value that is null gives none.
    ///
    /// Users among its values are of this realm.
    pub(super) fn names(
        &self,
        context: Context<'_>,
        realm: Option<&str>,
        into: &mut SmallVec<[GroupName; 2]>,
    ) -> Result<(), BadGroup> {
        if let Some(fixed) = &self.fixed {
            add(fixed.clone(), into);
            return Ok(());
        }
        let mut values: SmallVec<[Cow<'_, str>; 2]> = SmallVec::new();
        for (at, value) in self.values.iter().enumerate() {
            match value {
                GroupValue::Literal(text) => values.push(Cow::Borrowed(text)),
                GroupValue::Value(_) if self.spread == Some(at) => values.push(Cow::Borrowed("")),
                GroupValue::Value(source) => match source.text(context) {
                    Some(text) => values.push(text),
                    None => return Ok(()),
                },
            }
        }
        let user = self.user.as_ref().map(|field| field.read(&context.event.record).as_str());
        // A session of nobody is none.
        if user == Some(None) {
            return Ok(());
        }
        let owner = Owner { realm, user: user.flatten() };
        let Some((at, GroupValue::Value(source))) = self.spread.and_then(|at| Some((at, self.values.get(at)?))) else {
            add(self.template.name_for(&values, owner)?, into);
            return Ok(());
        };
        let items = source.list(context);
        for item in items.iter().take(MAX_SPREAD).filter_map(fanfare_event::Value::as_str) {
            values[at] = Cow::Borrowed(item);
            add(self.template.name_for(&values, owner)?, into);
        }
        if items.len() > MAX_SPREAD { Err(BadGroup::TooMany) } else { Ok(()) }
    }

    /// The group as the route writes it.
    pub(super) fn written(&self) -> &str {
        &self.written
    }

    /// The same for users of each of these realms.
    pub(super) fn names_in(
        &self,
        realms: &RealmNames,
        context: Context<'_>,
        into: &mut SmallVec<[GroupName; 2]>,
    ) -> Result<(), BadGroup> {
        realms.iter().try_for_each(|realm| self.names(context, realm.as_deref(), into))
    }

    /// Whether its groups differ between realms.
    pub(super) fn needs_realm(&self) -> bool {
        self.template.owned().needs_realm()
    }

    /// The hub's template.
    pub(super) fn template(&self) -> &GroupTemplate {
        &self.template
    }

    /// Whether one event may have several of its groups.
    pub(super) fn spreads(&self) -> bool {
        self.spread.is_some()
    }

    /// The fields of the event that it is made of.
    pub(super) fn fields(&self) -> impl Iterator<Item = &FieldPath> {
        self.values.iter().filter_map(|value| match value {
            GroupValue::Value(Source::Field(field)) => Some(field),
            _ => None,
        })
    }

    /// Finds the hub's template that a route's template means, and the values for its holes.
    ///
    /// `user` is the field of the user whom the route is about, if it is about one.
    pub(super) fn compile(
        scope: &Scope<'_>,
        hub: &HubDeclaration,
        text: Located<&str>,
        user: Option<&FieldPath>,
    ) -> Option<Self> {
        let document = scope.document;
        let pieces = match pieces(text.value) {
            Ok(pieces) => pieces,
            Err(message) => {
                document.fault(text.at, message, None);
                return None;
            }
        };
        let matching = || hub.groups.iter().filter_map(|declared| Some((declared, captures(declared, &pieces)?)));
        // The one with the most literal text: `admin` itself rather than a hole that `admin` would fill, and the role
        // of an org rather than an org with a slash in its name.
        let captured = |found: &[Captured]| found.iter().map(Captured::length).sum::<usize>();
        let best = matching().min_by_key(|(_, found)| captured(found));
        let Some((template, found)) = best else {
            let known = hub.groups.iter().map(GroupTemplate::as_str);
            document.fault(
                text.at,
                format!("the hub {} has no group `{}`", hub.path, text.value),
                suggest::help(text.value, known),
            );
            return None;
        };
        let user = match template.owned().needs_user() {
            true => Some(user.cloned().or_else(|| user_field(scope)).or_else(|| no_user(scope, text))?),
            false => None,
        };
        let written = text.value.into();
        let mut audience =
            Self { written, template: template.clone(), values: SmallVec::new(), spread: None, fixed: None, user };
        let mut sound = true;
        for (hole, captured) in template.holes().zip(found) {
            match captured {
                Captured::Literal(literal) => audience.values.push(GroupValue::Literal(literal.into())),
                Captured::Name(name) => {
                    let name = Located { value: &*name, at: text.at };
                    match scope
                        .source(name, Phase::Routing)
                        .filter(|source| audience.accepts(scope, hole, name, source))
                    {
                        Some(source) => audience.values.push(GroupValue::Value(source)),
                        None => sound = false,
                    }
                }
            }
        }
        audience.fix(scope, text).filter(|_| sound)
    }

    /// Checks that a field can fill a hole, and notes whether it is a list.
    fn accepts(&mut self, scope: &Scope<'_>, hole: &str, name: Located<&str>, source: &Source) -> bool {
        if is_personal(name.value.rsplit('.').next().unwrap_or_default()) {
            let message = format!("`{{{}}}` is personal data, and group names appear in logs", name.value);
            scope.document.fault(name.at, message, Some("use an id".to_owned()));
            return false;
        }
        let kind = source.kind();
        let item = match &kind {
            Kind::Array(item) if self.spread.is_none() => {
                self.spread = Some(self.values.len());
                &**item
            }
            kind => kind,
        };
        let fits = match item {
            Kind::String | Kind::Enum(_) | Kind::Uuid => true,
            Kind::Int | Kind::Long | Kind::Boolean | Kind::Date => self.spread.is_none() && !TEXT_HOLES.contains(&hole),
            _ => false,
        };
        if !fits {
            let message = format!("`{{{}}}` is {} and cannot be the {hole} of a group", name.value, article(&kind));
            scope.document.fault(name.at, message, None);
        }
        fits
    }

    fn fix(mut self, scope: &Scope<'_>, text: Located<&str>) -> Option<Self> {
        let literals = self.values.iter().map(|value| match value {
            GroupValue::Literal(text) => Some(&**text),
            GroupValue::Value(_) => None,
        });
        if let Some(literals) = literals.collect::<Option<SmallVec<[&str; 2]>>>() {
            match self.template.name(&literals) {
                // Whose it is, only the event can say.
                Ok(_) if self.needs_realm() => {}
                Ok(name) => self.fixed = Some(name),
                Err(error) => {
                    scope.document.fault(text.at, format!("a value of the group {error}"), None);
                    return None;
                }
            }
        }
        Some(self)
    }
}

/// The event's own field of its user.
fn user_field(scope: &Scope<'_>) -> Option<FieldPath> {
    let found = ["user", "user_id"].into_iter().find_map(|name| FieldPath::find(scope.schema, name).ok())?;
    (*found.kind() == Kind::String).then_some(found)
}

fn no_user(scope: &Scope<'_>, text: Located<&str>) -> Option<FieldPath> {
    let message = format!("`{}` is a session, and {} does not say whose", text.value, scope.schema.event_type);
    let help = "two users may have the same session: the event needs a field `user`";
    scope.document.fault(text.at, message, Some(help.to_owned()));
    None
}

fn add(name: GroupName, into: &mut SmallVec<[GroupName; 2]>) {
    if !into.contains(&name) {
        into.push(name);
    }
}

/// What fills a hole of a declared template.
#[derive(Debug, PartialEq, Eq)]
enum Captured {
    Literal(String),
    Name(String),
}

impl Captured {
    /// How much of the route's text it takes.
    fn length(&self) -> usize {
        match self {
            Self::Literal(text) => text.chars().count(),
            Self::Name(_) => 0,
        }
    }
}

/// What the route's template puts into the declared one's holes, if it is of its form.
///
/// A hole takes one name or text, never both: that would make `{org}/role:admin` an org.
fn captures(declared: &GroupTemplate, route: &[Piece<'_>]) -> Option<Vec<Captured>> {
    // A declared template is one that splits.
    let declared = braces::pieces(declared.as_str()).collect::<Result<Vec<_>, _>>().ok()?;
    let mut tokens = Vec::new();
    for piece in route {
        match piece {
            Piece::Text(text) => tokens.extend(text.chars().map(Token::Char)),
            Piece::Name(name) => tokens.push(Token::Name(name)),
        }
    }
    let mut found = Vec::new();
    fits(&declared, &tokens, &mut found).then_some(found)
}

#[derive(Clone, Copy)]
enum Token<'t> {
    Char(char),
    Name(&'t str),
}

fn fits(declared: &[Piece<'_>], tokens: &[Token<'_>], found: &mut Vec<Captured>) -> bool {
    let Some((piece, declared)) = declared.split_first() else {
        return tokens.is_empty();
    };
    match piece {
        Piece::Text(text) => {
            let length = text.chars().count();
            let same = |(token, c): (&Token<'_>, char)| matches!(token, Token::Char(other) if *other == c);
            tokens.len() >= length
                && tokens.iter().zip(text.chars()).all(same)
                && fits(declared, &tokens[length..], found)
        }
        Piece::Name(_) => {
            if let Some((Token::Name(name), rest)) = tokens.split_first() {
                found.push(Captured::Name((*name).to_owned()));
                if fits(declared, rest, found) {
                    return true;
                }
                found.pop();
                return false;
            }
            let plain = |token: &Token<'_>| match token {
                Token::Char(c) => Some(*c),
                Token::Name(_) => None,
            };
            let literal: Vec<char> = tokens.iter().map_while(plain).collect();
            (1..=literal.len()).rev().any(|length| {
                found.push(Captured::Literal(literal[..length].iter().collect()));
                let fit = fits(declared, &tokens[length..], found);
                if !fit {
                    found.pop();
                }
                fit
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captured(declared: &str, route: &str) -> Option<Vec<String>> {
        let found = captures(&GroupTemplate::parse(declared).unwrap(), &pieces(route).unwrap())?;
        let text = |captured| match captured {
            Captured::Literal(text) => text,
            Captured::Name(name) => format!("{{{name}}}"),
        };
        Some(found.into_iter().map(text).collect())
    }

    #[test]
    fn a_hole_takes_a_name_or_plain_text() {
        for (declared, route, expected) in [
            ("org:{org}", "org:{$org}", Some(vec!["{$org}"])),
            ("org:{org}/role:{role}", "org:{org}/role:admin", Some(vec!["{org}", "admin"])),
            ("org:{org}/role:{role}", "org:{org}/role:tickets/approve", Some(vec!["{org}", "tickets/approve"])),
            ("org:{org}/role:{role}", "org:{org}/role:Super Admin", Some(vec!["{org}", "Super Admin"])),
            ("user:{realm}/{user}", "user:entra/{user}", Some(vec!["entra", "{user}"])),
            ("user:{user}", "user:auth0|64f0c2", Some(vec!["auth0|64f0c2"])),
            ("admin", "admin", Some(vec![])),
            ("list:{claim.list-ids}", "list:{list}", Some(vec!["{list}"])),
            ("a-{x}-b", "a-1-b-b", Some(vec!["1-b"])),
            ("org:{org}", "org:{org}/role:admin", None),
            ("org:{org}", "org:{a}{b}", None),
            ("org:{org}", "org:x{a}", None),
            ("org:{org}", "org:", None),
            ("org:{org}", "user:{org}", None),
            ("admin", "{role}", None),
        ] {
            let expected = expected.map(|values| values.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(captured(declared, route), expected, "{declared} {route}");
        }
    }
}
