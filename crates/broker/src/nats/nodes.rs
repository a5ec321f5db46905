//! Nodes' records: a stream of its own, with one subject for each name of a node.

use std::sync::Arc;

use async_nats::HeaderMap;
use async_trait::async_trait;

use super::Shared;
use super::place::StartPlace;
use super::publish::not_stored;
use super::source::{Batches, Source, Until};
use super::streams::Kind;
use super::wire::Parts;
use crate::error::{BrokerError, PublishError};
use crate::node_record::{NodeReader, NodeRecord};
use crate::token;

/// The header of a name that is too long for the subject.
const LONG: &str = "fanfare-what";

/// How long a removal stays, on servers that let a message expire: longer than a reader may be behind without being
/// reopened.
const REMOVAL_LIFE: &str = "1h";

impl Shared {
    pub(super) async fn tell_nodes(&self, record: NodeRecord) -> Result<(), PublishError> {
        record.check(&self.options.limits)?;
        let expires = self.check_nodes().await.map_err(not_stored)?;
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Expected-Stream", self.name(Kind::Nodes).as_str());
        if token::is_long(&record.what) {
            headers.insert(LONG, record.what.as_str());
        }
        if record.is_removal() && expires {
            headers.insert("Nats-TTL", REMOVAL_LIFE);
        }
        let subject = subject(&self.options.prefix, &record);
        let limit = self.max_payload().await.map_err(not_stored)?;
        let size = record.body.len() + record.what.len() + subject.len() + 160;
        if size > limit {
            return Err(PublishError::TooLarge { part: "record", size, limit });
        }
        self.store_plain(&subject, headers, record.body).await.map_err(|failure| self.outcome(&subject, failure))
    }
}

fn subject(prefix: &str, record: &NodeRecord) -> String {
    let mut subject = format!("{prefix}.nodes");
    for part in [&record.node, &record.what] {
        subject.push('.');
        token::part(part, &mut subject);
    }
    subject
}

/// Decodes a message; none if no node has written it.
fn record(parts: Parts) -> Option<NodeRecord> {
    let mut tokens = parts.subject.rsplit('.');
    let (what, node) = (tokens.next()?, tokens.next()?);
    let long = parts.headers.iter().find(|(name, _)| name == LONG).map(|(_, value)| value.as_str());
    Some(NodeRecord { node: token::value(node, None)?, what: token::value(what, long)?, body: parts.body })
}

/// Reads nodes' records.
pub(super) struct Told {
    shared: Arc<Shared>,
    batches: Batches<Option<NodeRecord>>,
    /// The last message that existed at the start, until it was read.
    begun: Option<u64>,
    ended: Option<BrokerError>,
}

impl Told {
    pub(super) async fn open(shared: &Arc<Shared>) -> Result<Self, BrokerError> {
        shared.check_nodes().await?;
        let info = shared.stream(Kind::Nodes).await?;
        let begun = Some(if info.state.messages == 0 { 0 } else { info.state.last_seq });
        let from = StartPlace { kind: Kind::Nodes, after: 0, created: info.created.clone(), known: None, newest: 0 };
        let batches = Source::spawn(shared, from, Some(info), Until::Forever, record);
        Ok(Self { shared: Arc::clone(shared), batches, begun, ended: None })
    }
}

#[async_trait]
impl NodeReader for Told {
    async fn next(&mut self) -> Result<Vec<NodeRecord>, BrokerError> {
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        if self.begun == Some(0) {
            self.begun = None;
            return Ok(Vec::new());
        }
        loop {
            let received = self.batches.recv().await;
            if self.shared.link.is_closed() {
                return Err(BrokerError::Closed);
            }
            match received {
                Some(Ok(batch)) => {
                    if self.begun.is_some_and(|begun| batch.through >= begun) {
                        // Returned by the next call.
                        self.begun = Some(0);
                    }
                    let records: Vec<NodeRecord> = batch.items.into_iter().flatten().collect();
                    if !records.is_empty() {
                        return Ok(records);
                    }
                    if self.begun == Some(0) {
                        self.begun = None;
                        return Ok(records);
                    }
                }
                Some(Err(stopped)) => {
                    let error = stopped.into_error();
                    if !matches!(error, BrokerError::Unavailable(_)) {
                        self.ended = Some(error.clone());
                    }
                    return Err(error);
                }
                None => return Err(self.ended.insert(BrokerError::Closed).clone()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::super::wire::Place;
    use super::*;

    proptest! {
        #[test]
        fn a_record_comes_back_from_its_subject(node in "[^\\p{C}]{1,20}", what in "[^\\p{C}]{1,300}") {
            let sent = NodeRecord { node, what: what.clone(), body: Bytes::from_static(b"x") };
            let subject = subject("fanfare", &sent);
            prop_assert!(subject.starts_with("fanfare.nodes.") && subject.split('.').count() == 4);
            let place = Place { partition: 0, offset: 1, time: 0 };
            let headers = vec![(LONG.to_owned(), what)];
            let back = record(Parts { place, subject, headers, body: sent.body.clone() });
            prop_assert_eq!(back, Some(sent));
        }
    }

    #[test]
    fn foreign_records_are_ignored() {
        for subject in ["", "nodes", "fanfare.nodes.a%61.lease", "fanfare.nodes.a.~00"] {
            let place = Place { partition: 0, offset: 1, time: 0 };
            let parts = Parts { place, subject: subject.into(), headers: vec![], body: Bytes::new() };
            assert_eq!(record(parts), None, "{subject}");
        }
    }
}
