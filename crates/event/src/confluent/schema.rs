//! Schemas of a schema registry.

use apache_avro::Schema as Avro;
use apache_avro::schema::RecordSchema;
use thiserror::Error;

use super::WriterError;
use crate::TypeName;
use crate::schema::{Fault, parse_foreign};

/// How many bytes the text of a schema may have.
pub const MAX_SCHEMA: usize = 256 * 1024;

/// A schema that a schema registry holds, read and checked: a record that does not contain itself.
#[derive(Debug, Clone)]
pub struct ForeignSchema {
    id: u32,
    record: Avro,
}

/// What is wrong with a schema of a schema registry.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SchemaError {
    /// It is too large.
    #[error("schema {id} has {size} bytes, at most {MAX_SCHEMA} are read")]
    TooLarge {
        /// Its id.
        id: u32,
        /// Its size.
        size: usize,
    },
    /// It is no schema that events can be read with.
    #[error("schema {id} cannot be used{}: {reason}", at(field.as_deref()))]
    Unusable {
        /// Its id.
        id: u32,
        /// The path of the field, if the fault lies in one.
        field: Option<String>,
        /// What is wrong.
        reason: String,
    },
}

pub(super) fn at(field: Option<&str>) -> String {
    field.map(|field| format!(" at `{field}`")).unwrap_or_default()
}

impl ForeignSchema {
    /// Reads the text of a schema.
    ///
    /// # Errors
    /// [`SchemaError`] if it is no Avro record, contains itself, is too large, or holds types that events cannot have.
    pub fn parse(id: u32, text: &str) -> Result<Self, SchemaError> {
        if text.len() > MAX_SCHEMA {
            return Err(SchemaError::TooLarge { id, size: text.len() });
        }
        let unusable = |Fault { field, reason }| SchemaError::Unusable { id, field, reason };
        parse_foreign(text).map(|record| Self { id, record }).map_err(unusable)
    }

    /// Its id in the registry.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Its full name, such as `com.example.license.FlagToggled`.
    #[must_use]
    pub fn full_name(&self) -> String {
        self.record().map(|record| record.name.fullname(None)).unwrap_or_default()
    }

    /// The event type that the full name ends with, if it has a namespace.
    pub(crate) fn type_name(&self) -> Option<String> {
        let name = self.full_name();
        let (namespace, event) = name.rsplit_once('.')?;
        let service = namespace.rsplit('.').next()?;
        Some(format!("{service}.{event}"))
    }

    pub(crate) fn definition(&self) -> &Avro {
        &self.record
    }

    pub(super) fn record(&self) -> Option<&RecordSchema> {
        match &self.record {
            Avro::Record(record) => Some(record),
            _ => None,
        }
    }

    pub(crate) fn unknown_type(&self, declared: &TypeName) -> WriterError {
        WriterError::UnknownType { id: self.id, name: self.full_name(), declared: declared.clone() }
    }
}
