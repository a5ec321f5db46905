//! Event types that are declared outside a folder of schemas.

use std::path::PathBuf;

use super::folder::Source;
use super::{Registry, RegistryError};
use crate::TypeName;

/// One version of an event type, with its file.
#[derive(Debug, Clone)]
pub struct DeclaredSchema {
    /// The file, for errors.
    pub file: PathBuf,
    /// The event type.
    pub event_type: TypeName,
    /// The version.
    pub version: u32,
    /// The Avro schema as JSON.
    pub schema: String,
}

impl Registry {
    /// This registry and additional versions.
    ///
    /// # Errors
    /// [`RegistryError`] if one is not a schema, or does not fit the others.
    pub fn with_declared(&self, declared: impl IntoIterator<Item = DeclaredSchema>) -> Result<Self, RegistryError> {
        let mut sources = self.0.sources.clone();
        sources.extend(declared.into_iter().map(|declared| Source {
            file: declared.file,
            event_type: declared.event_type,
            version: declared.version,
            text: declared.schema.into(),
        }));
        Self::from_sources(sources)
    }
}
