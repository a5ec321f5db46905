//! Publishing: checks an event from outside and stores it in the log.

mod permission;
mod read;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Broker, Limits, PublishError};
use fanfare_event::{Attributes, Encoded, Event, Id, Input, JsonMismatch, Registry, Timestamp, TypeName, Value};
use fanfare_token::Publish;
use serde::Serialize;
use serde_json::json;
use thiserror::Error;
use tracing::Instrument as _;

use self::read::read;
use super::decode::org_name;
use super::to_message;
use crate::groups::Groups;
use crate::projection::{Closing, Novelty};
use crate::route::{Match, RouteTable, Routes};

/// The most events of one batch.
pub const MOST_IN_BATCH: usize = 100;
/// How long storing a batch may take.
const BATCH_DEADLINE: Duration = Duration::from_secs(20);

/// An event as it was sent, before its body is compared with a schema.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The attributes.
    pub attributes: Attributes,
    /// The body.
    pub body: Body,
}

/// The outcome for a stored event, as far as this node knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Taken {
    /// Its id.
    pub id: String,
    /// It was stored before; clients are told once.
    pub duplicate: bool,
    /// Its state already has a higher revision, so it changes nothing.
    pub stale: bool,
    /// The names of the routes that took it.
    pub routes: Vec<String>,
}

/// Why a batch was refused.
#[derive(Debug, Error)]
pub enum BatchError {
    /// One of its events is refused, so none was stored.
    #[error("event {at}: {error}")]
    Event {
        /// Which, from 0.
        at: usize,
        /// Why not.
        error: IngestError,
    },
    /// The broker failed on the way.
    #[error("{stored} of {of} are stored: {reason}")]
    Interrupted {
        /// How many are stored.
        stored: usize,
        /// How many there are.
        of: usize,
        /// How the broker failed.
        reason: PublishError,
    },
}

/// An event that may be stored.
struct Checked {
    encoded: Encoded,
    /// The user whom it concerns, if it is of no org.
    user: Option<String>,
    event: Event,
    /// The schema by which it was checked.
    routes: Arc<RouteTable>,
}

