//! Random operations on a log, compared with a simple model in memory.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Builder;

use super::{Hand, drain, event, everything, oldest};
use crate::broker::Broker;
use crate::embedded::codec;
use crate::embedded::{Embedded, Options, Window};
use crate::error::BrokerError;
use crate::message::{Message, Record, Stream};
use crate::position::Position;

const RETENTION_AGE: i64 = 1000;
const RETENTION_BYTES: u64 = 500;
const PROTECTED: Window = Window { age: Duration::from_millis(300), records: 4 };
const DEDUP: Window = Window { age: Duration::from_millis(500), records: 8 };

#[derive(Debug, Clone)]
enum Work {
    Publish(Message),
    /// May go back, as clocks do.
    MoveClock(i64),
    Trim,
    OpenAgain,
    Window(u64, u64),
}

fn any_message() -> impl Strategy<Value = Message> {
    (any::<bool>(), 0..2u8, 0..3u8, 0..12u8, 0..4usize).prop_map(|(state, org, key, id, body)| Message {
        stream: if state { Stream::State } else { Stream::Events },
        org: (org > 0).then(|| "acme".into()),
        key: state.then(|| format!("k{key}")),
        body: vec![7; body * 40].into(),
        ..event(&format!("id{id}"))
    })
}

fn any_work() -> impl Strategy<Value = Work> {
    prop_oneof![
        12 => any_message().prop_map(Work::Publish),
        4 => (-100..400i64).prop_map(Work::MoveClock),
        1 => Just(Work::Trim),
        1 => Just(Work::OpenAgain),
        2 => (0..600u64, 0..12u64).prop_map(|(age, records)| Work::Window(age, records)),
    ]
}

/// Everything that was ever published, and what must be left of it.
#[derive(Default)]
struct Model {
    records: Vec<Record>,
    /// The offset of the oldest stored record, as the log last reported it.
    oldest: u64,
    ids: BTreeMap<String, u64>,
    state: BTreeMap<(Option<String>, Option<String>), Record>,
    last_time: i64,
    /// The latest time that the clock ever showed.
    furthest: i64,
}

impl Model {
    fn next(&self) -> u64 {
        self.records.len() as u64 + 1
    }

    fn record(&self, offset: u64) -> &Record {
        &self.records[usize::try_from(offset - 1).expect("small")]
    }

    fn known(&self, id: &str, now: i64) -> Option<u64> {
        let first = *self.ids.get(id)?;
        let time = self.record(first).time;
        DEDUP.holds(first, time, self.next(), now).then_some(first)
    }

    fn store(&mut self, message: Message, now: i64) {
        self.last_time = now;
        let record = Record { partition: 0, offset: self.next(), time: now, message };
        self.ids.insert(record.message.id.clone(), record.offset);
        if record.message.stream == Stream::State {
            let key = (record.message.org.clone(), record.message.key.clone());
            if record.message.is_tombstone() {
                self.state.remove(&key);
            } else {
                self.state.insert(key, record.clone());
            }
        }
        self.records.push(record);
    }

    /// The offset that trimming must reach.
    fn trimmed_to(&self, now: i64) -> u64 {
        let size = |r: &Record| codec::encode(&r.message).len() as u64;
        let mut oldest = self.oldest;
        let kept = &self.records[usize::try_from(oldest - 1).expect("small")..];
        let mut bytes: u64 = kept.iter().map(size).sum();
        for record in kept {
            let protected = PROTECTED.holds(record.offset, record.time, self.next(), now);
            let wanted = record.time >= now - RETENTION_AGE && bytes <= RETENTION_BYTES;
            if protected || wanted {
                break;
            }
            bytes -= size(record);
            oldest += 1;
        }
        oldest
    }

    /// The offset of the oldest record of a window.
    fn window(&self, now: i64, age: u64, records: u64) -> u64 {
        let window = Window { age: Duration::from_millis(age), records };
        let within = |r: &&Record| r.offset >= self.oldest && window.holds(r.offset, r.time, self.next(), now);
        self.records.iter().find(within).map_or(self.next(), |r| r.offset)
    }
}

struct Run {
    folder: TempDir,
    hand: Hand,
    log: Embedded,
    model: Model,
    /// Whether the log was reopened: time that passed while it was closed, or that it had not stored by then, does not
    /// count for the protected age.
    reopened: bool,
}

fn options(hand: &Hand) -> Options {
    Options {
        retention_age: Duration::from_millis(RETENTION_AGE.cast_unsigned()),
        retention_bytes: RETENTION_BYTES,
        protected: PROTECTED,
        dedup: DEDUP,
        tail_bytes: 1500,
        batch_records: 3,
        clock: hand.clock(),
        ..Options::default()
    }
}

