//! De-duplication by id.

use std::sync::Arc;

use bytes::Bytes;

use super::{Fixture, event, ids, publish, reader, start, take};
use crate::message::Message;

/// A second attempt gets the place of the first, also after the log was reopened.
pub async fn the_same_id_is_stored_once(fixture: &dyn Fixture) {
    if !fixture.abilities().deduplicates {
        return;
    }
    let broker = fixture.open().await;
    let first = publish(&broker, event("one")).await;
    assert!(!first.duplicate);
    publish(&broker, event("two")).await;
    let retry = Message { headers: vec![("traceparent".into(), "another".into())], ..event("one") };
    let again = publish(&broker, retry).await;
    assert!(again.duplicate && !again.conflicting, "{again:?}");
    assert_eq!((again.partition, again.offset), (first.partition, first.offset));
    broker.close().await;
    drop(broker);

    let broker = fixture.open().await;
    let again = publish(&broker, event("one")).await;
    assert!(again.duplicate, "{again:?}");
    assert_eq!(again.offset, first.offset);
    publish(&broker, event("three")).await;
    let records = take(&mut reader(&broker, &start(&broker).await).await, 3).await;
    assert_eq!(ids(&records), ["one", "two", "three"]);
}

/// Of concurrent attempts one is stored, and all are answered with its place.
pub async fn the_same_id_at_the_same_time_is_stored_once(fixture: &dyn Fixture) {
    if !fixture.abilities().deduplicates {
        return;
    }
    let broker = fixture.open().await;
    let attempts: Vec<_> = (0..8)
        .map(|_| {
            let broker = Arc::clone(&broker);
            tokio::spawn(async move { publish(&broker, event("same")).await })
        })
        .collect();
    let mut answers = Vec::new();
    for attempt in attempts {
        answers.push(attempt.await.expect("no panic"));
    }
    assert_eq!(answers.iter().filter(|a| !a.duplicate).count(), 1);
    assert!(answers.iter().all(|a| a.offset == answers[0].offset));
    publish(&broker, event("last")).await;
    let records = take(&mut reader(&broker, &start(&broker).await).await, 2).await;
    assert_eq!(ids(&records), ["same", "last"]);
}

/// A message whose id was used for other content is not stored, and the publisher is notified.
pub async fn an_id_with_another_content_is_reported(fixture: &dyn Fixture) {
    if !fixture.abilities().tells_conflicts {
        return;
    }
    let broker = fixture.open().await;
    let first = publish(&broker, event("one")).await;
    let others = [
        Message { body: Bytes::from_static(b"something else"), ..event("one") },
        Message { org: Some("globex".into()), ..event("one") },
    ];
    for other in others {
        let answer = publish(&broker, other).await;
        assert!(answer.duplicate && answer.conflicting, "{answer:?}");
        assert_eq!(answer.offset, first.offset);
    }
}
