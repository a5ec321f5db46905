//! `publish`: the event that a call publishes, made from its arguments.

use std::borrow::Cow;

use fanfare_event::{Input, Kind, Registry, Schema};
use serde_json::Value as Json;

use super::template::{Claim, Source};
use super::{Names, Parameter, ParameterKind, Refusal, Scope, Template, UnknownName};
use crate::document::{Fault, Spot, suggest};

/// The event that a call publishes.
#[derive(Debug, Clone)]
pub struct PublishRule {
    /// Its type.
    pub event: Box<str>,
    /// Where the type is named, for faults.
    pub spot: Spot,
    /// Its fields.
    pub fields: Box<[Field]>,
}

/// One field of the event.
#[derive(Debug, Clone)]
pub struct Field {
    /// Its name, or an alias of it.
    pub name: Box<str>,
    /// Where it is named, for faults.
    pub spot: Spot,
    /// Its value.
    pub shape: Shape,
}

/// A value of an event, or a part of one.
#[derive(Debug, Clone)]
pub enum Shape {
    /// The value as it is written.
    Constant(Json),
    /// An argument or a claim that stands alone, with its type.
    Value(Alone),
    /// A text with values in it.
    Text(Template),
    /// Values in order.
    List(Box<[Shape]>),
    /// Named values.
    Object(Box<[(Box<str>, Shape)]>),
}

/// One argument or claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alone(Source);

/// An event that a call asks to publish.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    /// Its type.
    pub event: Box<str>,
    /// Its body, to be checked against the schema.
    pub body: Input<'static>,
    /// Whether the call names an org, so that an event without one would be a mistake.
    pub names_org: bool,
}

/// The field for the org of an event.
const ORG: [&str; 2] = ["org", "org_id"];

/// The field for the user of an event.
const USER: [&str; 2] = ["user", "user_id"];

impl Shape {
    /// Reads a template: one value alone keeps its type, anything else is text.
    ///
    /// # Errors
    /// [`UnknownName`] if it names something that the method does not have.
    pub fn template(text: &str, names: Names<'_>) -> Result<Self, UnknownName> {
        let alone = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        match alone.filter(|name| !name.contains(['{', '}'])) {
            Some(name) => Ok(Self::Value(Alone(names.source(name)?))),
            None => {
                let text = Template::parse(text, names)?;
                Ok(text
                    .literal()
                    .map_or_else(|| Self::Text(text.clone()), |literal| Self::Constant(Json::from(literal))))
            }
        }
    }

    /// The same for a JSON value: texts are templates.
    ///
    /// # Errors
    /// [`UnknownName`] if it names something that the method does not have.
    pub fn of_json(value: &Json, names: Names<'_>) -> Result<Self, UnknownName> {
        Ok(match value {
            Json::String(text) => Self::template(text, names)?,
            Json::Array(items) => {
                Self::List(items.iter().map(|item| Self::of_json(item, names)).collect::<Result<_, _>>()?)
            }
            Json::Object(entries) => {
                let entries =
                    entries.iter().map(|(key, value)| Ok((key.as_str().into(), Self::of_json(value, names)?)));
                Self::Object(entries.collect::<Result<_, _>>()?)
            }
            constant => Self::Constant(constant.clone()),
        })
    }

    /// The names that it uses.
    pub(super) fn sources(&self) -> Vec<&Source> {
        match self {
            Self::Constant(_) => Vec::new(),
            Self::Value(Alone(source)) => vec![source],
            Self::Text(text) => text.sources().collect(),
            Self::List(items) => items.iter().flat_map(Self::sources).collect(),
            Self::Object(entries) => entries.iter().flat_map(|(_, value)| value.sources()).collect(),
        }
    }

