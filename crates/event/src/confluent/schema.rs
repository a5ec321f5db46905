//! Schemas of a schema registry.

use thiserror::Error;

use super::WriterError;
use crate::TypeName;
use crate::schema::{Fault, Foreign, Layouts, parse_foreign};

/// The largest text of a schema, in bytes.
pub const MAX_SCHEMA: usize = 256 * 1024;

/// The largest text of a schema together with those of all schemas it refers to, in bytes.
pub const MAX_SCHEMAS: usize = 4 * MAX_SCHEMA;

/// A record schema from a schema registry, parsed and checked.
#[derive(Debug)]
pub struct ForeignSchema {
    id: u32,
    read: Foreign,
}

/// A fault in a schema from a schema registry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// It is too large.
    #[error("schema {id} has {size} bytes, at most {MAX_SCHEMA} are read, {MAX_SCHEMAS} with all that it refers to")]
    TooLarge {
        /// Its id.
        id: u32,
        /// Its size.
        size: usize,
    },
    /// Events cannot be read with it.
    #[error("schema {id} cannot be used{}: {reason}", at(field.as_deref()))]
    Unusable {
        /// Its id.
        id: u32,
        /// The path of the field, if the fault is in one.
        field: Option<String>,
        /// What is wrong.
        reason: String,
    },
}

pub(super) fn at(field: Option<&str>) -> String {
    field.map(|field| format!(" at `{field}`")).unwrap_or_default()
}

impl ForeignSchema {
    /// Parses the text of a schema without references.
    ///
    /// # Errors
    /// [`SchemaError`] if it is not an Avro record, or is too large.
    pub fn parse(id: u32, text: &str) -> Result<Self, SchemaError> {
        Self::parse_with(id, text, &[])
    }

    /// Parses the text of a schema, and those of the schemas it refers to.
    ///
    /// # Errors
    /// [`SchemaError`] if it is not an Avro record, has an unresolved reference, or is too large.
    pub fn parse_with(id: u32, text: &str, references: &[String]) -> Result<Self, SchemaError> {
        let all = references.iter().map(String::len).sum::<usize>() + text.len();
        if text.len() > MAX_SCHEMA || all > MAX_SCHEMAS {
            return Err(SchemaError::TooLarge { id, size: all });
        }
        let unusable = |Fault { field, reason, .. }| SchemaError::Unusable { id, field, reason };
        parse_foreign(text, references).map(|read| Self { id, read }).map_err(unusable)
    }

    /// Its id in the registry.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its full name, such as `com.example.license.FlagToggled`.
    #[must_use]
    pub fn full_name(&self) -> String {
        self.read.name.clone()
    }

    /// The event type at the end of the full name, if it has a namespace.
    pub(crate) fn type_name(&self) -> Option<String> {
        let name = self.full_name();
        let (namespace, event) = name.rsplit_once('.')?;
        let service = namespace.rsplit('.').next()?;
        Some(format!("{service}.{event}"))
    }

    /// The layout of its records in the bytes.
    pub(super) fn layouts(&self) -> &Layouts {
        &self.read.layouts
    }

    /// The fingerprint of its canonical form.
    pub(super) fn fingerprint(&self) -> u64 {
        self.read.fingerprint
    }

    pub(crate) fn unknown_type(&self, declared: &TypeName) -> WriterError {
        WriterError::UnknownType { id: self.id, name: self.full_name(), declared: declared.clone() }
    }
}
