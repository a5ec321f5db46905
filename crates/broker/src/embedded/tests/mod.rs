//! Tests of the embedded log beyond the contract of all brokers.

mod bounds;
mod clocks;
mod contract;
mod disk;
mod failure;
mod model;
mod opening;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::sync::oneshot;

use super::queue::Job;
use super::{Clock, Embedded};
use crate::broker::{Broker, Reader};
use crate::message::{Message, Published, Record, Stream};
use crate::position::Position;

impl Embedded {
    /// Trims everything that may be removed now.
    async fn trim(&self) {
        let (answer, done) = oneshot::channel();
        self.queue.push(Job::Trim(answer)).expect("there is room");
        done.await.expect("trimmed");
    }
}

/// A clock that stands still until it is moved.
#[derive(Clone)]
struct Hand(Arc<AtomicI64>);

impl Hand {
    fn at(time: i64) -> Self {
        Self(Arc::new(AtomicI64::new(time)))
    }

    fn clock(&self) -> Clock {
        let time = Arc::clone(&self.0);
        Clock::from_fn(move || time.load(Ordering::SeqCst))
    }

    fn now(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn set(&self, time: i64) {
        self.0.store(time, Ordering::SeqCst);
    }

    fn advance(&self, milliseconds: i64) {
        self.0.fetch_add(milliseconds, Ordering::SeqCst);
    }
}

/// Pseudo-random numbers, the same in every run.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) % limit
    }
}

fn event(id: &str) -> Message {
    Message {
        stream: Stream::Events,
        org: Some("acme".into()),
        topic: "a.B".into(),
        key: None,
        id: id.into(),
        headers: vec![],
        body: vec![7; 100].into(),
    }
}

async fn publish(log: &Embedded, id: &str) -> Published {
    log.publish(event(id)).await.expect("published")
}

/// All records that the log still has, at least up to the current head.
async fn everything(log: &Embedded) -> Vec<Record> {
    let head = log.head().await.expect("a head");
    let mut position = oldest(log).await;
    let mut records: Vec<Record> = Vec::new();
    if position < head {
        let mut reader = log.read(&position).await.expect("a reader");
        while position < head {
            let batch = reader.next().await.expect("a batch");
            assert!(batch.iter().all(|r| position.advance(r)), "a record came twice");
            records.extend(batch);
        }
    }
    records
}

/// The position just before the oldest stored record.
async fn oldest(log: &Embedded) -> Position {
    let head = log.head().await.expect("a head");
    let start = Position::start(head.incarnation());
    match log.read(&start).await.err() {
        Some(crate::BrokerError::Trimmed { oldest }) => oldest,
        None => start,
        Some(other) => panic!("{other}"),
    }
}

/// Reads until the batch that is empty.
async fn drain(mut reader: Box<dyn Reader>) -> Vec<Record> {
    let mut records = Vec::new();
    loop {
        let batch = reader.next().await.expect("a batch");
        if batch.is_empty() {
            return records;
        }
        records.extend(batch);
    }
}

fn ids(records: &[Record]) -> Vec<&str> {
    records.iter().map(|r| r.message.id.as_str()).collect()
}

fn offsets(records: &[Record]) -> Vec<u64> {
    records.iter().map(|r| r.offset).collect()
}
