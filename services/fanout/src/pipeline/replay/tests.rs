use fanfare_broker::embedded::{Embedded, Options};
use tempfile::TempDir;

use super::*;
use crate::scene::{BOUNDS, Scene};

const WINDOW: Window = Window { age: Duration::from_secs(600), records: 1_000 };

/// A log of ten events of acme that a node has read, and replays of it; with its start and its end.
async fn ten_events(folder: &TempDir, memory: usize) -> (Replay, Position, Position) {
    let broker: Arc<dyn Broker> = Arc::new(Embedded::open(folder.path(), Options::default()).expect("opens"));
    let (mut scene, recent) = (Scene::demo(), Arc::new(RecentRecords::new(memory)));
    let start = Position::start(broker.head().await.expect("a head").incarnation());
    recent.begin(&start);
    for n in 0..10 {
        let json = format!(r#"{{"org": "acme", "severity": "info", "title": "{n}", "message": "m"}}"#);
        broker.publish(scene.event("system.Alert", &json).message).await.expect("published");
    }
    let mut reader = broker.read(&start).await.expect("a reader");
    let mut until = start.clone();
    while until != broker.head().await.expect("a head") {
        for record in reader.next().await.expect("a batch") {
            until.advance(&record);
            recent.push(Arc::new(record));
        }
    }
    let routes = Arc::clone(&scene.routes);
    let options = ReplayOptions { window: WINDOW, bounds: BOUNDS, reads_at_once: 1, start_is_fresh: PATIENCE };
    (Replay::new(broker, routes.into(), recent, options), start, until)
}

fn acme() -> Vec<Id> {
    vec![Id::parse("acme").expect("an org")]
}

async fn places(replaying: &mut Replaying) -> Vec<u64> {
    let mut found = Vec::new();
    while let Some(batch) = replaying.next().await.expect("is read") {
        found.extend(batch.into_iter().map(|replayed| replayed.place.offset));
    }
    found
}

/// What a tab is told that comes back after three of ten events, by a node with so much memory for them.
async fn told(memory: usize) -> (Vec<u64>, bool) {
    let folder = TempDir::new().expect("a folder");
    let (replay, mut after, until) = ten_events(&folder, memory).await;
    after.advance_to(0, 3);
    let mut replaying = replay.open(&after, until, acme()).await.expect("opens");
    let mut batches = 0;
    let mut found = Vec::new();
    let mut read_the_log = false;
    while let Some(batch) = replaying.next().await.expect("is read") {
        found.extend(batch.into_iter().map(|replayed| replayed.place.offset));
        read_the_log |= replaying.reader.is_some();
        batches += 1;
    }
    assert!(replaying.is_complete() && batches > 0);
    (found, !read_the_log)
}

#[tokio::test]
async fn a_cursor_beyond_the_end_of_the_log_is_of_one_that_has_lost_it() {
    let folder = TempDir::new().expect("a folder");
    let (replay, mut after, until) = ten_events(&folder, 1 << 20).await;
    after.advance_to(0, 12);
    let mut replaying = replay.open(&after, until, acme()).await.expect("opens");
    assert!(!replaying.is_complete(), "it says nothing of this log");
    assert_eq!(places(&mut replaying).await, (1..=10).collect::<Vec<_>>(), "what the tab may have missed");
}

#[tokio::test]
async fn a_cursor_that_lies_where_other_records_are_now_is_of_a_log_that_has_lost_its_end() {
    for memory in [1 << 20, 0] {
        let folder = TempDir::new().expect("a folder");
        let (replay, start, until) = ten_events(&folder, memory).await;
        let head = replay.broker.head().await.expect("a head");
        // What this tab heard last was stored before all that is there now.
        for place in [10, 4] {
            let after = Position::from_parts(start.incarnation(), [(0, place)]).with_newest(1);
            let mut replaying = replay.open(&after, until.clone(), acme()).await.expect("opens");
            let told = places(&mut replaying).await;
            // At the very end memory alone can tell: a broker is not asked where there is nothing to read.
            if memory > 0 || place < 10 {
                assert!(!replaying.is_complete(), "{memory} {place}");
                assert_eq!(told, (1..=10).collect::<Vec<_>>(), "{memory} {place}");
            }
        }
        let right = until.clone().with_newest(head.newest());
        let mut replaying = replay.open(&right, until, acme()).await.expect("opens");
        assert!(places(&mut replaying).await.is_empty() && replaying.is_complete());
    }
}

#[tokio::test]
async fn a_cursor_of_a_node_that_is_ahead_of_this_one_is_right() {
    let folder = TempDir::new().expect("a folder");
    let (replay, start, _) = ten_events(&folder, 1 << 20).await;
    let (mut after, mut until) = (start.clone(), start);
    after.advance_to(0, 9);
    until.advance_to(0, 7);
    let mut replaying = replay.open(&after, until, acme()).await.expect("opens");
    assert!(replaying.is_complete() && places(&mut replaying).await.is_empty());
}

#[tokio::test]
async fn a_replay_from_memory_equals_one_from_the_log() {
    let ((from_log, log), (from_memory, memory)) = (told(0).await, told(1 << 20).await);
    assert!(memory && !log, "one reads the broker, the other does not");
    assert_eq!(from_log, [4, 5, 6, 7, 8, 9, 10]);
    assert_eq!(from_log, from_memory);
}
