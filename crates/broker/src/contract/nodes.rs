//! Nodes' records: the newest of each name, in one order, and outside the log.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::restart::Faults;
use super::{Fixture, PATIENCE, event, ids, publish, reader, start, take};
use crate::broker::Broker;
use crate::error::{BrokerError, PublishError};
use crate::node_record::{NodeReader, NodeRecord};

fn record(node: &str, what: &str, body: &str) -> NodeRecord {
    NodeRecord { node: node.into(), what: what.into(), body: Bytes::copy_from_slice(body.as_bytes()) }
}

async fn tell(broker: &Arc<dyn Broker>, node: &str, what: &str, body: &str) {
    broker.tell_nodes(record(node, what, body)).await.expect("kept");
}

/// Writes a record until it is stored, as a node does that renews its lease.
async fn tell_through(broker: &Arc<dyn Broker>, record: NodeRecord) {
    let retry = async {
        while broker.tell_nodes(record.clone()).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, retry).await.expect("kept in time");
}

async fn next(reader: &mut Box<dyn NodeReader>) -> Result<Vec<NodeRecord>, BrokerError> {
    loop {
        match tokio::time::timeout(PATIENCE, reader.next()).await.expect("in time") {
            Err(BrokerError::Unavailable(_)) => {}
            outcome => return outcome,
        }
    }
}

type Entries = BTreeMap<(String, String), Bytes>;

fn fold(said: &mut Entries, records: Vec<NodeRecord>) {
    for NodeRecord { node, what, body } in records {
        if body.is_empty() {
            said.remove(&(node, what));
        } else {
            said.insert((node, what), body);
        }
    }
}

/// Reads the existing records, up to the empty batch that ends them.
async fn read_all(broker: &Arc<dyn Broker>) -> (Entries, Box<dyn NodeReader>) {
    let mut reader = broker.read_nodes().await.expect("a reader");
    let mut said = Entries::new();
    loop {
        let records = next(&mut reader).await.expect("records");
        if records.is_empty() {
            return (said, reader);
        }
        fold(&mut said, records);
    }
}

/// Reads until this record arrives.
async fn follow(reader: &mut Box<dyn NodeReader>, until: &NodeRecord) -> Vec<NodeRecord> {
    let mut all = Vec::new();
    while all.last() != Some(until) {
        all.extend(next(reader).await.expect("records"));
    }
    all
}

/// Only a node's newest record of each name counts. Removed records are not returned. Later records and later removals
/// are.
pub async fn the_newest_that_nodes_say_is_kept_and_then_followed(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    let (said, mut early) = read_all(&broker).await;
    assert!(said.is_empty());
    for (node, what, body) in [("a", "lease", "1"), ("b", "lease", "1"), ("a", "hub/group", "x"), ("a", "lease", "2")] {
        tell(&broker, node, what, body).await;
    }
    tell(&broker, "b", "lease", "").await;
    let (said, mut late) = read_all(&broker).await;
    let pair = |what: &str| ("a".to_owned(), what.to_owned());
    let expected = [(pair("lease"), Bytes::from("2")), (pair("hub/group"), Bytes::from("x"))];
    assert_eq!(said, BTreeMap::from(expected));
    let end = record("a", "lease", "3");
    tell(&broker, "a", "hub/group", "").await;
    tell(&broker, "a", "lease", "3").await;
    assert_eq!(follow(&mut late, &end).await, [record("a", "hub/group", ""), end.clone()]);
    let mut heard = Entries::new();
    fold(&mut heard, follow(&mut early, &end).await);
    assert_eq!(heard, BTreeMap::from([(pair("lease"), Bytes::from("3"))]));
    broker.close().await;
    assert!(matches!(next(&mut late).await, Err(BrokerError::Closed)));
    assert!(matches!(broker.tell_nodes(end).await, Err(PublishError::NotStored(_))));
}

/// Nodes' records are not in the log: its readers do not see them, and its end does not move.
pub async fn what_nodes_say_is_in_no_log(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    publish(&broker, event("one")).await;
    let head = broker.head().await.expect("a head");
    tell(&broker, "a", "lease", "1").await;
    let now = broker.head().await.expect("a head");
    assert_eq!((now.incarnation(), now.offsets()), (head.incarnation(), head.offsets()));
    let mut reader = reader(&broker, &start(&broker).await).await;
    publish(&broker, event("two")).await;
    assert_eq!(ids(&take(&mut reader, 2).await), ["one", "two"]);
    assert!(broker.state().await.expect("a reader").next().await.expect("a batch").is_empty());
}

/// More than fits into a batch, with names of any alphabet and length.
pub async fn whatever_nodes_say_comes_back(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    let mut sent = Entries::new();
    let odd = ["a.b/c*> _%", "j\u{fc}rgen", "~", "_"].map(str::to_owned);
    let long = ["a", "\u{20ac}"].map(|letter| letter.repeat(300));
    let many = (0..600).map(|n| format!("group-{n}"));
    for what in odd.into_iter().chain(long).chain(many) {
        let record = record("host-1.k3x9", &what, &what);
        sent.insert((record.node.clone(), record.what.clone()), record.body.clone());
        broker.tell_nodes(record).await.expect("kept");
    }
    assert_eq!(read_all(&broker).await.0, sent);
    let refused = broker.tell_nodes(record("a", "", "x")).await.expect_err("refused");
    assert!(matches!(refused, PublishError::Invalid(_)), "{refused}");
}

/// A reader reports that the stream was recreated, and then reads the new one.
pub async fn a_reader_of_node_records_reports_that_their_stream_was_recreated(fixture: &dyn Faults) {
    let broker = fixture.open().await;
    while broker.head().await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    tell_through(&broker, record("a", "lease", "1")).await;
    let (_, mut live) = read_all(&broker).await;
    fixture.recreate().await;
    tell_through(&broker, record("b", "lease", "1")).await;
    let ended = next(&mut live).await;
    assert!(matches!(ended, Err(BrokerError::OtherIncarnation { .. })), "{ended:?}");
    let (said, _) = read_all(&broker).await;
    assert_eq!(said.into_keys().map(|(node, _)| node).collect::<Vec<_>>(), ["b"]);
}

/// A killed server keeps the records, and its reader continues.
pub async fn what_nodes_say_outlives_a_kill(fixture: &dyn Faults) {
    let broker = fixture.open().await;
    tell_through(&broker, record("a", "lease", "1")).await;
    let (_, mut live) = read_all(&broker).await;
    fixture.kill_server().await;
    fixture.start_server().await;
    tell_through(&broker, record("a", "group", "x")).await;
    follow(&mut live, &record("a", "group", "x")).await;
    let other = fixture.open().await;
    let (said, _) = read_all(&other).await;
    assert_eq!(said.len(), 2, "{said:?}");
    other.close().await;
}
