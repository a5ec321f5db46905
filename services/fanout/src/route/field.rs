//! A field of an event, found once by name and read by index from then on.

use std::sync::Arc;

use fanfare_event::{Field, Kind, Record, Schema, Value};

use crate::config::suggest;

static NULL: Value = Value::Null;

/// The way to a field, through nested records if need be.
#[derive(Debug, Clone)]
pub(super) struct FieldPath {
    name: Box<str>,
    index: usize,
    inner: Box<[usize]>,
    kind: Kind,
    nullable: bool,
}

/// Why a name leads to no field.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoField {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl FieldPath {
    /// Finds `name`, or `name.inner` in a nested record, by names or aliases.
    pub(super) fn find(schema: &Schema, name: &str) -> Result<Self, NoField> {
        let mut parts = name.split('.');
        let first = parts.next().unwrap_or_default();
        let event = &schema.event_type;
        let index = schema.index_of(first).ok_or_else(|| no_field(event.as_str(), first, &schema.fields))?;
        let mut field = &schema.fields[index];
        let (mut inner, mut nullable) = (Vec::new(), field.nullable);
        for part in parts {
            let Kind::Record(fields) = &field.kind else {
                let message =
                    format!("`{}` of {event} is {} and has no fields of its own", field.name, article(&field.kind));
                return Err(NoField { message, help: None });
            };
            let owner = format!("`{}` of {event}", field.name);
            let at = fields.iter().position(|field| field.is_called(part));
            let at = at.ok_or_else(|| no_field(&owner, part, fields))?;
            inner.push(at);
            field = &fields[at];
            nullable |= field.nullable;
        }
        Ok(Self { name: name.into(), index, inner: inner.into(), kind: field.kind.clone(), nullable })
    }

    /// The field's value; null where a record on the way is null.
    pub(super) fn read<'r>(&self, record: &'r Record) -> &'r Value {
        let mut value = record.at(self.index);
        for index in &self.inner {
            value = match value {
                Value::Record(fields) => fields.get(*index).map_or(&NULL, |(_, value)| value),
                _ => &NULL,
            };
        }
        value
    }

    /// The name as the route writes it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The position of the field, or of the outermost record on the way to it.
    pub(super) fn index(&self) -> usize {
        self.index
    }

    /// What the field holds when it is not null.
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
        Kind::Int | Kind::Enum(_) | Kind::Array(_) => format!("an {}", word(kind)),
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
        Kind::Timestamp => "timestamp",
        Kind::Enum(_) => "enum",
        Kind::Array(_) => "array",
        Kind::Map(_) => "map",
        Kind::Record(_) => "record",
        Kind::Nullable(kind) => word(kind),
    }
}
