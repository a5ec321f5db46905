//! Publishing, reading in order, and waiting for more.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Fixture, PATIENCE, assert_in_order, event, ids, names, next, publish, publish_events, reader, start, state_record,
    take,
};
use crate::error::{BrokerError, PublishError};
use crate::limits::Limits;
use crate::message::{Message, Stream};

/// All parts of a message are returned unchanged, in the order of publishing.
pub async fn records_come_back_in_order_and_unchanged(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    let mut sent: Vec<Message> = names("e", 40).iter().map(|id| event(id)).collect();
    sent.push(Message { org: None, headers: vec![], ..event("without-org") });
    sent.push(Message {
        org: Some("a.b@c-d_e".into()),
        topic: "export.ExportCompleted".into(),
        headers: vec![("ce-subject".into(), "größe".into()), ("ce-org".into(), "a.b@c-d_e".into())],
        body: Bytes::from((0..=255).collect::<Vec<u8>>()),
        ..event("auth/größe *.>")
    });
    sent.push(Message { body: Bytes::from(vec![9; 512 * 1024]), ..event("large") });
    sent.push(state_record("dark.mode >*", "s1"));
    for message in &sent {
        publish(&broker, message.clone()).await;
    }
    let mut reader = reader(&broker, &start(&broker).await).await;
    let records = take(&mut reader, sent.len()).await;
    assert_eq!(records.len(), sent.len());
    assert_in_order(&records);
    for message in &sent {
        let found = records.iter().find(|r| r.message.id == message.id);
        assert_eq!(by_name(found.expect("was read").message.clone()), by_name(message.clone()));
    }
    let acme = |m: &Message| m.stream == Stream::Events && m.org.as_deref() == Some("acme");
    let order: Vec<&str> = ids(&records);
    let order = order.into_iter().filter(|id| id.starts_with('e'));
    let expected = sent.iter().filter(|m| acme(m) && m.id.starts_with('e'));
    assert!(order.eq(expected.map(|m| m.id.as_str())));
}

/// Headers with different names have no order.
fn by_name(mut message: Message) -> Message {
    message.headers.sort_by(|(a, _), (b, _)| a.cmp(b));
    message
}

/// A reader that waits at the end gets the next record.
pub async fn a_waiting_reader_wakes(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    publish(&broker, event("before")).await;
    let mut reader = reader(&broker, &broker.head().await.expect("a head")).await;
    let waiting = tokio::spawn(async move { next(&mut reader).await });
    // The result is the same whether or not the reader is waiting already.
    tokio::task::yield_now().await;
    let published = publish(&broker, event("after")).await;
    let batch = waiting.await.expect("no panic");
    assert_eq!(ids(&batch), ["after"]);
    assert_eq!(batch[0].offset, published.offset);
    assert_eq!(batch[0].partition, published.partition);
}

/// Reading from the end returns only later records, also if the server restarts first.
pub async fn a_reader_at_the_end_sees_nothing_old(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    publish_events(&broker, names("old", 5)).await;
    let head = broker.head().await.expect("a head");
    let mut reader = reader(&broker, &head).await;
    fixture.restart_server().await;
    publish_until_stored(&broker, event("new")).await;
    assert_eq!(ids(&next(&mut reader).await), ["new"]);
}

async fn publish_until_stored(broker: &Arc<dyn crate::Broker>, message: Message) {
    let retry = async {
        while broker.publish(message.clone()).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, retry).await.expect("stored");
}

/// The messages that one publisher sends in sequence are read in that order, whatever others do.
pub async fn concurrent_publishers_keep_their_order(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    let publishers: Vec<_> = (0..4)
        .map(|n| {
            let broker = Arc::clone(&broker);
            tokio::spawn(async move {
                for id in names(&format!("p{n}-"), 25) {
                    let org = Some(format!("org{n}"));
                    publish(&broker, Message { org, ..event(&id) }).await;
                }
            })
        })
        .collect();
    // Reading starts while they publish.
    let mut reader = reader(&broker, &start(&broker).await).await;
    let records = take(&mut reader, 100).await;
    for publisher in publishers {
        publisher.await.expect("no panic");
    }
    assert_eq!(records.len(), 100);
    assert_in_order(&records);
    for n in 0..4 {
        let prefix = format!("p{n}-");
        let own = ids(&records).into_iter().filter(|id| id.starts_with(&prefix));
        assert!(own.eq(names(&prefix, 25)), "publisher {n}");
    }
}

/// Messages that no broker can carry are refused before anything is stored.
pub async fn wrong_messages_are_refused(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    let keyless = Message { key: None, ..state_record("k", "keyless") };
    let refused = broker.publish(keyless).await.expect_err("refused");
    assert!(matches!(refused, PublishError::Invalid(_)), "{refused}");
    let broken = Message { headers: vec![("a".into(), "b\r\nc: d".into())], ..event("broken") };
    let refused = broker.publish(broken).await.expect_err("refused");
    assert!(matches!(refused, PublishError::Invalid(_)), "{refused}");
    let large = Message { body: vec![0; Limits::default().body + 1].into(), ..event("large") };
    let refused = broker.publish(large).await.expect_err("refused");
    assert!(matches!(refused, PublishError::TooLarge { .. }), "{refused}");
    publish(&broker, event("right")).await;
    let mut reader = reader(&broker, &start(&broker).await).await;
    assert_eq!(ids(&next(&mut reader).await), ["right"]);
}

/// After closing, publishers and readers get an error instead of waiting forever.
pub async fn a_closed_broker_refuses_work(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    publish(&broker, event("before")).await;
    let head = broker.head().await.expect("a head");
    let mut waiting = reader(&broker, &head).await;
    broker.close().await;
    let refused = broker.publish(event("after")).await.expect_err("refused");
    assert!(matches!(refused, PublishError::NotStored(_)), "{refused}");
    let ended = tokio::time::timeout(PATIENCE, waiting.next()).await;
    let ended = ended.expect("in time").expect_err("ended");
    assert!(matches!(ended, BrokerError::Closed), "{ended}");
    broker.close().await;
}
