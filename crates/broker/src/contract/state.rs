//! Compacted state: the newest record per key.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use super::{Fixture, assert_in_order, event, next, publish, state_record};
use crate::broker::Broker;
use crate::message::{Message, Record};

type Key = (Option<String>, String, Option<String>);

/// Reads all state and keeps the last record of each key, as every reader must.
async fn fold(broker: &Arc<dyn Broker>) -> (BTreeMap<Key, String>, Vec<Record>) {
    let mut reader = broker.state().await.expect("a reader");
    let mut records = Vec::new();
    loop {
        let batch = next(&mut reader).await;
        if batch.is_empty() {
            break;
        }
        records.extend(batch);
    }
    let mut newest = BTreeMap::new();
    for Record { message: m, .. } in &records {
        let key = (m.org.clone(), m.topic.clone(), m.key.clone());
        if m.is_tombstone() {
            newest.remove(&key);
        } else {
            newest.insert(key, m.id.clone());
        }
    }
    (newest, records)
}

/// Orgs and keys are any text of up to 256 characters, and are returned unchanged.
pub async fn any_org_and_key_come_back(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    let names = ["auth0|64f0c2", "_", "~", "a.b/c*>", "urn:acme:user:17 ", "j\u{fc}rgen", "%61"].map(str::to_owned);
    let long = ["a", "\u{fc}", "\u{20ac}", "."].map(|letter| letter.repeat(256));
    let mut sent = BTreeMap::new();
    for (n, name) in names.into_iter().chain(long).enumerate() {
        let headers = vec![("ce-org".into(), name.clone())];
        let message = Message { org: Some(name.clone()), headers, ..state_record(&name, &format!("id-{n}")) };
        sent.insert((message.org.clone(), message.topic.clone(), message.key.clone()), message.id.clone());
        publish(&broker, message).await;
    }
    let (newest, records) = fold(&broker).await;
    assert_eq!(newest, sent);
    for record in records {
        assert_eq!(record.message.headers.len(), 1, "what travels beside is not shown: {:?}", record.message.headers);
    }
    broker.close().await;
}

async fn newest_ids(broker: &Arc<dyn Broker>) -> Vec<String> {
    let mut newest: Vec<String> = fold(broker).await.0.into_values().collect();
    newest.sort();
    newest
}

/// Keys of different organisations and topics are different keys; events are not state.
pub async fn the_newest_record_of_each_key_is_kept(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    assert!(newest_ids(&broker).await.is_empty(), "no state, no waiting");
    publish(&broker, event("an-event")).await;
    publish(&broker, state_record("a", "a1")).await;
    publish(&broker, state_record("b", "b1")).await;
    publish(&broker, state_record("a", "a2")).await;
    let elsewhere = Message { org: Some("globex".into()), ..state_record("a", "globex-a1") };
    publish(&broker, elsewhere).await;
    let nowhere = Message { org: None, ..state_record("a", "orgless-a1") };
    publish(&broker, nowhere).await;
    let other_topic = Message { topic: "auth.RolesChanged".into(), ..state_record("a", "roles-a1") };
    publish(&broker, other_topic).await;
    let expected = ["a2", "b1", "globex-a1", "orgless-a1", "roles-a1"];
    assert_eq!(newest_ids(&broker).await, expected);
    broker.close().await;
    drop(broker);

    let broker = fixture.open().await;
    let (_, records) = fold(&broker).await;
    assert_in_order(&records);
    assert_eq!(newest_ids(&broker).await, expected);
}

/// An empty body removes the key; a later record brings it back.
pub async fn a_tombstone_removes_its_key(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    publish(&broker, state_record("a", "a1")).await;
    publish(&broker, state_record("b", "b1")).await;
    let tombstone = |key: &str, id: &str| Message { body: Bytes::new(), ..state_record(key, id) };
    publish(&broker, tombstone("a", "a-gone")).await;
    publish(&broker, tombstone("never-there", "nothing-gone")).await;
    assert_eq!(newest_ids(&broker).await, ["b1"]);
    publish(&broker, state_record("a", "a2")).await;
    assert_eq!(newest_ids(&broker).await, ["a2", "b1"]);
}

/// More keys than fit into one batch.
pub async fn many_keys_come_in_bounded_batches(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    let publishers: Vec<_> = (0..10)
        .map(|p| {
            let broker = Arc::clone(&broker);
            tokio::spawn(async move {
                for n in 0..60 {
                    let name = format!("{p}-{n}");
                    publish(&broker, state_record(&name, &name)).await;
                }
            })
        })
        .collect();
    for publisher in publishers {
        publisher.await.expect("no panic");
    }
    let (newest, records) = fold(&broker).await;
    assert_eq!(newest.len(), 600);
    assert_in_order(&records);
}
