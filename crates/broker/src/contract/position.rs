//! Positions: continuing after one, and refusing those of another log.

use std::sync::Arc;

use super::{Fixture, assert_in_order, event, ids, names, publish, publish_events, reader, start, state_record, take};
use crate::error::BrokerError;
use crate::message::Record;
use crate::position::Position;

/// Reading from the position after a record returns exactly the later records.
pub async fn reading_goes_on_strictly_after_a_position(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    publish_events(&broker, names("e", 10)).await;
    for n in 0..5 {
        publish(&broker, state_record(&format!("k{n}"), &format!("s{n}"))).await;
        publish(&broker, event(&format!("f{n}"))).await;
    }
    let first = start(&broker).await;
    let all = take(&mut reader(&broker, &first).await, 20).await;
    assert_eq!(all.len(), 20);
    let mut position = first;
    for read in 0..all.len() - 1 {
        assert!(position.advance(&all[read]), "each record is new");
        let expected = &all[read + 1..];
        let rest = take(&mut reader(&broker, &position).await, expected.len()).await;
        assert_in_order(&rest);
        assert_eq!(sorted(&rest), sorted(expected), "after {read}");
    }
    position.advance(&all[19]);
    assert_eq!(position, broker.head().await.expect("a head"));
}

fn sorted(records: &[Record]) -> Vec<(u32, u64, &str)> {
    let places = records.iter().map(|r| (r.partition, r.offset, r.message.id.as_str()));
    let mut places: Vec<_> = places.collect();
    places.sort_unstable();
    places
}

/// A position from before a restart means the same place after it, and new records are after it.
pub async fn positions_stay_valid_after_opening_again(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    publish_events(&broker, names("a", 6)).await;
    let all = take(&mut reader(&broker, &start(&broker).await).await, 6).await;
    let head = broker.head().await.expect("a head");
    let mut middle = start(&broker).await;
    all[..3].iter().for_each(|r| assert!(middle.advance(r)));
    broker.close().await;
    drop(broker);

    let broker = fixture.open().await;
    assert_eq!(broker.head().await.expect("a head"), head);
    let later = publish(&broker, event("b")).await;
    assert!(!head.covers(later.partition, later.offset));
    let rest = take(&mut reader(&broker, &middle).await, 4).await;
    assert_eq!(ids(&rest), ["a3", "a4", "a5", "b"]);
}

/// A position of another log, or beyond the end of this one, is refused: reading from it would skip records silently.
pub async fn other_incarnations_and_the_future_are_refused(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    publish_events(&broker, names("e", 3)).await;
    let head = broker.head().await.expect("a head");
    let parts = || head.offsets().iter().copied();
    let foreign = Position::from_parts(head.incarnation() ^ 1, parts());
    let beyond = parts().map(|(partition, offset)| (partition, offset + 1));
    let beyond = Position::from_parts(head.incarnation(), beyond);
    for position in [foreign, beyond] {
        match broker.read(&position).await.err() {
            Some(BrokerError::OtherIncarnation { .. }) => {}
            other => panic!("{position:?} must be refused, got {other:?}"),
        }
    }
}

/// Once a publish is answered, the record is visible to everyone.
pub async fn the_head_covers_what_was_published(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    let mut before = broker.head().await.expect("a head");
    for id in names("e", 10) {
        let published = publish(&broker, event(&id)).await;
        let head = broker.head().await.expect("a head");
        assert!(head.covers(published.partition, published.offset));
        assert!(before < head, "the head moves on");
        before = head;
    }
}

/// A reader whose caller cancels again and again returns every record once.
pub async fn giving_up_waiting_loses_nothing(fixture: &dyn Fixture) {
    const COUNT: usize = 200;
    let broker = fixture.open().await;
    let mut reader = reader(&broker, &start(&broker).await).await;
    let publisher = Arc::clone(&broker);
    let publisher = tokio::spawn(async move {
        publish_events(&publisher, names("e", COUNT)).await;
    });
    let mut records: Vec<Record> = Vec::new();
    let mut given_up = 0u32;
    let collect = async {
        while records.len() < COUNT {
            tokio::select! {
                biased;
                batch = reader.next() => records.extend(batch.expect("a batch")),
                () = tokio::task::yield_now() => given_up += 1,
            }
        }
    };
    tokio::time::timeout(super::PATIENCE, collect).await.expect("all records in time");
    publisher.await.expect("no panic");
    assert!(given_up > 0, "the reader was never interrupted");
    assert_eq!(ids(&records), names("e", COUNT));
}
