//! Publishing for a client: an event that a declared method makes of its arguments.

use std::time::Duration;

use fanfare_broker::PublishError;
use fanfare_event::{Attributes, Id, Timestamp, TypeName};

use super::Shard;
use super::tab::Tab;
use crate::clock::unix_millis;
use crate::method::declared::{Draft, Refusal};
use crate::pipeline::{Body, IngestError};

/// How long the broker may take.
const DEADLINE: Duration = Duration::from_secs(10);

impl Shard {
    /// Publishes an event of one of the caller's orgs and gives its id.
    pub(super) async fn publish_asked(&self, tab: &Tab, draft: Draft) -> Result<String, Refusal> {
        let Draft { event, body, names_org } = draft;
        let claims = tab.identity.as_ref().map(|who| who.claims());
        let attributes = Attributes {
            id: uuid::Uuid::new_v4().to_string(),
            source: tab.hub.path.to_string(),
            // The type was found among the schemas at start.
            event_type: TypeName::parse(&event).map_err(|error| Refusal::Event(error.to_string()))?,
            time: Timestamp(unix_millis()),
            subject: None,
            // An event that names its org in its body is of that org, and of no other.
            org: claims.and_then(|claims| claims.org.clone()).filter(|_| !self.shared.ingest.has_org(&event)),
            data_version: None,
            traceparent: fanfare_telemetry::traceparent(),
        };
        let may_concern = |org: Option<&Id>| match (org, &tab.identity) {
            (Some(org), Some(who)) => who.belongs_to(org),
            (Some(_), None) => false,
            (None, _) => !names_org,
        };
        let published = self.shared.ingest.publish_within(attributes, Body::Called(body), may_concern);
        match tokio::time::timeout(DEADLINE, published).await {
            Ok(Ok(id)) => Ok(id),
            Ok(Err(error)) => Err(refusal(error)),
            Err(_) => Err(Refusal::Unknown),
        }
    }
}

fn refusal(error: IngestError) -> Refusal {
    match error {
        IngestError::Forbidden(_) => Refusal::Unauthorized,
        IngestError::Broker(PublishError::NotStored(_)) => Refusal::NotStored,
        IngestError::Broker(PublishError::Unknown(_)) => Refusal::Unknown,
        other => Refusal::Event(format!("{other}.")),
    }
}