    pub(super) fn evaluate(&self, scope: Scope<'_>) -> Result<Input<'static>, Refusal> {
        Ok(match self {
            Self::Constant(value) => Input::from(value.clone()),
            Self::Value(Alone(source)) => match source {
                Source::Argument(index) if !scope.has_picked(source) => scope.given.input(*index),
                source => text(scope.required(source)?),
            },
            Self::Text(template) => text(template.text(scope)?),
            Self::List(items) => {
                let mut values = Vec::with_capacity(items.len());
                for item in items {
                    match item {
                        // All values of a claim, whether one or several.
                        Self::Value(Alone(source @ (Source::Other(_) | Source::Answer(_))))
                            if !scope.has_picked(source) =>
                        {
                            values.extend(scope.all(source).into_iter().map(text));
                        }
                        other => values.push(other.evaluate(scope)?),
                    }
                }
                Input::List(values)
            }
            Self::Object(entries) => object(entries.iter().map(|(key, value)| (key, value)), scope)?,
        })
    }

    /// Whether values of this shape can fit a field, as far as that can be seen before a call.
    fn may_fit(&self, kind: &Kind, nullable: bool, parameters: &[Parameter]) -> bool {
        let kind = match kind {
            Kind::Nullable(kind) => &**kind,
            kind => kind,
        };
        if let Kind::Union(kinds) = kind {
            return kinds.iter().any(|kind| self.may_fit(kind, nullable, parameters))
                || matches!(self, Self::Constant(Json::Null)) && nullable;
        }
        let time = matches!(kind, Kind::Timestamp(_) | Kind::LocalTimestamp(_) | Kind::Date | Kind::TimeOfDay(_));
        let decimal = matches!(kind, Kind::Decimal { .. });
        let float = matches!(kind, Kind::Float | Kind::Double);
        let whole = matches!(kind, Kind::Int | Kind::Long);
        let raw = matches!(kind, Kind::Bytes | Kind::Fixed(_));
        let text = time || matches!(kind, Kind::String | Kind::Enum(_) | Kind::Uuid | Kind::Duration);
        if *kind == Kind::Json {
            return true;
        }
        match self {
            Self::Constant(Json::Null) => nullable,
            Self::Constant(Json::Bool(_)) => *kind == Kind::Boolean,
            Self::Constant(Json::Number(value)) => float || decimal || ((whole || time) && value.is_i64()),
            Self::Constant(Json::String(value)) => match kind {
                Kind::Enum(symbols) => symbols.iter().any(|symbol| **symbol == **value),
                _ => text || raw || decimal,
            },
            Self::Constant(_) => true,
            Self::Value(Alone(Source::Argument(index))) => {
                parameters.get(*index).is_none_or(|known| known.kind.may_fit(kind))
            }
            // Their numbers are decimal text.
            Self::Value(Alone(Source::Other(_) | Source::Answer(_))) => text || decimal || whole || float,
            Self::Value(Alone(_)) | Self::Text(_) => text || decimal,
            Self::List(items) => match kind {
                Kind::Array(item) => {
                    items.iter().all(|value| value.may_fit(item, matches!(**item, Kind::Nullable(_)), parameters))
                }
                _ => false,
            },
            Self::Object(_) => matches!(kind, Kind::Map(_) | Kind::Record(_)),
        }
    }

    fn article(&self, parameters: &[Parameter]) -> &'static str {
        match self {
            Self::Constant(Json::Null) => "null",
            Self::Constant(Json::Bool(_)) => "a boolean",
            Self::Constant(Json::Number(_)) => "a number",
            Self::Constant(Json::String(_)) => "a string",
            Self::Value(Alone(Source::Argument(index))) => {
                parameters.get(*index).map_or("any value", |known| known.kind.article())
            }
            Self::Constant(_) | Self::Value(_) | Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }
}

impl ParameterKind {
    /// Whether its values can fit a field, as far as that can be seen before a call.
    fn may_fit(&self, kind: &Kind) -> bool {
        let kind = match kind {
            Kind::Nullable(kind) => &**kind,
            kind => kind,
        };
        if let Kind::Union(kinds) = kind {
            return kinds.iter().any(|kind| self.may_fit(kind));
        }
        let time = matches!(kind, Kind::Timestamp(_) | Kind::LocalTimestamp(_) | Kind::Date | Kind::TimeOfDay(_));
        let decimal = matches!(kind, Kind::Decimal { .. });
        let float = matches!(kind, Kind::Float | Kind::Double);
        let raw = matches!(kind, Kind::Bytes | Kind::Fixed(_));
        let text = time || matches!(kind, Kind::String | Kind::Enum(_) | Kind::Uuid | Kind::Duration);
        match self {
            _ if *kind == Kind::Json => true,
            // A client may write a number as text, too.
            Self::String(_) => text || raw || decimal,
            Self::Uuid => matches!(kind, Kind::String | Kind::Uuid),
            Self::Integer => matches!(kind, Kind::Int | Kind::Long) || time || float || decimal,
            Self::Number => float || decimal,
            Self::Boolean => *kind == Kind::Boolean,
            Self::Time => matches!(kind, Kind::String | Kind::Timestamp(_) | Kind::LocalTimestamp(_) | Kind::Date),
            Self::Bytes => raw || matches!(kind, Kind::String | Kind::Uuid),
            Self::Object => matches!(kind, Kind::Map(_) | Kind::Record(_)),
            Self::List(list) => matches!(kind, Kind::Array(item) if list.item.may_fit(item)),
            Self::Any => true,
        }
    }
}

fn object<'s>(
    entries: impl Iterator<Item = (&'s Box<str>, &'s Shape)>,
    scope: Scope<'_>,
) -> Result<Input<'static>, Refusal> {
    let entries = entries.map(|(key, value)| Ok((Cow::Owned(key.to_string()), value.evaluate(scope)?)));
    entries.collect::<Result<_, _>>().map(Input::Object)
}

