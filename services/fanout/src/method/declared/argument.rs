//! The arguments of a call: checked one by one, then named.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use fanfare_event::{Input, Kind, Unit};
use fanfare_signalr::Value;
use smallvec::SmallVec;

use super::Refusal;

/// The most characters of a string, unless its parameter sets another number.
const DEFAULT_MAX: usize = 128;

/// A declared argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, which errors contain.
    pub name: Box<str>,
    /// Its type.
    pub kind: ParameterKind,
    /// The error text for a call whose argument does not fit.
    pub words: Words,
}

/// Error texts of the configuration for an argument that does not fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// Of one that is null or missing.
    pub null: Option<Box<str>>,
    /// Of one that is empty or white space.
    pub blank: Option<Box<str>>,
    /// Of one that does not fit its type.
    pub other: Option<Box<str>>,
}

/// The type of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ParameterKind {
    /// Text.
    String(Text),
    /// A GUID.
    Uuid,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// A moment: a timestamp, one with its offset as .NET writes it, or ISO 8601 text.
    Time,
    /// Bytes, or base64 text from a client that speaks JSON.
    Bytes,
    /// Named values.
    Object,
    /// Items of one type.
    List(Box<ListOf>),
    /// Whatever it is, null included.
    Any,
}

/// The bounds of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListOf {
    /// The type of each item.
    pub item: ParameterKind,
    /// How many it has at most.
    pub max: usize,
    /// Whether it must have one.
    pub required: bool,
}

/// The bounds of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text {
    /// How many characters it has at most.
    pub max: usize,
    /// Whether it has no line breaks and no tabs.
    pub single_line: bool,
    /// Whether it must not be blank.
    pub required: bool,
}

impl Default for Text {
    fn default() -> Self {
        Self { max: DEFAULT_MAX, single_line: false, required: false }
    }
}

impl ParameterKind {
    /// The kinds as configuration calls them.
    pub const NAMES: [&str; 10] =
        ["string", "uuid", "integer", "number", "boolean", "time", "bytes", "object", "list", "any"];

    /// The type of this name; a list needs more than its name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::String(Text::default()),
            "uuid" => Self::Uuid,
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "time" => Self::Time,
            "bytes" => Self::Bytes,
            "object" => Self::Object,
            "any" => Self::Any,
            _ => return None,
        })
    }

    /// The kind as errors call it.
    #[must_use]
    pub fn article(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Uuid => "a UUID (such as 123e4567-e89b-12d3-a456-426614174000)",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Time => "a time (a timestamp, or ISO 8601 text such as 2026-01-02T03:04:05Z)",
            Self::Bytes => "bytes (base64 in JSON)",
            Self::Object => "an object",
            Self::List(_) => "a list",
            Self::Any => "any value",
        }
    }

    /// Whether its values can be part of a text, such as a group's name.
    #[must_use]
    pub fn is_text(&self) -> bool {
        match self {
            Self::String(_) | Self::Uuid | Self::Integer | Self::Boolean => true,
            Self::List(list) => list.item.is_text(),
            _ => false,
        }
    }

    /// The value in its canonical form, if it is of this type, from whatever the official clients write for their own
    /// types in either protocol.
    fn take(&self, value: Value<'static>) -> Result<Value<'static>, Value<'static>> {
        match (self, value) {
            (Self::Any, value)
            | (Self::String(_), value @ Value::String(_))
            | (Self::Integer | Self::Number, value @ (Value::Int(_) | Value::UInt(_)))
            | (Self::Boolean, value @ Value::Bool(_))
            | (Self::Time, value @ Value::Timestamp { .. })
            | (Self::Bytes, value @ Value::Binary(_))
            | (Self::List(_), value @ Value::Array(_))
            | (Self::Object, value @ Value::Map(_)) => Ok(value),
            (Self::Uuid, value) => uuid(&value).ok_or(value),
            (Self::String(_), value) => {
                moment(&value).and_then(|moment| moment.iso_text()).map(Value::from).ok_or(value)
            }
            (Self::Time, value) => moment(&value).or_else(|| is_time(&value).then(|| value.clone())).ok_or(value),
            (Self::Bytes, value) => base64(&value).ok_or(value),
            (Self::Number, Value::Float(number)) if number.is_finite() => Ok(Value::Float(number)),
            // A .NET decimal; it stays text, so that no digit is lost.
            (Self::Number, value) if decimal(&value).is_some() => Ok(value),
            (Self::Integer, value) => whole(&value).map(Value::Int).ok_or(value),
            (_, value) => Err(value),
        }
    }
}

