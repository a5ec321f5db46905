//! The replay window: a range of the log, by count and by age.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Fixture, PATIENCE, event, ids, names, publish, publish_events, reader, start, take};
use crate::broker::Broker;

const LONG: Duration = Duration::from_secs(3600);

/// Publishes a last record, so that reading a window that should be empty does not wait.
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
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    format!("end-{}", now.expect("after 1970").as_nanos())
}

/// At most so many records, however young the others are.
pub async fn the_count_ends_the_window(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    publish_events(&broker, names("e", 30)).await;
    let all = names("e", 30);
    assert_eq!(read_window(&broker, LONG, 10).await, all[20..]);
    let head = broker.head().await.expect("a head");
    assert_eq!(broker.window(LONG, 0).await.expect("a window"), head);
}

/// Records older than the age are left out, however few there are.
pub async fn the_age_ends_the_window(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    publish_events(&broker, names("old", 3)).await;
    // The window is about real time: it must pass. A stalled machine only makes another attempt.
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

/// A window larger than the log begins before its first record.
pub async fn a_young_log_lies_in_the_window_as_a_whole(fixture: &dyn Fixture) {
    let broker = fixture.open().await;
    let empty = broker.window(LONG, 1000).await.expect("a window");
    assert_eq!(empty, start(&broker).await);
    publish_events(&broker, names("e", 5)).await;
    assert_eq!(read_window(&broker, LONG, 1000).await, names("e", 5));
}
