//! The replay window: a range of the log, by count and by age.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Fixture, PATIENCE, event, ids, names, publish, publish_events, reader, start, state_record, take};
use crate::broker::Broker;
use crate::position::Position;

const LONG: Duration = Duration::from_secs(3600);

/// Publishes one more record, so that reading an empty window does not wait.
async fn read_window(broker: &Arc<dyn Broker>, age: Duration, records: u64) -> Vec<String> {
    let position = broker.window(age, records).await.expect("a window");
    let end = uuid();
    publish(broker, event(&end)).await;
    let mut reader = reader(broker, &position).await;
    let mut read = Vec::new();
    while read.last() != Some(&end) {
        let batch = take(&mut reader, 1).await;
        read.extend(ids(&batch).into_iter().map(String::from));
    }
    read.pop();
    read
}

fn uuid() -> String {
    format!("end-{}", now().as_nanos())
}

fn now() -> Duration {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970")
}

/// At most this many records, however young the others are.
pub async fn the_count_ends_the_window(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    publish_events(&broker, names("e", 30)).await;
    let all = names("e", 30);
    assert_eq!(read_window(&broker, LONG, 10).await, all[20..]);
    let head = broker.head().await.expect("a head");
    assert_eq!(broker.window(LONG, 0).await.expect("a window"), head);
}

/// Records older than the age are excluded, however few there are.
pub async fn the_age_ends_the_window(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    publish_events(&broker, names("old", 3)).await;
    // The window is about real time, so time must pass. If the machine stalls, the test tries again.
    let deadline = Instant::now() + PATIENCE;
    for attempt in 0.. {
        assert!(Instant::now() < deadline, "the machine is too slow");
        tokio::time::sleep(Duration::from_millis(700)).await;
        let began = Instant::now();
        let id = format!("new{attempt}");
        publish(&broker, event(&id)).await;
        let age = Duration::from_millis(500);
        let read = read_window(&broker, age, 1000).await;
        if began.elapsed() < age {
            assert_eq!(read, [id]);
            break;
        }
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let empty = broker.window(Duration::from_millis(100), 1000).await;
    let head = broker.head().await.expect("a head");
    assert_eq!(empty.expect("a window"), head, "nothing is that young");
}

/// A window larger than the log starts before its first record.
pub async fn a_young_log_lies_in_the_window_as_a_whole(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    let empty = broker.window(LONG, 1000).await.expect("a window");
    assert_eq!(empty, start(&broker).await);
    publish_events(&broker, names("e", 5)).await;
    assert_eq!(read_window(&broker, LONG, 1000).await, names("e", 5));
}

/// The time of a record orders partitions, so it must not depend on when and from where a node reads.
pub async fn a_record_has_one_time_wherever_its_reader_began(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    for n in 0..6 {
        publish(&broker, event(&format!("e{n}"))).await;
        publish(&broker, state_record(&format!("k{n}"), &format!("s{n}"))).await;
    }
    let all = take(&mut reader(&broker, &start(&broker).await).await, 12).await;
    let times: BTreeMap<_, _> = all.iter().map(|record| ((record.partition, record.offset), record.time)).collect();
    let newest = all.iter().map(|record| record.time).max().expect("records");
    // A position contains a time, and a node that starts later writes a later one.
    while now().as_millis() <= u128::try_from(newest).expect("after 1970") {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let window = broker.window(LONG, 3).await.expect("a window");
    let head = broker.head().await.expect("a head");
    let before = head.offsets().iter().map(|(partition, offset)| (*partition, offset.saturating_sub(2)));
    let cursor = Position::from_parts(head.incarnation(), before).with_newest(head.newest());
    for after in [window, cursor] {
        let expected = times.keys().filter(|(partition, offset)| !after.covers(*partition, *offset)).count();
        let again = take(&mut reader(&broker, &after).await, expected).await;
        assert_eq!(again.len(), expected);
        for record in &again {
            assert_eq!(Some(&record.time), times.get(&(record.partition, record.offset)), "{}", record.message.id);
        }
    }
}
