//! A server that is killed, emptied, recreated or restored while readers use it.
//!
//! For brokers with a server; [`restart_suite!`](crate::restart_suite) creates a test for each rule.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{
    Fixture, PATIENCE, assert_in_order, event, ids, names, next, next_outcome, publish, publish_events, reader, start,
    state_record, take,
};
use crate::broker::{Broker, Reader};
use crate::error::BrokerError;
use crate::message::{Message, Published, Record};
use crate::position::Position;

/// What a fixture can do to its server. Each call returns when the server answers again.
#[async_trait]
pub trait Faults: Fixture {
    /// `kill -9`. The server stays down until [`Self::start_server`].
    async fn kill_server(&self);

    /// Starts a killed server with its data.
    async fn start_server(&self);

    /// Deletes the streams or topics of the log and creates them again, empty.
    async fn recreate(&self);

    /// Deletes the records of the event stream that a position covers.
    async fn purge(&self, through: &Position);

    /// Copies all that the server has stored.
    async fn keep_files(&self);

    /// Kills the server, restores the copy and starts it again: everything stored since is lost.
    async fn restore_files(&self);
}

/// Creates a test for every rule about restarts. The expression creates a new [`Faults`] and may `await`.
#[macro_export]
macro_rules! restart_suite {
    ($fixture:expr) => {
        $crate::contract_suite!(@tests $fixture;
            restart::kills_leave_no_gap_and_repeat_nothing,
            restart::positions_survive_kills,
            restart::a_reader_at_the_end_gets_nothing_old_after_a_kill,
            restart::state_is_read_whole_across_a_kill,
            restart::a_publisher_hears_of_the_outage_soon,
            restart::a_recreated_log_is_another_incarnation,
            restart::a_reader_reports_that_the_log_was_recreated,
            restart::a_log_that_lost_its_end_is_another_incarnation,
            restart::a_log_that_lost_its_end_and_grew_again_is_another_incarnation,
            restart::a_purged_position_is_trimmed,
            letters::a_letter_about_a_recreated_log_is_kept,
            restart::a_reader_goes_on_above_a_purge,
            nodes::what_nodes_say_outlives_a_kill,
            nodes::a_reader_of_node_records_reports_that_their_stream_was_recreated,
        );
    };
}

