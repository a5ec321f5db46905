//! What stands between braces in a template: a field, or an attribute that every event has.

use std::borrow::Cow;

use fanfare_event::{Event, Id, Kind, Unit, Value};
use fanfare_signalr::Value as Wire;

use super::field::FieldPath;
use super::rule::notification_id;
use super::wire::{self, Times};

/// Where a value of a template comes from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Field(FieldPath),
    /// `{size:text}`: whatever it is, as text in every protocol.
    AsText(Box<Source>),
    /// `{item:compact}`: without the fields of records that are null.
    Compact(FieldPath),
    /// `{$id}`: the event's id.
    Id,
    /// `{$notification}`: the notification's id.
    Notification,
    /// `{$cursor}`: the notification's cursor.
    Cursor,
    /// `{$time}`: when the event happened.
    Time,
    /// `{$type}`: the event's type.
    Type,
    /// `{$event.name}`: the event's name, without its service.
    Name,
    /// `{$org}`: the org that the event belongs to.
    Org,
    /// `{$subject}`: what the event is about.
    Subject,
    /// `{$source}`: what published the event.
    Producer,
}

/// The names with a `$`, and whether they are known before a notification is sent.
pub(super) const ATTRIBUTES: [(&str, Source, bool); 9] = [
    ("$id", Source::Id, true),
    ("$notification", Source::Notification, false),
    ("$cursor", Source::Cursor, false),
    ("$time", Source::Time, true),
    ("$type", Source::Type, true),
    ("$event.name", Source::Name, true),
    ("$org", Source::Org, true),
    ("$subject", Source::Subject, true),
    ("$source", Source::Producer, true),
];

/// An event, and what is known of its notification.
#[derive(Clone, Copy)]
pub(super) struct Context<'e> {
    pub(super) event: &'e Event,
    /// Empty until a notification is made.
    pub(super) cursor: &'e str,
    /// The route's name.
    pub(super) route: &'e str,
    /// How the route's hub sends dates and times.
    pub(super) times: Times,
}

impl<'e> Context<'e> {
    /// An event without a notification yet.
    pub(super) fn of(event: &'e Event) -> Self {
        Self { event, cursor: "", route: "", times: Times::default() }
    }
}

impl Source {
    /// The kind of value, for checks.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Field(field) | Self::Compact(field) => field.kind().clone(),
            Self::Time => Kind::Timestamp(Unit::Millis),
            _ => Kind::String,
        }
    }

    /// Whether there may be no value.
    pub(super) fn nullable(&self) -> bool {
        match self {
            Self::Field(field) | Self::Compact(field) => field.nullable(),
            Self::AsText(source) => source.nullable(),
            Self::Org | Self::Subject => true,
            _ => false,
        }
    }

    /// The value with its type.
    pub(super) fn wire<'e>(&self, context: Context<'e>) -> Wire<'e> {
        match self {
            Self::Field(field) => wire::value(field.read(&context.event.record), field.kind(), context.times),
            Self::Compact(field) => wire::compact(field.read(&context.event.record), field.kind(), context.times),
            Self::Time => wire::whole(context.event.attributes.time.0, &Kind::Timestamp(Unit::Millis), context.times),
            _ => self.text(context).map_or(Wire::Null, Wire::String),
        }
    }

    /// Adds the value as text; says whether there was one.
    pub(super) fn render(&self, context: Context<'_>, out: &mut String) -> bool {
        match self {
            Self::Field(field) | Self::Compact(field) => {
                wire::render(field.read(&context.event.record), field.kind(), out)
            }
            _ => self.text(context).inspect(|text| out.push_str(text)).is_some(),
        }
    }

    /// The value as text, borrowed if it is one; nothing where it is null.
    pub(super) fn text<'e>(&self, context: Context<'e>) -> Option<Cow<'e, str>> {
        let attributes = &context.event.attributes;
        let text = match self {
            Self::AsText(source) => return source.text(context),
            Self::Field(field) | Self::Compact(field) => {
                let value = field.read(&context.event.record);
                if let Value::String(text) = value {
                    return Some(Cow::Borrowed(text));
                }
                let mut text = String::new();
                return wire::render(value, field.kind(), &mut text).then_some(Cow::Owned(text));
            }
            Self::Time => return Some(Cow::Owned(attributes.time.to_rfc3339())),
            Self::Notification => return Some(Cow::Owned(notification_id(context.route, attributes))),
            Self::Id => Some(&*attributes.id),
            Self::Cursor => Some(context.cursor),
            Self::Type => Some(attributes.event_type.as_str()),
            Self::Name => Some(attributes.event_type.event()),
            Self::Org => attributes.org.as_ref().map(Id::as_str),
            Self::Subject => attributes.subject.as_deref(),
            Self::Producer => Some(&*attributes.source),
        };
        text.map(Cow::Borrowed)
    }

    /// The items, where the value is a list.
    pub(super) fn list<'e>(&self, context: Context<'e>) -> &'e [Value] {
        match self {
            Self::Field(field) => field.read(&context.event.record).as_list().unwrap_or_default(),
            _ => &[],
        }
    }
}
