//! A change of state and the events that report it, committed together.

use crate::{Database, Error};
use fanfare_event::{Attributes, Id, Timestamp, TypeName, TypedEvent};
use fanfare_outbox::{Outbox, OutboxError};
use fanfare_telemetry::fields;
use serde::Serialize;
use sqlx::Transaction;
use sqlx::{Any, AnyConnection};
use std::sync::Arc;
use uuid::Uuid;

/// One transaction on the producer's database.
///
/// Events published through it are written to the outbox in the same transaction, so that there is never a change
/// without its event or an event without its change. If it is dropped without [`Change::commit`], nothing happens.
pub struct Change {
    transaction: Transaction<'static, Any>,
    source: Arc<str>,
    outbox: Outbox,
    now: Timestamp,
    published: bool,
}

/// The audience and subject of an event.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// The org the event belongs to, if it belongs to one.
    pub org: Option<Id>,
    /// Its subject within the producer: a user, a flag, a job.
    pub subject: Option<String>,
    /// When it happened, if not at the time of the transaction.
    pub time: Option<Timestamp>,
}

impl About {
    /// An event of an org about one subject.
    pub fn org(org: &Id, subject: &str) -> Self {
        Self { org: Some(org.clone()), subject: Some(subject.to_owned()), time: None }
    }
}

/// The id of a published event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EventId(pub String);

impl Change {
    pub(crate) async fn begin(database: &Database, outbox: Outbox, source: Arc<str>) -> Result<Self, Error> {
        let mut transaction = outbox.begin().await.map_err(refused)?;
        let now = database.now_on(&mut transaction).await?;
        Ok(Self { transaction, source, outbox, now, published: false })
    }

    /// The time of this change, by the clock of the database.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The connection for statements of this change.
    pub fn connection(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }

    /// The revision after the given one.
    ///
    /// Revisions follow the clock, so that they keep rising even if the previous one was lost, and rise by one if the
    /// clock did not.
    pub fn next_revision(&self, previous: i64) -> i64 {
        self.now.0.max(previous.saturating_add(1))
    }

    /// Puts the event into the outbox.
    ///
    /// # Errors
    /// If the event does not fit its own schema, or the database fails.
    pub async fn publish<E: TypedEvent>(&mut self, about: About, event: &E) -> Result<EventId, Error> {
        // Version 7 ids rise with time, which keeps the outbox's index compact.
        let id = Uuid::now_v7().to_string();
        let attributes = Attributes {
            id: id.clone(),
            source: self.source.to_string(),
            event_type: TypeName::parse(E::TYPE).map_err(Error::internal)?,
            time: about.time.unwrap_or(self.now),
            subject: about.subject,
            org: about.org,
            data_version: None,
            traceparent: fanfare_telemetry::traceparent(),
        };
        let encoded = fanfare_event::encode(attributes, event).map_err(Error::internal)?;
        self.outbox.append(&mut self.transaction, &encoded).await.map_err(refused)?;
        tracing::info!({ fields::EVENT_ID } = id, { fields::EVENT_TYPE } = E::TYPE, "event appended");
        self.published = true;
        Ok(EventId(id))
    }

    /// Commits everything, and wakes the relay if there is an event to publish.
    ///
    /// # Errors
    /// If the database fails; then nothing has happened.
    pub async fn commit(self) -> Result<(), Error> {
        self.transaction.commit().await?;
        if self.published {
            self.outbox.wake();
        }
        Ok(())
    }
}

fn refused(error: OutboxError) -> Error {
    match error {
        OutboxError::Database(error) => error.into(),
        other => Error::internal(other),
    }
}
