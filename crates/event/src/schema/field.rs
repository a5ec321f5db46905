//! Fields and their kinds.

use std::fmt;
use std::sync::Arc;

use crate::Value;
use crate::suggest::nearest;

/// A field of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// The name.
    pub name: Arc<str>,
    /// Other names that JSON input and routes may use for it.
    pub aliases: Vec<Arc<str>>,
    /// What it holds when it is not null.
    pub kind: Kind,
    /// Whether it may be null.
    pub nullable: bool,
    /// The value of a record that lacks it.
    pub default: Option<Value>,
    /// The logical type of the schema, such as `uuid`; only `timestamp-millis` is a kind of its own.
    pub logical: Option<&'static str>,
    /// What the field is for, from the schema's `doc`.
    pub doc: Option<Arc<str>>,
}

/// What a field holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A floating-point number of 32 bits.
    Float,
    /// A floating-point number of 64 bits.
    Double,
    /// Text.
    String,
    /// Bytes; in JSON a string whose characters U+0000 to U+00FF stand for one byte each, as Avro defines it.
    Bytes,
    /// Bytes of one length.
    Fixed(usize),
    /// A point in time in milliseconds (`timestamp-millis`).
    Timestamp,
    /// One of these symbols.
    Enum(Arc<[Arc<str>]>),
    /// A list.
    Array(Box<Kind>),
    /// Values by name.
    Map(Box<Kind>),
    /// A nested record.
    Record(Arc<[Field]>),
    /// An item of a list or a map that may be null; a field says so itself, by [`Field::nullable`].
    Nullable(Box<Kind>),
}

impl Field {
    /// Whether this is the field's name or one of its aliases.
    pub fn is_called(&self, name: &str) -> bool {
        &*self.name == name || self.aliases.iter().any(|alias| &**alias == name)
    }

    /// The value of a record that lacks this field: its default, or null where the field may be null.
    pub fn absent(&self) -> Option<Value> {
        self.default.clone().or_else(|| self.nullable.then_some(Value::Null))
    }
}

/// Finds a field by its name or an alias.
pub(crate) fn find(fields: &[Field], name: &str) -> Option<usize> {
    fields.iter().position(|field| field.is_called(name))
}

/// The field that a misspelt name may have meant.
pub(crate) fn suggest<'a>(fields: &'a [Field], name: &str) -> Option<&'a str> {
    let names = |field: &'a Field| std::iter::once(&field.name).chain(&field.aliases).map(|name| &**name);
    nearest(name, fields.iter().flat_map(names))
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::Int => f.write_str("int"),
            Self::Long => f.write_str("long"),
            Self::Float => f.write_str("float"),
            Self::Double => f.write_str("double"),
            Self::String => f.write_str("string"),
            Self::Bytes => f.write_str("bytes"),
            Self::Fixed(size) => write!(f, "fixed of {size} bytes"),
            Self::Timestamp => f.write_str("timestamp (RFC 3339 text or milliseconds)"),
            Self::Enum(symbols) => write!(f, "one of {}", symbols.join(", ")),
            Self::Array(items) => write!(f, "array of {items}"),
            Self::Map(values) => write!(f, "map of {values}"),
            Self::Record(fields) => {
                f.write_str("record of ")?;
                for (index, field) in fields.iter().enumerate() {
                    write!(f, "{}{}", if index == 0 { "" } else { ", " }, field.name)?;
                }
                Ok(())
            }
            Self::Nullable(kind) => write!(f, "{kind} or null"),
        }
    }
}
