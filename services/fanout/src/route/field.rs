//! A field of an event: looked up once by name, then read by index.

use std::sync::Arc;

use fanfare_event::{Field, Kind, Record, Schema, Value};

use crate::document::suggest;

static NULL: Value = Value::Null;

/// The way to a field, through nested records if need be.
#[derive(Debug, Clone)]
pub(super) struct FieldPath {
    name: Box<str>,
    index: usize,
    inner: Box<[Step]>,
    kind: Kind,
    nullable: bool,
}

/// One step further into a value.
#[derive(Debug, Clone)]
enum Step {
    /// To the field of a record at a position.
    Field(usize),
    /// To what a map, or free JSON, has under a key.
    Key(Box<str>),
}

impl Step {
    /// The value there; none if there is none.
    fn read<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match (self, value) {
            (Self::Field(index), Value::Record(fields)) => fields.get(*index).map(|(_, value)| value),
            (Self::Key(key), value) => value.get(key),
            _ => None,
        }
    }
}

/// Why a name leads to no field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoField {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl FieldPath {
    /// Finds `name`, or `name.inner` in a nested record by names or aliases, in a map or in free JSON by a key.
    pub(super) fn find(schema: &Schema, name: &str) -> Result<Self, NoField> {
        let mut parts = name.split('.');
        let first = parts.next().unwrap_or_default();
        let event = &schema.event_type;
        let index = schema.index_of(first).ok_or_else(|| no_field(event.as_str(), first, &schema.fields))?;
        let field = &schema.fields[index];
        let (mut kind, mut nullable, mut called) = (&field.kind, field.nullable, &*field.name);
        let mut inner = Vec::new();
        for part in parts {
            if let Kind::Nullable(inner) = kind {
                kind = inner;
            }
            match kind {
                Kind::Record(fields) => {
                    let owner = format!("`{called}` of {event}");
                    let at = fields.iter().position(|field| field.is_called(part));
                    let at = at.ok_or_else(|| no_field(&owner, part, fields))?;
                    inner.push(Step::Field(at));
                    nullable |= fields[at].nullable;
                    (kind, called) = (&fields[at].kind, &*fields[at].name);
                }
                Kind::Map(_) | Kind::Json if !part.is_empty() => {
                    inner.push(Step::Key(part.into()));
                    // Nobody says before which keys there are.
                    nullable = true;
                    (kind, called) = (kind.item(), part);
                }
                kind => {
                    let message = format!("`{called}` of {event} is {} and has no fields of its own", article(kind));
                    return Err(NoField { message, help: None });
                }
            }
        }
        Ok(Self { name: name.into(), index, inner: inner.into(), kind: kind.clone(), nullable })
    }

    /// The field's value; null where a record on the way is null.
    pub(super) fn read<'r>(&self, record: &'r Record) -> &'r Value {
        self.inner.iter().try_fold(record.at(self.index), |value, step| step.read(value)).unwrap_or(&NULL)
    }

    /// Whether the event says anything of the field, be it null: every record on the way is there, and every key.
    pub(super) fn is_said(&self, record: &Record) -> bool {
        self.inner.iter().try_fold(record.at(self.index), |value, step| step.read(value)).is_some()
    }

    /// Whether an event may say nothing of the field.
    pub(super) fn may_be_unsaid(&self) -> bool {
        !self.inner.is_empty() && self.nullable
    }

    /// The name as the route writes it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The position of the field, or of the outermost record on the way to it.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// The type of the field's value when it is not null.
    pub(super) fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether there may be no value.
    pub(super) fn nullable(&self) -> bool {
        self.nullable
    }
}

fn no_field(owner: &str, name: &str, fields: &[Field]) -> NoField {
    let names = |field: &Field| std::iter::once(&field.name).chain(&field.aliases).cloned().collect::<Vec<_>>();
    let known: Vec<Arc<str>> = fields.iter().flat_map(names).collect();
    NoField {
        message: format!("{owner} has no field `{name}`"),
        help: suggest::help(name, known.iter().map(AsRef::as_ref)),
    }
}

/// A kind as a message calls it: `a boolean`.
pub(super) fn article(kind: &Kind) -> String {
    match kind {
        Kind::Int | Kind::Enum(_) | Kind::Array(_) | Kind::Null => format!("an {}", word(kind)),
        _ => format!("a {}", word(kind)),
    }
}

fn word(kind: &Kind) -> &'static str {
    match kind {
        Kind::Boolean => "boolean",
        Kind::Int => "int",
        Kind::Long => "long",
        Kind::Float => "float",
        Kind::Double => "double",
        Kind::String => "string",
        Kind::Bytes | Kind::Fixed(_) => "byte string",
        Kind::Null => "always null field",
        Kind::Decimal { .. } => "decimal",
        Kind::Uuid => "uuid",
        Kind::Duration => "duration",
        Kind::Timestamp(_) => "timestamp",
        Kind::LocalTimestamp(_) => "local timestamp",
        Kind::Date => "date",
        Kind::TimeOfDay(_) => "time of day",
        Kind::Json => "JSON field",
        Kind::Union(_) => "union",
        Kind::Enum(_) => "enum",
        Kind::Array(_) => "array",
        Kind::Map(_) => "map",
        Kind::Record(_) => "record",
        Kind::Nullable(kind) => word(kind),
    }
}
