//! The contract of all brokers, in each shape, and the differences between the shapes.

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::*;
use crate::broker::Broker;
use crate::contract::restart::Faults;
use crate::contract::{Abilities, Fixture};
use crate::error::BrokerError;
use crate::message::{Record, Stream};
use crate::position::Position;

/// A log whose handles are opened again and again, and a copy of it.
struct Logs {
    first: Memory,
    kept: Mutex<Option<Log>>,
}

fn logs(shape: Shape) -> Logs {
    Logs { first: Memory::new(shape), kept: Mutex::new(None) }
}

#[async_trait]
impl Fixture for Logs {
    async fn open(&self) -> std::sync::Arc<dyn Broker> {
        std::sync::Arc::new(self.first.open_again())
    }

    fn abilities(&self) -> Abilities {
        let knows_ids = self.first.look(|log| log.shape() != Shape::Kafka);
        Abilities { deduplicates: knows_ids, tells_conflicts: knows_ids }
    }
}

#[async_trait]
impl Faults for Logs {
    async fn kill_server(&self) {
        self.first.fail(Some(BrokerError::Unavailable("killed".into())));
    }

    async fn start_server(&self) {
        self.first.fail(None);
    }

    async fn recreate(&self) {
        self.first.recreate();
    }

    async fn purge(&self, through: &Position) {
        self.first.change(|log| log.purge(through));
    }

    async fn keep_files(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.first.look(Log::clone));
    }

    async fn restore_files(&self) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone().expect("kept before");
        self.first.change(|log| *log = kept);
    }
}

mod embedded {
    use super::*;

    crate::contract_suite!(logs(Shape::Embedded));
    crate::restart_suite!(logs(Shape::Embedded));
}

mod nats {
    use super::*;

    crate::contract_suite!(logs(Shape::Nats));
    crate::restart_suite!(logs(Shape::Nats));
}

mod kafka {
    use super::*;

    crate::contract_suite!(logs(Shape::Kafka));
    crate::restart_suite!(logs(Shape::Kafka));
}

fn state(key: &str, id: &str) -> Message {
    let (org, topic) = (Some("acme".to_owned()), "license.FlagToggled".to_owned());
    let (key, id, body) = (Some(key.to_owned()), id.to_owned(), Bytes::from_static(b"on"));
    Message { stream: Stream::State, org, topic, key, id, headers: Vec::new(), body }
}

fn ids(records: &[Record]) -> Vec<&str> {
    records.iter().map(|record| record.message.id.as_str()).collect()
}

#[test]
fn each_shape_keeps_state_in_its_own_way() {
    for shape in Shape::ALL {
        let mut log = Log::new(shape, 1);
        for (n, (key, id)) in [("a", "a1"), ("b", "b1"), ("a", "a2")].into_iter().enumerate() {
            log.publish(state(key, id), n as i64);
        }
        let start = Position::start(1);
        let in_log: Vec<Record> = log.partitions().flat_map(|partition| log.read(&start, partition, 9).0).collect();
        let found = [in_log.len(), log.state(&start, 9).len()];
        let expected = match shape {
            Shape::Embedded => [3, 2],
            Shape::Nats => [2, 2],
            Shape::Kafka => [3, 3],
        };
        assert_eq!(found, expected, "{shape:?}");
        log.trim_before(100);
        log.compact();
        let mut newest: Vec<Record> = log.state(&start, 9);
        newest.sort_by(|one, other| one.message.id.cmp(&other.message.id));
        assert_eq!(ids(&newest), ["a2", "b1"], "{shape:?}");
        assert_eq!(
            matches!(log.check(&start), Err(BrokerError::Trimmed { .. })),
            shape == Shape::Embedded,
            "{shape:?}"
        );
    }
}

#[test]
fn a_reader_passes_holes_and_starts_where_it_is_asked_to() {
    let mut log = Log::new(Shape::Kafka, 1);
    let first = log.append(0, state("a", "a"), 5);
    log.hole(0, 3);
    assert_eq!((first.offset, log.head().offset(0)), (0, Some(3)));
    let (records, read) = log.read(&Position::start(1), 0, 9);
    assert_eq!((ids(&records), read), (vec!["a"], log.head()));
    assert!(log.unread(&log.head()).is_empty());
    // Nothing is before the first record, so a position just before it has no entry.
    assert_eq!(log.window(0, u64::MAX), Position::start(1));
    assert_eq!(log.window(6, u64::MAX), log.head());
}