/// Publishes until the message is stored, always with the same id, as a relay does.
async fn publish_through(broker: &Arc<dyn Broker>, message: Message) -> Published {
    let retry = async {
        loop {
            match broker.publish(message.clone()).await {
                Ok(published) => return published,
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    };
    tokio::time::timeout(PATIENCE, retry).await.expect("stored in time")
}

/// The records of one publisher that continues through kills, with state between the events.
fn mixed(n: usize) -> Message {
    let id = format!("m{n}");
    if n % 5 == 4 { state_record(&id, &id) } else { event(&id) }
}

/// Opens a broker of its own, reads a number of records, and checks that none is returned twice.
async fn read_afresh(fixture: &dyn Faults, after: &Position, count: usize) -> Vec<Record> {
    let broker = fixture.open().await;
    let mut afresh = reader(&broker, after).await;
    let mut records = Vec::new();
    while first_of_each(fixture, &records).len() < count {
        records.extend(next(&mut afresh).await);
    }
    assert_in_order(&records);
    let records = first_of_each(fixture, &records);
    assert_eq!(records.len(), count, "no more than were published");
    broker.close().await;
    records
}

/// The server is killed three times while one client publishes and one reads: nothing is missing, nothing is returned
/// twice, and the order is kept.
pub async fn kills_leave_no_gap_and_repeat_nothing(fixture: &dyn Faults) {
    const COUNT: usize = 300;
    let broker = fixture.open().await;
    let first = start(&broker).await;
    let mut live = reader(&broker, &first).await;
    let publisher = Arc::clone(&broker);
    let publisher = tokio::spawn(async move {
        for n in 0..COUNT {
            publish_through(&publisher, mixed(n)).await;
        }
    });
    let mut records = Vec::new();
    // Kills are spread over the records, so that each meets a publisher and a reader at work.
    for kill_after in [COUNT / 8, COUNT / 3, COUNT / 2] {
        while records.len() < kill_after {
            records.extend(next(&mut live).await);
        }
        fixture.kill_server().await;
        fixture.start_server().await;
    }
    while first_of_each(fixture, &records).len() < COUNT {
        records.extend(next(&mut live).await);
    }
    publisher.await.expect("no panic");
    check_all(&first_of_each(fixture, &records), COUNT);
    let after = live.position().clone();
    assert_eq!(after, broker.head().await.expect("a head"));
    // The position is valid in this broker and in a newly opened one.
    publish_through(&broker, event("later")).await;
    assert_eq!(ids(&next(&mut live).await), ["later"]);
    broker.close().await;
    assert_eq!(ids(&read_afresh(fixture, &after, 1).await), ["later"]);
    let mut all = read_afresh(fixture, &first, COUNT + 1).await;
    all.retain(|record| record.message.id != "later");
    check_all(&all, COUNT);
}

/// A broker without de-duplication stores a message twice if the publisher sent it again after an unknown outcome.
/// Readers of the log drop the second by its id.
fn first_of_each(fixture: &dyn Faults, records: &[Record]) -> Vec<Record> {
    let mut seen = BTreeSet::new();
    let known = fixture.abilities().deduplicates;
    records.iter().filter(|record| known || seen.insert(record.message.id.clone())).cloned().collect()
}

/// Each of `count` records once, and each partition in the order of its publisher.
fn check_all(records: &[Record], count: usize) {
    assert_in_order(records);
    let number = |record: &Record| record.message.id[1..].parse::<usize>().expect("a number");
    let mut last = BTreeMap::new();
    for record in records {
        let before = last.insert(record.partition, number(record));
        assert!(before < Some(number(record)), "{} after {before:?}", record.message.id);
    }
    let mut found: Vec<usize> = records.iter().map(number).collect();
    found.sort_unstable();
    assert!(found.into_iter().eq(0..count));
}

/// A position from before a kill means the same place after it.
pub async fn positions_survive_kills(fixture: &dyn Faults) {
    let broker = fixture.open().await;
    publish_events(&broker, names("a", 6)).await;
    let all = take(&mut reader(&broker, &start(&broker).await).await, 6).await;
    let head = broker.head().await.expect("a head");
    let mut middle = start(&broker).await;
    all[..3].iter().for_each(|r| assert!(middle.advance(r)));
    fixture.kill_server().await;
    fixture.start_server().await;
    publish_through(&broker, event("b")).await;
    let mut rest = reader_through(&broker, &middle).await;
    assert_eq!(ids(&take(&mut rest, 4).await), ["a3", "a4", "a5", "b"]);
    let mut rest = reader_through(&broker, &head).await;
    assert_eq!(ids(&next(&mut rest).await), ["b"]);
    assert_eq!(ids(&read_afresh(fixture, &middle, 4).await), ["a3", "a4", "a5", "b"]);
}

/// Opens a reader as soon as the broker can.
async fn reader_through(broker: &Arc<dyn Broker>, after: &Position) -> Box<dyn Reader> {
    let retry = async {
        loop {
            match broker.read(after).await {
                Err(BrokerError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
                other => return other.expect("a reader"),
            }
        }
    };
    tokio::time::timeout(PATIENCE, retry).await.expect("a reader in time")
}

/// A reader that started at the end and has read nothing returns nothing old after a restart.
pub async fn a_reader_at_the_end_gets_nothing_old_after_a_kill(fixture: &dyn Faults) {
    let broker = fixture.open().await;
    publish_events(&broker, names("old", 20)).await;
    publish(&broker, state_record("old", "old-state")).await;
    let head = broker.head().await.expect("a head");
    let mut at_end = reader(&broker, &head).await;
    for n in 0..3 {
        fixture.kill_server().await;
        fixture.start_server().await;
        let id = format!("new{n}");
        publish_through(&broker, event(&id)).await;
        assert_eq!(ids(&next(&mut at_end).await), [id]);
    }
    publish_through(&broker, state_record("new", "new-state")).await;
    assert_eq!(ids(&next(&mut at_end).await), ["new-state"]);
}

/// Reading all state across a kill returns every key, or an error that asks to start again.
pub async fn state_is_read_whole_across_a_kill(fixture: &dyn Faults) {
    const KEYS: usize = 300;
    let broker = fixture.open().await;
    for key in names("k", KEYS) {
        publish(&broker, state_record(&key, &key)).await;
    }
    let mut state = broker.state().await.expect("a reader");
    let mut found = next(&mut state).await;
    fixture.kill_server().await;
    fixture.start_server().await;
    loop {
        match next_outcome(&mut state).await {
            Ok(batch) if batch.is_empty() => break,
            Ok(batch) => found.extend(batch),
            Err(BrokerError::Unavailable(_)) => {
                found.clear();
                state = loop {
                    match broker.state().await {
                        Err(BrokerError::Unavailable(_)) => tokio::time::sleep(Duration::from_millis(20)).await,
                        other => break other.expect("a reader"),
                    }
                };
            }
            Err(other) => panic!("{other}"),
        }
    }
    let mut keys: Vec<&str> = ids(&found);
    keys.sort_unstable();
    let before = keys.len();
    keys.dedup();
    assert_eq!((before, keys.len()), (KEYS, KEYS));
}

/// While the server is down, a publish fails within seconds and reports whether the message may be stored.
pub async fn a_publisher_hears_of_the_outage_soon(fixture: &dyn Faults) {
    let broker = fixture.open().await;
    publish(&broker, event("before")).await;
    fixture.kill_server().await;
    for n in 0..3 {
        let answer = tokio::time::timeout(PATIENCE, broker.publish(event(&format!("away{n}")))).await;
        let refused = answer.expect("an answer in time").expect_err("the server is away");
        let retryable = matches!(refused, crate::PublishError::NotStored(_) | crate::PublishError::Unknown(_));
        assert!(retryable, "{refused}");
    }
    let away = broker.head().await.err();
    assert!(matches!(away, Some(BrokerError::Unavailable(_))), "{away:?}");
    fixture.start_server().await;
    publish_through(&broker, event("after")).await;
}

/// A position of a log that was recreated meanwhile is refused, also if the new log has grown beyond it.
pub async fn a_recreated_log_is_another_incarnation(fixture: &dyn Faults) {
    let broker = fixture.open().await;
    publish_events(&broker, names("old", 3)).await;
    let head = broker.head().await.expect("a head");
    broker.close().await;
    fixture.recreate().await;
    let broker = fixture.open().await;
    assert_other_incarnation(broker.read(&head).await.err());
    publish_events(&broker, names("new", 5)).await;
    assert_other_incarnation(broker.read(&head).await.err());
    let first = start(&broker).await;
    assert_ne!(first.incarnation(), head.incarnation());
    assert_eq!(ids(&take(&mut reader(&broker, &first).await, 5).await), names("new", 5));
}

fn assert_other_incarnation(error: Option<BrokerError>) {
    assert!(matches!(error, Some(BrokerError::OtherIncarnation { .. })), "{error:?}");
}

/// If the log is recreated under a reader, the reader reports it. It does not wait for offsets of the old log or return
/// records of the new one as if they followed.
pub async fn a_reader_reports_that_the_log_was_recreated(fixture: &dyn Faults) {
    let broker = fixture.open().await;
    publish_events(&broker, names("old", 3)).await;
    let mut live = reader(&broker, &start(&broker).await).await;
    take(&mut live, 3).await;
    fixture.recreate().await;
    let publisher = Arc::clone(&broker);
    let publishing = tokio::spawn(async move {
        for id in names("new", 5) {
            publish_through(&publisher, event(&id)).await;
        }
    });
    let outcome = loop {
        match next_outcome(&mut live).await {
            Ok(batch) => assert!(batch.is_empty(), "records of another log: {:?}", ids(&batch)),
            Err(BrokerError::Unavailable(_)) => {}
            Err(other) => break other,
        }
    };
    assert_other_incarnation(Some(outcome));
    publishing.await.expect("no panic");
    let first = start(&broker).await;
    assert_eq!(ids(&take(&mut reader(&broker, &first).await, 5).await), names("new", 5));
}

/// A restored server has fewer records than the position covers.
pub async fn a_log_that_lost_its_end_is_another_incarnation(fixture: &dyn Faults) {
    let broker = fixture.open().await;
    publish_events(&broker, names("kept", 3)).await;
    fixture.keep_files().await;
    for id in names("lost", 3) {
        publish_through(&broker, event(&id)).await;
    }
    let head = broker.head().await.expect("a head");
    let mut live = reader(&broker, &head).await;
    fixture.restore_files().await;
    let outcome = loop {
        match next_outcome(&mut live).await {
            Ok(batch) => assert!(batch.is_empty(), "old records: {:?}", ids(&batch)),
            Err(BrokerError::Unavailable(_)) => {}
            Err(other) => break other,
        }
    };
    assert_other_incarnation(Some(outcome));
    broker.close().await;
    let broker = fixture.open().await;
    assert_other_incarnation(broker.read(&head).await.err());
}

/// A restored server that has grown past the position has another record at its place.
pub async fn a_log_that_lost_its_end_and_grew_again_is_another_incarnation(fixture: &dyn Faults) {
    let broker = fixture.open().await;
    publish_events(&broker, names("kept", 3)).await;
    fixture.keep_files().await;
    for id in names("lost", 3) {
        publish_through(&broker, event(&id)).await;
    }
    let first = start(&broker).await;
    let mut before = reader(&broker, &first).await;
    take(&mut before, 6).await;
    let position = before.position().clone();
    broker.close().await;
    fixture.restore_files().await;
    let broker = fixture.open().await;
    for id in names("other", 6) {
        publish_through(&broker, event(&id)).await;
    }
    assert_other_incarnation(broker.read(&position).await.err());
}

/// A position below a purge is refused with the place to continue from.
pub async fn a_purged_position_is_trimmed(fixture: &dyn Faults) {
    let broker = fixture.open().await;
    publish_events(&broker, names("e", 10)).await;
    let first = start(&broker).await;
    let all = take(&mut reader(&broker, &first).await, 10).await;
    let through = |count: usize| {
        let mut position = first.clone();
        all[..count].iter().for_each(|r| assert!(position.advance(r)));
        position
    };
    fixture.purge(&through(6)).await;
    let oldest = match broker.read(&through(4)).await.err() {
        Some(BrokerError::Trimmed { oldest }) => oldest,
        other => panic!("must be trimmed, got {other:?}"),
    };
    assert!(oldest.covers(all[5].partition, all[5].offset), "{oldest:?}");
    assert!(!oldest.covers(all[6].partition, all[6].offset), "{oldest:?}");
    for position in [oldest, through(6)] {
        let mut rest = reader(&broker, &position).await;
        assert_eq!(ids(&take(&mut rest, 4).await), names("e", 10)[6..]);
    }
    // If no record is left, the end is still a valid place to read from.
    let head = broker.head().await.expect("a head");
    fixture.purge(&head).await;
    assert_eq!(broker.head().await.expect("a head"), head);
    let mut at_end = reader(&broker, &head).await;
    publish(&broker, event("later")).await;
    assert_eq!(ids(&next(&mut at_end).await), ["later"]);
}

/// A purge does not disturb a reader that has read everything, and a reader that opens at the start of the window
/// works.
pub async fn a_reader_goes_on_above_a_purge(fixture: &dyn Faults) {
    let broker = fixture.open().await;
    publish_events(&broker, names("e", 5)).await;
    let mut live = reader(&broker, &start(&broker).await).await;
    take(&mut live, 5).await;
    fixture.purge(live.position()).await;
    publish(&broker, event("later")).await;
    assert_eq!(ids(&next(&mut live).await), ["later"]);
    let window = broker.window(Duration::from_secs(3600), 1000).await.expect("a window");
    let mut from_window = reader(&broker, &window).await;
    assert_eq!(ids(&next(&mut from_window).await), ["later"]);
}
