//! Finds the schema with which the body of a record was written; pure.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use fanfare_event::confluent::{ForeignSchema, Writer, WriterError, split};
use fanfare_event::{Record, Registry, TypeName};

use super::Unusable;

/// How many event types one schema is read as; a schema that names its own needs one.
const MOST_TYPES: usize = 16;

/// By which schema the body of a record was written.
#[derive(Debug, Clone)]
pub enum Written {
    /// One of the node's own, which the body names, or none.
    Own,
    /// One that the schema registry holds.
    Registered(Arc<Registered>),
    /// One that the schema registry does not hold, or that cannot be used.
    Refused(Arc<str>),
}

impl Written {
    /// What is known of a body without a schema registry.
    #[must_use]
    pub fn without_registry(body: &[u8]) -> Self {
        match split(body) {
            None => Self::Own,
            Some((id, _)) => {
                let reason = format!("the body names schema {id} of a schema registry, and none is configured here");
                Self::Refused(reason.into())
            }
        }
    }

    /// Reads a body as an event of the type that the event declares, or that the schema names.
    pub(super) fn decode(&self, registry: &Registry, declared: &TypeName, body: &[u8]) -> Result<Record, Unusable> {
        match self {
            Self::Own => Ok(registry.decode(body)?),
            Self::Registered(schema) => {
                let writer = schema.writer(registry, declared).map_err(|error| Unusable::Schema(error.to_string()))?;
                Ok(writer.decode(body)?)
            }
            Self::Refused(reason) => Err(Unusable::Schema(reason.to_string())),
        }
    }
}

/// A schema of the schema registry, with the ways to read what it wrote.
#[derive(Debug)]
pub struct Registered {
    schema: ForeignSchema,
    writers: Mutex<Writers>,
}

/// By declared type: which type it is and how to read it is found once, not for each event.
#[derive(Debug, Default)]
struct Writers {
    /// What they write for; none at first. A node may get other schemas while it runs.
    registry: Option<Registry>,
    by_type: HashMap<TypeName, Arc<Writer>>,
}

impl Registered {
    /// Takes a schema.
    #[must_use]
    pub fn new(schema: ForeignSchema) -> Self {
        Self { schema, writers: Mutex::default() }
    }

    fn writer(&self, registry: &Registry, declared: &TypeName) -> Result<Arc<Writer>, WriterError> {
        let mut writers = self.writers.lock().unwrap_or_else(PoisonError::into_inner);
        if !writers.registry.as_ref().is_some_and(|of| of.is(registry)) {
            *writers = Writers { registry: Some(registry.clone()), by_type: HashMap::new() };
        }
        if let Some(writer) = writers.by_type.get(declared) {
            return Ok(Arc::clone(writer));
        }
        let writer = Arc::new(registry.writer(&self.schema, declared)?);
        // Declared types come from outside; only those that are known here get a place.
        if registry.event_type(declared.as_str()).is_some() && writers.by_type.len() < MOST_TYPES {
            writers.by_type.insert(declared.clone(), Arc::clone(&writer));
        }
        Ok(writer)
    }
}