/// The body of a published event.
#[derive(Debug, Clone)]
pub enum Body {
    /// An Avro record in single-object encoding.
    Avro(Vec<u8>),
    /// JSON to be checked against the schema.
    Json(serde_json::Value),
    /// The fields of a client's call, to be checked against the schema.
    Called(Input<'static>),
}

/// Why an event was not published.
#[derive(Debug, Error)]
pub enum IngestError {
    /// No schema of this name; with the known ones.
    #[error("unknown event type `{name}`{}", did_you_mean(.suggestion.as_deref()))]
    UnknownType {
        /// The name that was given.
        name: String,
        /// A known name that is close to it.
        suggestion: Option<String>,
    },
    /// The JSON does not fit the schema.
    #[error(transparent)]
    Mismatch(#[from] JsonMismatch),
    /// The Avro body cannot be read.
    #[error("the body is not a record of a known schema: {0}")]
    Undecodable(String),
    /// The body is a record of another type than the headers say.
    #[error("the headers say {said}, the body is a {is}")]
    OtherType {
        /// The type in the headers.
        said: String,
        /// The type of the body.
        is: String,
    },
    /// The body names another org than the headers.
    #[error("the headers name {}, the body {}", org_name(.said.as_deref()), org_name(.is.as_deref()))]
    OtherOrg {
        /// The org in the headers.
        said: Option<String>,
        /// The org in the body.
        is: Option<String>,
    },
    /// An id in the body is none.
    #[error("field `{field}` is not an id: {reason}")]
    InvalidId {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The source has used the id before, for something else.
    #[error("the id was used before, for another event of this source")]
    Conflict,
    /// The token does not allow this event.
    #[error("the token does not allow to publish {0}")]
    Forbidden(String),
    /// The broker did not take it.
    #[error(transparent)]
    Broker(#[from] PublishError),
}

fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default()
}

/// Takes events from outside into the log.
#[derive(Clone)]
pub struct Ingest {
    broker: Arc<dyn Broker>,
    routes: Routes,
    groups: Arc<Groups>,
}

impl Ingest {
    /// Publishes to this broker, checking against the schemas of these routes; the outcome is computed from routes and
    /// groups.
    #[must_use]
    pub fn new(broker: Arc<dyn Broker>, routes: Routes, groups: Arc<Groups>) -> Self {
        Self { broker, routes, groups }
    }

    /// Whether a token allows an event with these attributes, as far as they tell.
    ///
    /// # Errors
    /// [`IngestError::Forbidden`] with what the token allows.
    pub fn permit(&self, attributes: &Attributes, permission: &Publish) -> Result<(), IngestError> {
        permission::of_attributes(attributes, permission)
    }

    /// Checks an event, stores it and returns the outcome.
    ///
    /// The answer comes when the broker has it. Trying again with the same id is always safe.
    ///
    /// # Errors
    /// [`IngestError`] says whose fault it is.
    pub async fn publish(&self, draft: Draft, permission: &Publish) -> Result<Taken, IngestError> {
        let checked = self.check(draft, permission)?;
        self.take(checked).await
    }

    /// Checks events, and stores them in their order once all of them are sound.
    ///
    /// # Errors
    /// [`BatchError`]: nothing is stored, unless the broker fails on the way.
    pub async fn publish_all(&self, drafts: Vec<Draft>, permission: &Publish) -> Result<Vec<Taken>, BatchError> {
        let of = drafts.len();
        let mut all = Vec::with_capacity(of);
        let mut bodies: HashMap<String, Vec<u8>> = HashMap::new();
        for (at, draft) in drafts.into_iter().enumerate() {
            let checked = self.check(draft, permission).map_err(|error| BatchError::Event { at, error })?;
            let attributes = &checked.event.attributes;
            let body = bodies.entry(attributes.dedup_id()).or_insert_with(|| checked.encoded.body.clone());
            if *body != checked.encoded.body {
                return Err(BatchError::Event { at, error: IngestError::Conflict });
            }
            all.push(checked);
        }
        let deadline = tokio::time::Instant::now() + BATCH_DEADLINE;
        let mut taken = Vec::with_capacity(of);
        // One after the other: that keeps their order on every broker.
        for (at, checked) in all.into_iter().enumerate() {
            let late = || IngestError::Broker(PublishError::Unknown("the broker took too long".to_owned()));
            let stored = tokio::time::timeout_at(deadline, self.take(checked)).await;
            match stored.unwrap_or_else(|_| Err(late())) {
                Ok(event) => taken.push(event),
                Err(IngestError::Broker(reason)) if at > 0 => {
                    return Err(BatchError::Interrupted { stored: at, of, reason });
                }
                Err(error) => return Err(BatchError::Event { at, error }),
            }
        }
        Ok(taken)
    }

    /// The same for an event whose org must be one of these; returns its id.
    ///
    /// # Errors
    /// [`IngestError`] says whose fault it is.
    pub async fn publish_within(
        &self,
        attributes: Attributes,
        body: Body,
        may_concern: impl Fn(Option<&Id>) -> bool,
    ) -> Result<String, IngestError> {
        permission::of_own(&attributes.event_type)?;
        let (event, user) = self.encode(attributes, body)?;
        if !may_concern(event.attributes.org.as_ref()) {
            return Err(IngestError::Forbidden("events of this org".to_owned()));
        }
        let id = event.attributes.id.clone();
        self.store(event, user).await.map_err(for_client)?;
        Ok(id)
    }

    /// Publishes that an operator closes connections, and returns the event's id.
    ///
    /// # Errors
    /// [`IngestError`] if the broker does not take it.
    pub async fn close_connections(&self, closing: &Closing, now: i64) -> Result<String, IngestError> {
        let attributes = Attributes {
            id: uuid::Uuid::new_v4().to_string(),
            source: "/fanfare/operator".to_owned(),
            event_type: own_type(),
            time: Timestamp(now),
            subject: None,
            org: None,
            data_version: None,
            traceparent: fanfare_telemetry::traceparent(),
        };
        let body = json!({
            "connection": closing.connection,
            "user": closing.user.as_ref().map(Id::as_str),
            "session": closing.session.as_ref().map(Id::as_str),
            "realm": closing.realm,
        });
        let (event, user) = self.encode(attributes, Body::Json(body))?;
        let id = event.attributes.id.clone();
        self.store(event, user).await?;
        Ok(id)
    }

    /// Whether events of this type name their org in a field.
    #[must_use]
    pub fn has_org(&self, event_type: &str) -> bool {
        let routes = self.routes.now();
        routes.schemas().event_type(event_type).is_some_and(|known| known.newest().index_of("org").is_some())
    }

    /// Checks the token's rights before the event: schemas are not public.
    fn check(&self, draft: Draft, permission: &Publish) -> Result<Checked, IngestError> {
        let Draft { attributes, body } = draft;
        let routes = self.routes.now();
        let registry = routes.schemas();
        permission::of_attributes(&attributes, permission)?;
        if let Body::Json(json) = &body {
            permission::of_json(registry, &attributes.event_type, json, permission)?;
        }
        let read = read(registry, attributes, body);
        let (encoded, record) = read.map_err(|error| permission::without_what_is_not_theirs(error, permission))?;
        permission::of_org(encoded.attributes.org.as_ref(), permission)?;
        let user = Self::user(registry, &encoded);
        Limits::default().check(&to_message(encoded.clone(), user.as_deref()))?;
        let event = Event { attributes: encoded.attributes.clone(), record };
        if self.groups.read(|known| known.novelty(&event.attributes.dedup_id(), &encoded.body)) == Novelty::Conflict {
            return Err(IngestError::Conflict);
        }
        Ok(Checked { encoded, user, event, routes })
    }

    async fn take(&self, checked: Checked) -> Result<Taken, IngestError> {
        let Checked { encoded, user, event, routes } = checked;
        let matches = routes.route(&event);
        let (known, stale) = self.groups.read(|known| {
            let overtaken = |matched: &Match<'_>| known.had_newer(matched.route, &event, known.position());
            let novelty = known.novelty(&event.attributes.dedup_id(), &encoded.body);
            (novelty == Novelty::Again, matches.iter().any(overtaken))
        });
        let routes = matches.iter().map(|matched| matched.route.name().to_owned()).collect();
        // A duplicate that this node knows is stored anyway: the log may have been recreated since.
        let duplicate = self.store(encoded, user).await? || known;
        Ok(Taken { id: event.attributes.id, duplicate, stale, routes })
    }

    /// An event as it is stored, and the user or org that it belongs to.
    fn encode(&self, attributes: Attributes, body: Body) -> Result<(Encoded, Option<String>), IngestError> {
        let routes = self.routes.now();
        let event = Self::encode_with(routes.schemas(), attributes, body)?;
        let user = Self::user(routes.schemas(), &event);
        Ok((event, user))
    }

    /// Stores an event; whether it was stored before.
    async fn store(&self, event: Encoded, user: Option<String>) -> Result<bool, IngestError> {
        let message = to_message(event, user.as_deref());
        let published = self.broker.publish(message).instrument(tracing::info_span!("broker")).await?;
        // Only the first is stored; the sender of the other must not believe that theirs is.
        if published.conflicting { Err(IngestError::Conflict) } else { Ok(published.duplicate) }
    }

    /// The user of an event that is of no org.
    pub(crate) fn user(registry: &Registry, event: &Encoded) -> Option<String> {
        if event.attributes.org.is_some() {
            return None;
        }
        let record = registry.decode(&event.body).ok()?;
        record.get("user").and_then(Value::as_str).map(str::to_owned)
    }

    /// Checks an event and brings it into the form that is stored.
    ///
    /// # Errors
    /// [`IngestError`] if it does not fit its schema or contradicts itself.
    pub fn encode_with(registry: &Registry, attributes: Attributes, body: Body) -> Result<Encoded, IngestError> {
        read(registry, attributes, body).map(|(encoded, _)| encoded)
    }
}

/// The type of the event that only nodes publish.
fn own_type() -> TypeName {
    #[allow(clippy::expect_used, reason = "a constant that a test checks")]
    TypeName::parse(Closing::EVENT).expect("a type's name")
}

impl std::fmt::Debug for Ingest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ingest").finish_non_exhaustive()
    }
}

/// The error for a client: a refusal of the broker is only "not stored" to it. The log has the reason, for those who
/// can change it.
fn for_client(error: IngestError) -> IngestError {
    match error {
        IngestError::Broker(PublishError::Refused(reason)) => {
            tracing::warn!(reason, "the broker did not store an event that a client published");
            IngestError::Broker(PublishError::NotStored(reason))
        }
        other => other,
    }
}
