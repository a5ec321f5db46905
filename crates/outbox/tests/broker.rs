//! Publishing directly to a broker, here the embedded one.

// A failing helper should end the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::embedded::{Embedded, Options};
use fanfare_broker::{Broker, Position, Record, Stream};
use fanfare_event::Attributes;
use fanfare_outbox::{BrokerPublisher, PublishError, Publisher};
use support::{Database, alert, commit, event, quick, start, until_empty};

fn open(folder: &tempfile::TempDir) -> Arc<dyn Broker> {
    Arc::new(Embedded::open(folder.path(), Options::default()).unwrap())
}

async fn records(broker: &Arc<dyn Broker>) -> Vec<Record> {
    let incarnation = broker.head().await.unwrap().incarnation();
    let mut reader = broker.read(&Position::start(incarnation)).await.unwrap();
    reader.next().await.unwrap()
}

#[tokio::test]
async fn committed_rows_are_in_the_log_in_order_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(&folder);
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let relay = start(&outbox, BrokerPublisher::new(Arc::clone(&broker)), quick());
    commit(&outbox, (1..=50).map(|number| event("acme", number))).await;
    until_empty(&outbox).await;
    relay.stop().await;
    let records = records(&broker).await;
    let sent: Vec<_> = (1..=50).map(|number| event("acme", number)).collect();
    assert_eq!(records.len(), 50);
    for (record, sent) in records.iter().zip(&sent) {
        let message = &record.message;
        assert_eq!((&message.id, &message.body[..]), (&sent.attributes.dedup_id(), &sent.body[..]));
        assert_eq!((message.org.as_deref(), message.topic.as_str()), (Some("acme"), "license.FlagToggled"));
        assert_eq!((message.stream, &message.key), (Stream::State, &sent.key));
        let headers = message.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        assert_eq!(Attributes::from_headers(headers).unwrap().id, sent.attributes.id);
    }
    broker.close().await;
}

#[tokio::test]
async fn published_rows_are_kept_until_the_horizon_has_passed() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(&folder);
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let publisher = BrokerPublisher::new(Arc::clone(&broker)).horizon(Duration::from_secs(2));
    let relay = start(&outbox, publisher, quick());
    commit(&outbox, (1..=50).map(|number| event("acme", number))).await;
    until_empty(&outbox).await;
    let count = async || database.count("SELECT COUNT(*) FROM fanfare_outbox WHERE published_at IS NOT NULL").await;
    assert!(count().await > 0, "published and kept");
    let began = std::time::Instant::now();
    while count().await > 0 {
        assert!(began.elapsed() < support::SOON, "they are forgotten");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(relay.stats.lost(), 0);
    relay.stop().await;
    assert_eq!(records(&broker).await.len(), 50);
    broker.close().await;
}

#[tokio::test]
async fn events_are_ordered_by_org_else_by_user() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(&folder);
    let publisher = BrokerPublisher::new(Arc::clone(&broker));
    publisher.publish(&alert("1", Some("acme"), Some("alice"), "a")).await.unwrap();
    publisher.publish(&alert("2", None, Some("alice"), "a")).await.unwrap();
    publisher.publish(&alert("3", None, None, "a")).await.unwrap();
    let keys: Vec<_> = records(&broker).await.into_iter().map(|r| (r.message.org, r.message.key)).collect();
    assert_eq!(keys, [(Some("acme".into()), None), (None, Some("alice".into())), (None, None)]);
}

#[tokio::test]
async fn rows_that_no_broker_accepts_are_rejected_and_the_rest_waits() {
    let folder = tempfile::tempdir().unwrap();
    let broker = open(&folder);
    let publisher = BrokerPublisher::new(Arc::clone(&broker));
    let once = alert("1", None, None, "a");
    publisher.publish(&once).await.unwrap();
    publisher.publish(&once).await.unwrap();
    assert_eq!(records(&broker).await.len(), 1, "the same event again is the same event");

    let other = alert("1", None, None, "b");
    let rejected = publisher.publish(&other).await;
    assert!(matches!(&rejected, Err(PublishError::Rejected(reason)) if reason.contains("used before")), "{rejected:?}");
    let mut large = alert("2", None, None, "a");
    large.body = vec![0; 2 << 20];
    let rejected = publisher.publish(&large).await;
    assert!(matches!(&rejected, Err(PublishError::Rejected(reason)) if reason.contains("body has")), "{rejected:?}");

    broker.close().await;
    let away = publisher.publish(&alert("3", None, None, "a")).await;
    assert!(matches!(&away, Err(PublishError::Unreachable(_))), "{away:?}");
}