fn text(text: impl Into<String>) -> Input<'static> {
    Input::Text(Cow::Owned(text.into()))
}

impl PublishRule {
    /// The event of one call.
    ///
    /// # Errors
    /// [`Refusal`] if the caller lacks a claim that it names.
    pub fn draft(&self, scope: Scope<'_>) -> Result<Draft, Refusal> {
        let fields = self.fields.iter().map(|field| (&field.name, &field.shape));
        let body = object(fields, scope)?;
        let names_org = self.fields.iter().any(|field| ORG.contains(&&*field.name));
        Ok(Draft { event: self.event.clone(), body, names_org })
    }

    /// The names that its fields use.
    pub(super) fn sources(&self) -> impl Iterator<Item = &Source> {
        self.fields.iter().flat_map(|field| field.shape.sources())
    }

    /// A fault if it names the caller as the user of the event and not the realm that they are of: where there are
    /// several, the event would mean a user of the first.
    #[must_use]
    pub fn mixes_realms(&self) -> Option<Fault> {
        let is = |field: &Field, claim| matches!(&field.shape, Shape::Value(Alone(Source::Claim(of))) if *of == claim);
        let user = self.fields.iter().find(|field| USER.contains(&&*field.name) && is(field, Claim::User))?;
        if self.fields.iter().any(|field| is(field, Claim::Realm)) {
            return None;
        }
        let message = format!("`{}` of {} is the caller, and their realm is not said", user.name, self.event);
        let help = "users of several issuers are apart: add a field realm = \"{realm}\" to event and schema";
        Some(user.spot.fault(message, Some(help.to_owned())))
    }

    /// Checks the event against its schema, as far as that can be done before a call.
    pub fn check(&self, parameters: &[Parameter], registry: &Registry, faults: &mut Vec<Fault>) {
        let Some(event_type) = registry.event_type(&self.event) else {
            let help = match registry.suggest(&self.event) {
                Some(near) => Some(format!("did you mean `{near}`?")),
                None => suggest::help(&self.event, registry.event_types().map(|known| known.name().as_str())),
            };
            faults.push(self.spot.fault(format!("there is no event `{}`", self.event), help));
            return;
        };
        let schema = event_type.newest();
        let mut filled = vec![false; schema.fields.len()];
        for field in &self.fields {
            if let Some(at) = schema.index_of(&field.name) {
                filled[at] = true;
                field.check(schema, at, parameters, faults);
            } else {
                let known = schema.fields.iter().flat_map(|field| std::iter::once(&field.name).chain(&field.aliases));
                let help = suggest::help(&field.name, known.map(AsRef::as_ref));
                faults.push(field.spot.fault(format!("{} has no field `{}`", self.event, field.name), help));
            }
        }
        let missing = schema.fields.iter().zip(filled).filter(|(field, filled)| !filled && field.absent().is_none());
        for (field, _) in missing {
            faults.push(self.spot.fault(format!("{} needs the field `{}`", self.event, field.name), None));
        }
    }
}

impl Field {
    fn check(&self, schema: &Schema, at: usize, parameters: &[Parameter], faults: &mut Vec<Fault>) {
        let field = &schema.fields[at];
        if !self.shape.may_fit(&field.kind, field.nullable, parameters) {
            let (event, kind) = (&schema.event_type, &field.kind);
            let found = self.shape.article(parameters);
            faults.push(self.spot.fault(format!("`{}` of {event} is {kind}, and this is {found}", field.name), None));
        }
    }
}
