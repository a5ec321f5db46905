//! The arguments of a call: checked one by one, then named.

use std::borrow::Cow;

use fanfare_signalr::Value;

use super::Refusal;

/// The most characters of a string, unless its parameter says otherwise.
const DEFAULT_MAX: usize = 128;

/// One argument as it is declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name, which errors tell.
    pub name: Box<str>,
    /// What it may be.
    pub kind: ParameterKind,
}

/// What an argument may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParameterKind {
    /// Text: not blank, without control characters, at most so many characters long.
    String {
        /// How many.
        max: usize,
    },
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// True or false.
    Boolean,
    /// Named values.
    Object,
    /// Whatever it is, null included.
    Any,
}

impl ParameterKind {
    /// The kinds as configuration calls them.
    pub const NAMES: [&str; 6] = ["string", "integer", "number", "boolean", "object", "any"];

    /// The kind of this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Some(match name {
            "string" => Self::String { max: DEFAULT_MAX },
            "integer" => Self::Integer,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "object" => Self::Object,
            "any" => Self::Any,
            _ => return None,
        })
    }

    /// The kind as errors call it.
    #[must_use]
    pub fn article(self) -> &'static str {
        match self {
            Self::String { .. } => "a string",
            Self::Integer => "an integer",
            Self::Number => "a number",
            Self::Boolean => "a boolean",
            Self::Object => "an object",
            Self::Any => "any value",
        }
    }

    /// Whether its values can be part of a text, such as a group's name.
    #[must_use]
    pub fn is_text(self) -> bool {
        matches!(self, Self::String { .. } | Self::Integer | Self::Boolean)
    }

    fn takes(self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Any, _)
            | (Self::String { .. }, Value::String(_))
            | (Self::Integer | Self::Number, Value::Int(_) | Value::UInt(_))
            | (Self::Boolean, Value::Bool(_))
            | (Self::Object, Value::Map(_)) => true,
            (Self::Number, Value::Float(number)) => number.is_finite(),
            _ => false,
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
            return Err(Refusal::Count { given: arguments.len(), expected: parameters.len() });
        }
        for (parameter, value) in parameters.iter().zip(&arguments) {
            check(parameter, value).map_err(Refusal::Argument)?;
        }
        Ok(Self(arguments))
    }

    /// An argument as text; nothing where it is not a text, a whole number or a boolean.
    #[must_use]
    pub fn text(&self, index: usize) -> Option<Cow<'_, str>> {
        match self.0.get(index)? {
            Value::String(text) => Some(Cow::Borrowed(text)),
            Value::Int(number) => Some(Cow::Owned(number.to_string())),
            Value::UInt(number) => Some(Cow::Owned(number.to_string())),
            Value::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            _ => None,
        }
    }

    /// An argument as JSON: bytes become base64 and timestamps ISO 8601 text.
    #[must_use]
    pub fn json(&self, index: usize) -> serde_json::Value {
        // Values of the protocol are always JSON.
        self.0.get(index).and_then(|value| serde_json::to_value(value).ok()).unwrap_or_default()
    }
}

fn check(Parameter { name, kind }: &Parameter, value: &Value<'_>) -> Result<(), String> {
    if !kind.takes(value) {
        return Err(match value {
            Value::Null => format!("`{name}` must not be null."),
            other => format!("`{name}` must be {}, not {}.", kind.article(), found(other)),
        });
    }
    let (ParameterKind::String { max }, Value::String(text)) = (kind, value) else { return Ok(()) };
    if text.trim().is_empty() {
        Err(format!("`{name}` must not be blank."))
    } else if text.chars().nth(*max).is_some() {
        Err(format!("`{name}` is longer than {max} characters."))
    } else if text.chars().any(char::is_control) {
        Err(format!("`{name}` must not hold control characters."))
    } else {
        Ok(())
    }
}

fn found(value: &Value<'_>) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Int(_) | Value::UInt(_) => "an integer",
        Value::Float(_) => "a number",
        Value::String(_) => "a string",
        Value::Binary(_) => "bytes",
        Value::Timestamp { .. } => "a timestamp",
        Value::Array(_) => "a list",
        Value::Map(_) => "an object",
    }
}
