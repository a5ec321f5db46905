//! The shape of a presence notification: constants, values of the users that it is about, lists and objects.

use std::borrow::Cow;
use std::sync::Arc;

use fanfare_event::{Id, Timestamp};
use fanfare_signalr::Value;
use thiserror::Error;

use super::member::Member;
use super::room::Room;
use crate::document::suggest;
use crate::route::{Times, pieces};
use crate::vocabulary::braces::Piece;

/// A name between braces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A value of the group's name.
    Group(usize),
    /// The org.
    Org,
    /// Now.
    Time,
    /// How many members there are.
    Count,
    /// The user.
    User,
    /// The user's realm.
    Realm,
    /// Since when the user is there.
    Since,
    /// A text that describes the user.
    About(Arc<str>),
    /// All members, or those of a page.
    Members,
    /// The number of the page, from 1 on.
    Page,
    /// How many pages there are.
    Pages,
    /// The users who joined.
    Joined,
    /// The users who left.
    Left,
}

/// A shape uses an unknown name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UnknownName {
    /// Nothing is called so here.
    #[error("`{{{name}}}` is not known here")]
    Unknown {
        /// The name.
        name: String,
        /// The known names.
        help: Option<String>,
    },
    /// A list cannot be part of a text.
    #[error("`{{{0}}}` is a list and cannot be part of a text")]
    List(String),
    /// The braces do not match.
    #[error("{0}")]
    Braces(String),
}

impl UnknownName {
    /// The suggestion.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Unknown { help, .. } => help.clone(),
            Self::List(name) => Some(format!("write \"{{{name}}}\" alone")),
            Self::Braces(_) => None,
        }
    }
}

/// The names that a shape may use.
#[derive(Debug, Clone)]
pub struct Names(pub Vec<(String, Source)>);

impl Names {
    fn source(&self, name: &str) -> Result<Source, UnknownName> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, source)| source.clone()).ok_or_else(|| UnknownName::Unknown {
            name: name.to_owned(),
            help: suggest::help(name, self.0.iter().map(|(known, _)| &**known)),
        })
    }
}

/// A part of a notification.
#[derive(Debug, Clone)]
pub enum Shape {
    /// A constant, as it was written.
    Constant(Value<'static>),
    /// A value with its type.
    Value(Source),
    /// A text with values in it; a missing one adds nothing.
    Text(Box<[Part]>),
    /// A list.
    List(Box<[Shape]>),
    /// An object; keys that may be omitted are marked.
    Object(Box<[(Arc<str>, bool, Shape)]>),
}

/// A part of a text.
#[derive(Debug, Clone)]
pub enum Part {
    /// Text.
    Text(Box<str>),
    /// A value.
    Value(Source),
}

/// The subject of one notification.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) room: &'a Room,
    pub(crate) time: i64,
    pub(crate) count: usize,
    pub(crate) member: Option<&'a Member>,
    pub(crate) members: &'a [Arc<Member>],
    pub(crate) page: (usize, usize),
    pub(crate) joined: &'a [Arc<Member>],
    pub(crate) left: &'a [Arc<Member>],
    /// The shape of a member in a list.
    pub(crate) as_member: &'a Shape,
    pub(crate) times: Times,
}

impl<'a> Scene<'a> {
    fn value(&self, source: &Source) -> Value<'a> {
        let text = |text: Option<&'a str>| text.map_or(Value::Null, |text| Value::String(Cow::Borrowed(text)));
        match source {
            Source::Group(index) => text(self.room.group.values().nth(*index)),
            Source::Org => text(self.room.org.as_ref().map(Id::as_str)),
            Source::Time => moment(self.time, self.times),
            Source::Count => count(self.count),
            Source::User => text(self.member.map(|member| member.user.id.as_str())),
            Source::Realm => text(self.member.and_then(|member| member.user.realm.as_deref())),
            Source::Since => self.member.map_or(Value::Null, |member| moment(member.since, self.times)),
            Source::About(name) => text(self.member.and_then(|member| member.about(name))),
            Source::Members => self.list(self.members),
            Source::Page => count(self.page.0),
            Source::Pages => count(self.page.1),
            Source::Joined => self.list(self.joined),
            Source::Left => self.list(self.left),
        }
    }

    fn list(&self, members: &'a [Arc<Member>]) -> Value<'a> {
        let one = |member: &'a Arc<Member>| self.as_member.evaluate(&Scene { member: Some(member), ..*self });
        Value::Array(members.iter().map(one).collect())
    }
}

fn moment(milliseconds: i64, times: Times) -> Value<'static> {
    match times {
        Times::Timestamps => Value::Timestamp {
            seconds: milliseconds.div_euclid(1000),
            nanoseconds: u32::try_from(milliseconds.rem_euclid(1000)).unwrap_or_default() * 1_000_000,
        },
        Times::Text => Value::String(Cow::Owned(Timestamp(milliseconds).to_rfc3339())),
    }
}

fn count(count: usize) -> Value<'static> {
    Value::Int(i64::try_from(count).unwrap_or(i64::MAX))
}

impl Shape {
    /// Reads a text: one value alone keeps its type.
    ///
    /// # Errors
    /// [`UnknownName`] if it uses an unknown name.
    pub fn text(text: &str, names: &Names) -> Result<Self, UnknownName> {
        let pieces = pieces(text).map_err(UnknownName::Braces)?;
        if let [Piece::Name(name)] = &*pieces {
            return names.source(name).map(Self::Value);
        }
        let mut parts = Vec::with_capacity(pieces.len());
        for piece in pieces {
            parts.push(match piece {
                Piece::Text(text) => Part::Text(text.into()),
                Piece::Name(name) => match names.source(name)? {
                    Source::Members | Source::Joined | Source::Left => return Err(UnknownName::List(name.to_owned())),
                    source => Part::Value(source),
                },
            });
        }
        Ok(match &mut *parts {
            [] => Self::Constant(Value::String(Cow::Borrowed(""))),
            [Part::Text(text)] => Self::Constant(Value::String(Cow::Owned(std::mem::take(text).into()))),
            _ => Self::Text(parts.into()),
        })
    }

    /// The value for one notification.
    pub(crate) fn evaluate<'a>(&'a self, scene: &Scene<'a>) -> Value<'a> {
        match self {
            Self::Constant(value) => value.clone(),
            Self::Value(source) => scene.value(source),
            Self::Text(parts) => Value::String(Cow::Owned(render(parts, scene))),
            Self::List(items) => Value::Array(items.iter().map(|item| item.evaluate(scene)).collect()),
            Self::Object(entries) => {
                let entries = entries.iter().filter_map(|(key, is_optional, shape)| {
                    let value = shape.evaluate(scene);
                    (!(*is_optional && value.is_null())).then_some((Cow::Borrowed(&**key), value))
                });
                Value::Map(entries.collect())
            }
        }
    }
}

fn render(parts: &[Part], scene: &Scene<'_>) -> String {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Value(Source::Time) => out.push_str(&Timestamp(scene.time).to_rfc3339()),
            Part::Value(Source::Since) => {
                out.extend(scene.member.map(|member| Timestamp(member.since).to_rfc3339()));
            }
            Part::Value(source) => match scene.value(source) {
                Value::String(text) => out.push_str(&text),
                Value::Int(number) => out.push_str(&number.to_string()),
                _ => {}
            },
        }
    }
    out
}
