//! The arguments of a notification: values, texts, lists and objects in the shape that the route file gives them.

use std::borrow::Cow;
use std::sync::Arc;

use fanfare_signalr::Value as Wire;

use super::link;
use super::source::{Context, Source};
use super::text::Text;

/// A compiled argument, or a part of one.
#[derive(Debug, Clone)]
pub(super) enum Expression {
    Constant(Wire<'static>),
    /// A value with its type.
    Value(Source),
    /// A text with values in it.
    Text(Text),
    /// A link that a page may follow; null where it is not.
    Link(Text),
    List(Box<[Expression]>),
    Object(Box<[Entry]>),
}

/// A key of an object.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: Arc<str>,
    pub(super) presence: Presence,
    pub(super) value: Expression,
}

/// When a key is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Always,
    /// Unless its value is null.
    UnlessNull,
    /// Unless the event does not contain its value; null counts as a value.
    UnlessUnsaid,
}

impl Entry {
    pub(super) fn new(key: &str, value: Expression) -> Self {
        Self { key: key.into(), presence: Presence::Always, value }
    }

    pub(super) fn optional(key: &str, value: Expression) -> Self {
        Self { key: key.into(), presence: Presence::UnlessNull, value }
    }

    pub(super) fn unless_unsaid(key: &str, value: Expression) -> Self {
        Self { key: key.into(), presence: Presence::UnlessUnsaid, value }
    }

    fn is_said(&self, context: Context<'_>) -> bool {
        match (&self.value, self.presence) {
            (Expression::Value(Source::Field(field)), Presence::UnlessUnsaid) => field.is_said(&context.event.record),
            _ => true,
        }
    }
}

impl Expression {
    /// The value for one event, borrowed from event and route where that is possible.
    pub(super) fn evaluate<'e>(&'e self, context: Context<'e>) -> Wire<'e> {
        match self {
            Self::Constant(value) => value.clone(),
            Self::Value(source) => source.wire(context),
            Self::Text(text) => Wire::String(match text.literal() {
                Some(literal) => Cow::Borrowed(literal),
                None => Cow::Owned(text.render(context)),
            }),
            Self::Link(text) => match link::render(text, context) {
                Some(link) => Wire::String(Cow::Owned(link)),
                None => Wire::Null,
            },
            Self::List(items) => Wire::Array(items.iter().map(|item| item.evaluate(context)).collect()),
            Self::Object(entries) => {
                let mut object = Vec::with_capacity(entries.len());
                for entry in entries.iter().filter(|entry| entry.is_said(context)) {
                    let value = entry.value.evaluate(context);
                    if !(entry.presence == Presence::UnlessNull && value.is_null()) {
                        object.push((Cow::Borrowed(&*entry.key), value));
                    }
                }
                Wire::Map(object)
            }
        }
    }
}