/// A timestamp, alone or with its offset: a `DateTimeOffset` of .NET is what its clock shows, as if that were UTC, and how
/// many minutes it is ahead.
fn moment(value: &Value<'_>) -> Option<Value<'static>> {
    match value {
        Value::Timestamp { seconds, nanoseconds } => {
            Some(Value::Timestamp { seconds: *seconds, nanoseconds: *nanoseconds })
        }
        Value::Array(parts) => match parts.as_slice() {
            [Value::Timestamp { seconds, nanoseconds }, Value::Int(ahead)] if (-840..=840).contains(ahead) => {
                Some(Value::Timestamp { seconds: seconds.checked_sub(ahead * 60)?, nanoseconds: *nanoseconds })
            }
            _ => None,
        },
        _ => None,
    }
}

fn is_time(value: &Value<'_>) -> bool {
    let Value::String(text) = value else { return false };
    let kind = Kind::Timestamp(Unit::Millis);
    // A DateTime of .NET without a kind has no offset.
    [Cow::Borrowed(&**text), Cow::Owned(format!("{text}Z"))]
        .into_iter()
        .any(|text| text.len() <= 64 && kind.value_of(&Input::Text(text)).is_some())
}

/// A GUID in the one form that .NET writes, whatever form it came in.
fn uuid(value: &Value<'_>) -> Option<Value<'static>> {
    let uuid = uuid::Uuid::try_parse(value.as_str()?).ok()?;
    Some(Value::from(uuid.hyphenated().to_string()))
}

fn base64(value: &Value<'_>) -> Option<Value<'static>> {
    let Value::String(text) = value else { return None };
    let bytes = STANDARD.decode(&**text).or_else(|_| URL_SAFE.decode(&**text)).ok()?;
    Some(Value::binary(bytes))
}

/// The text of a plain decimal number.
fn decimal<'v>(value: &'v Value<'_>) -> Option<&'v str> {
    let text = value.as_str()?;
    Kind::Decimal { scale: None }.value_of(&Input::Text(Cow::Borrowed(text))).map(|_| text)
}

/// The whole number of a number or a decimal that has no fraction.
fn whole(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Float(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(*number as i64),
        value => {
            let text = decimal(value)?;
            let normal = Kind::Decimal { scale: Some(0) }.value_of(&Input::Text(Cow::Borrowed(text)))?;
            normal.as_str()?.parse().ok()
        }
    }
}

/// The arguments of one call, sound and in the order of their parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Given(Vec<Value<'static>>);

impl Given {
    /// Checks the arguments of a call.
    ///
    /// # Errors
    /// [`Refusal`] that names the argument and what is wrong with it.
    pub fn read(parameters: &[Parameter], arguments: Vec<Value<'static>>) -> Result<Self, Refusal> {
        if arguments.len() != parameters.len() {
            let missing = parameters.get(arguments.len()).and_then(|first| first.words.null.as_deref());
            let count = Refusal::Count { given: arguments.len(), expected: parameters.len() };
            return Err(missing.map_or(count, |words| Refusal::Worded(words.to_owned())));
        }
        let taken = parameters.iter().zip(arguments).map(|(parameter, value)| {
            let own = parameter.words.of(&value).map(str::to_owned);
            let taken = take(&parameter.name, &parameter.kind, value);
            taken.map_err(|told| own.map_or(Refusal::Argument(told), Refusal::Worded))
        });
        taken.collect::<Result<_, _>>().map(Self)
    }

    /// An argument as texts: the items of a list, or the one that it is; none where these are no texts, whole numbers or
    /// booleans.
    pub(super) fn texts(&self, index: usize) -> SmallVec<[Cow<'_, str>; 1]> {
        match self.0.get(index) {
            Some(Value::Array(items)) => items.iter().filter_map(text).collect(),
            value => value.and_then(text).into_iter().collect(),
        }
    }

    /// An argument as a value for an event.
    #[must_use]
    pub fn input(&self, index: usize) -> Input<'static> {
        self.0.get(index).map_or(Input::Null, input)
    }
}

impl Words {
    fn of(&self, value: &Value<'_>) -> Option<&str> {
        match value {
            Value::Null => self.null.as_deref(),
            Value::String(text) if text.trim().is_empty() => self.blank.as_deref(),
            Value::Array(items) if items.is_empty() => self.blank.as_deref(),
            _ => self.other.as_deref(),
        }
    }
}

fn text<'v>(value: &'v Value<'static>) -> Option<Cow<'v, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Int(number) => Some(Cow::Owned(number.to_string())),
        Value::UInt(number) => Some(Cow::Owned(number.to_string())),
        Value::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
        _ => None,
    }
}