impl Run {
    fn new() -> Self {
        let folder = TempDir::new().expect("a folder");
        let hand = Hand::at(10_000);
        let log = Embedded::open(folder.path(), options(&hand)).expect("opens");
        let model = Model { oldest: 1, furthest: hand.now(), ..Model::default() };
        Self { folder, hand, log, model, reopened: false }
    }

    async fn work(&mut self, work: Work) {
        match work {
            Work::Publish(message) => self.publish(message).await,
            Work::MoveClock(by) => {
                self.hand.advance(by);
                self.model.furthest = self.model.furthest.max(self.hand.now());
            }
            Work::Trim => {
                let now = self.hand.now().max(self.model.last_time);
                let expected = self.model.trimmed_to(now);
                self.log.trim().await;
                self.look().await;
                if self.reopened {
                    assert!(self.model.oldest <= expected, "{} of at most {expected}", self.model.oldest);
                } else {
                    assert_eq!(self.model.oldest, expected);
                }
            }
            Work::OpenAgain => {
                self.log.close().await;
                self.log = Embedded::open(self.folder.path(), options(&self.hand)).expect("opens");
                self.reopened = true;
            }
            Work::Window(age, records) => {
                let now = self.hand.now();
                let before = self.model.window(now, age, records);
                let found = self.log.window(Duration::from_millis(age), records).await;
                let found = found.expect("a window").offset(0).unwrap_or(0) + 1;
                self.look().await;
                let after = self.model.window(now, age, records);
                assert!((before..=after).contains(&found), "{found} of {before} to {after}");
            }
        }
        self.look().await;
    }

    async fn publish(&mut self, message: Message) {
        self.look().await;
        let before = self.model.oldest;
        let answer = self.log.publish(message.clone()).await.expect("published");
        let now = self.model.last_time.max(self.hand.now());
        self.look().await;
        match self.model.known(&message.id, now) {
            Some(first) if answer.duplicate => {
                assert!(first >= before, "a duplicate of a trimmed record");
                assert_eq!(answer.offset, first);
                let seen = &self.model.record(first).message;
                let same = Message { headers: seen.headers.clone(), ..message };
                assert_eq!(answer.conflicting, *seen != same);
                return;
            }
            Some(first) => {
                // Trimming by size removes the id as well, and so does trimming at a time from which the clock went
                // back.
                let forgotten = self.model.known(&message.id, self.model.furthest).is_none();
                assert!(first < self.model.oldest || forgotten, "{first} must be known");
            }
            // Ids are removed by a clock of their own, which may be behind.
            None if answer.duplicate => {
                assert_eq!(self.model.record(answer.offset).message.id, message.id);
                return;
            }
            None => {}
        }
        assert_eq!(answer.offset, self.model.next());
        self.model.store(message, now);
    }

    /// Trimming runs in the background: takes over its progress, if that is valid.
    async fn look(&mut self) {
        let found = oldest(&self.log).await.offset(0).unwrap_or(0) + 1;
        assert!(found >= self.model.oldest, "trimmed records came back");
        self.model.oldest = found;
    }

    async fn compare(&mut self) {
        // Once nothing is left to trim, the log stands still.
        self.log.trim().await;
        self.look().await;
        let kept = &self.model.records[usize::try_from(self.model.oldest - 1).expect("small")..];
        assert_eq!(everything(&self.log).await, kept);
        let mut state: Vec<Record> = self.model.state.values().cloned().collect();
        state.sort_by_key(|r| r.offset);
        assert_eq!(drain(self.log.state().await.expect("a reader")).await, state);
        let head = self.log.head().await.expect("a head");
        assert_eq!(head.offset(0).unwrap_or(0), self.model.next() - 1);
        self.compare_positions(head.incarnation()).await;
    }

    async fn compare_positions(&self, incarnation: u64) {
        for record in &self.model.records {
            let position = Position::from_parts(incarnation, [(0, record.offset)]);
            match self.log.read(&position).await {
                Ok(mut reader) if record.offset + 1 < self.model.next() => {
                    let next = reader.next().await.expect("a batch");
                    assert_eq!(&next[0], self.model.record(record.offset + 1));
                }
                Ok(_) => {}
                Err(BrokerError::Trimmed { oldest }) => {
                    assert!(record.offset + 1 < self.model.oldest);
                    assert_eq!(oldest.offset(0), Some(self.model.oldest - 1));
                }
                Err(other) => panic!("{other}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_log_does_what_its_model_says(work in proptest::collection::vec(any_work(), 1..50)) {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let mut run = Run::new();
            for step in work {
                run.work(step).await;
            }
            run.compare().await;
        });
    }
}

#[test]
fn time_while_closed_does_not_count_towards_the_protected_age() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut run = Run::new();
        let message = event("id0");
        for step in [Work::Publish(message), Work::MoveClock(RETENTION_AGE + 1), Work::OpenAgain, Work::Trim] {
            run.work(step).await;
        }
        run.compare().await;
    });
}
