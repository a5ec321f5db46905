//! Reads records that were written with a schema from a schema registry.

use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use super::{ForeignSchema, split};
use crate::decode::{self, MAX_BODY, Misfit, Plans};
use crate::resolution::{Rules, resolve};
use crate::schema::Fault;
use crate::{DecodeError, EventType, Record, TypeName};

/// Why records of a schema cannot be read as an event.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WriterError {
    /// Neither the schema nor the event names a known type.
    #[error("schema {id} is a `{name}`, which names no event type known here, and neither does ce-type `{declared}`")]
    UnknownType {
        /// The schema's id.
        id: u32,
        /// Its full name.
        name: String,
        /// The event's declared type.
        declared: TypeName,
    },
    /// The newest version of the type cannot read records of the schema.
    #[error("{event_type} cannot be read{}: {reason}", super::schema::at(field.as_deref()))]
    Incompatible {
        /// The type.
        event_type: TypeName,
        /// The path of the field, if the fault is in one.
        field: Option<String>,
        /// What is wrong.
        reason: String,
    },
}

impl WriterError {
    fn incompatible(event_type: &EventType, Fault { field, reason, .. }: Fault) -> Self {
        Self::Incompatible { event_type: event_type.name().clone(), field, reason }
    }
}

/// Reads records that were written with one schema as events of one type.
pub struct Writer {
    schema: u32,
    event_type: Arc<EventType>,
    /// The version that routes use: the one that equals the schema, else the newest.
    version: u32,
    plans: Plans,
}

impl Writer {
    /// Plans the conversion from the bytes to the newest version, which must be able to read them.
    pub(crate) fn new(schema: &ForeignSchema, event_type: &Arc<EventType>) -> Result<Self, WriterError> {
        let newest = event_type.newest();
        let plans = resolve(schema.layouts(), &newest.fields, Rules::Foreign)
            .map_err(|fault| WriterError::incompatible(event_type, fault))?;
        let fingerprint = schema.fingerprint();
        let same = event_type.versions().iter().find(|version| version.fingerprint == fingerprint);
        let version = same.unwrap_or(newest).version;
        Ok(Self { schema: schema.id(), event_type: event_type.clone(), version, plans })
    }

    /// The type of the events.
    #[must_use]
    pub fn event_type(&self) -> &Arc<EventType> {
        &self.event_type
    }

    /// Decodes a body in the Confluent wire format that names this schema.
    ///
    /// # Errors
    /// [`DecodeError`] if the bytes do not fit the schema.
    pub fn decode(&self, body: &[u8]) -> Result<Record, DecodeError> {
        if body.len() > MAX_BODY {
            return Err(DecodeError::TooLarge { size: body.len() });
        }
        let Some((_, datum)) = split(body).filter(|(id, _)| *id == self.schema) else {
            return Err(self.malformed(String::new(), format!("the body does not name schema {}", self.schema)));
        };
        let values = decode::read(&self.plans, datum).map_err(|misfit| match misfit {
            Misfit::Malformed { field, reason } => self.malformed(field, reason),
            Misfit::Trailing(count) => self.malformed(String::new(), format!("{count} bytes follow the record")),
        })?;
        Ok(Record::new(self.event_type.clone(), self.version, values))
    }

    fn malformed(&self, field: String, reason: String) -> DecodeError {
        let event_type = self.event_type.name().clone();
        DecodeError::RegisteredMalformed { event_type, schema: self.schema, field, reason }
    }
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "schema {} as {}", self.schema, self.event_type.name())
    }
}