fn input(value: &Value<'static>) -> Input<'static> {
    match value {
        Value::Null => Input::Null,
        Value::Bool(value) => Input::Bool(*value),
        Value::Int(number) => Input::Int(*number),
        Value::UInt(number) => Input::UInt(*number),
        Value::Float(number) => Input::Float(*number),
        Value::String(text) => Input::Text(text.clone()),
        Value::Binary(bytes) => Input::Bytes(bytes.clone()),
        Value::Timestamp { seconds, nanoseconds } => Input::Moment { seconds: *seconds, nanoseconds: *nanoseconds },
        // No client sends these.
        Value::Local { .. } | Value::Date { .. } => {
            value.iso_text().map_or(Input::Null, |text| Input::Text(text.into()))
        }
        Value::Array(items) => Input::List(items.iter().map(input).collect()),
        Value::Map(entries) => Input::Object(entries.iter().map(|(key, value)| (key.clone(), input(value))).collect()),
    }
}

fn take(name: &str, kind: &ParameterKind, value: Value<'static>) -> Result<Value<'static>, String> {
    let value = kind.take(value).map_err(|value| match (kind, value) {
        (_, Value::Null) => format!("`{name}` must not be null."),
        (ParameterKind::Number | ParameterKind::Integer, Value::Float(number)) if !number.is_finite() => {
            let is = if number.is_nan() { "not-a-number (NaN)" } else { "infinite" };
            format!("`{name}` must be {}; what came is {is}.", kind.article())
        }
        (_, other) => format!("`{name}` must be {}, not {}.", kind.article(), found(&other)),
    })?;
    match (kind, value) {
        (ParameterKind::String(rules), Value::String(text)) => {
            rules.check(name, &text)?;
            Ok(Value::String(text))
        }
        (ParameterKind::List(list), Value::Array(items)) => list.take(name, items),
        (_, value) => Ok(value),
    }
}

impl ListOf {
    fn take(&self, name: &str, items: Vec<Value<'static>>) -> Result<Value<'static>, String> {
        if items.len() > self.max {
            return Err(format!("`{name}` has more than {} items.", self.max));
        }
        if items.is_empty() && self.required {
            return Err(format!("`{name}` must not be empty."));
        }
        let each = items.into_iter().enumerate();
        let taken = each.map(|(at, item)| take(&format!("{name}[{at}]"), &self.item, item));
        taken.collect::<Result<_, _>>().map(Value::Array)
    }
}

impl Text {
    fn check(self, name: &str, text: &str) -> Result<(), String> {
        let broken = |c: char| c.is_control() && (self.single_line || !matches!(c, '\n' | '\r' | '\t'));
        if self.required && text.trim().is_empty() {
            Err(format!("`{name}` must not be blank."))
        } else if text.chars().nth(self.max).is_some() {
            Err(format!("`{name}` is longer than {} characters.", self.max))
        } else if !text.chars().any(broken) {
            Ok(())
        } else if self.single_line {
            Err(format!("`{name}` must be a single line without tabs and other control characters."))
        } else {
            Err(format!("`{name}` must not hold control characters other than line breaks and tabs."))
        }
    }
}

fn found(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Int(_) | Value::UInt(_) => "an integer",
        Value::Float(number) if number.fract() != 0.0 => "a number with a fraction",
        Value::Float(_) => "a number",
        Value::String(_) => "a string",
        Value::Binary(_) => "bytes",
        Value::Timestamp { .. } | Value::Local { .. } | Value::Date { .. } => "a timestamp",
        value @ Value::Array(_) if moment(value).is_some() => "a timestamp with its offset",
        Value::Array(_) => "a list",
        Value::Map(_) => "an object",
    }
}
