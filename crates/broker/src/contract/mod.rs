//! The contract of a broker: one test suite that every broker runs.
//!
//! A broker's tests implement [`Fixture`] and call [`contract_suite!`](crate::contract_suite),
//! which makes one `#[tokio::test]` of each rule.

// A suite of tests: a failed expectation is its result.
#![allow(clippy::expect_used, clippy::missing_panics_doc)]

pub mod dedup;
pub mod letters;
pub mod nodes;
pub mod order;
pub mod position;
pub mod restart;
pub mod state;
pub mod window;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::broker::{Broker, Reader};
use crate::error::BrokerError;
use crate::message::{Message, Published, Record, Stream};
use crate::position::Position;

/// How long a rule waits for something that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// One empty log of the broker under test. Each rule gets its own.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// Opens the log. After the first broker was closed, it opens the same log again.
    async fn open(&self) -> Arc<dyn Broker>;

    /// Restarts the server behind the broker while the broker stays open, if there is one.
    async fn restart_server(&self) {}

    /// What this machine lacks to run the broker, if anything. The rule is then skipped and reported as skipped.
    fn missing(&self) -> Option<String> {
        None
    }

    /// What the broker can do beyond the contract.
    fn abilities(&self) -> Abilities {
        Abilities::default()
    }
}

/// Abilities that only some brokers have.
#[derive(Debug, Clone, Copy)]
pub struct Abilities {
    /// The same id is stored once.
    pub deduplicates: bool,
    /// The same id with other content is reported.
    pub tells_conflicts: bool,
}

impl Default for Abilities {
    fn default() -> Self {
        Self { deduplicates: true, tells_conflicts: true }
    }
}

/// Creates a test for every rule. The expression creates a new [`Fixture`] and may `await`.
#[macro_export]
macro_rules! contract_suite {
    ($fixture:expr) => {
        $crate::contract_suite!(@tests $fixture;
            order::records_come_back_in_order_and_unchanged,
            order::a_waiting_reader_wakes,
            order::a_reader_at_the_end_sees_nothing_old,
            order::concurrent_publishers_keep_their_order,
            order::wrong_messages_are_refused,
            order::a_closed_broker_refuses_work,
            position::reading_goes_on_strictly_after_a_position,
            position::positions_stay_valid_after_opening_again,
            position::other_incarnations_and_the_future_are_refused,
            position::the_head_covers_what_was_published,
            position::giving_up_waiting_loses_nothing,
            dedup::the_same_id_is_stored_once,
            dedup::the_same_id_at_the_same_time_is_stored_once,
            dedup::an_id_with_another_content_is_reported,
            state::the_newest_record_of_each_key_is_kept,
            state::a_tombstone_removes_its_key,
            state::any_org_and_key_come_back,
            state::many_keys_come_in_bounded_batches,
            window::the_count_ends_the_window,
            window::the_age_ends_the_window,
            window::a_young_log_lies_in_the_window_as_a_whole,
            window::a_record_has_one_time_wherever_its_reader_began,
            letters::there_is_one_letter_for_each_record,
            letters::letters_are_no_records,
            letters::letters_come_in_pages_and_by_place,
            letters::a_record_is_found_by_its_place,
            nodes::the_newest_that_nodes_say_is_kept_and_then_followed,
            nodes::what_nodes_say_is_in_no_log,
            nodes::whatever_nodes_say_comes_back,
        );
    };
    (@tests $fixture:expr; $($topic:ident :: $rule:ident),+ $(,)?) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $rule() {
                let fixture = $fixture;
                if let Some(why) = $crate::contract::Fixture::missing(&fixture) {
                    $crate::contract::skip(concat!(module_path!(), "::", stringify!($rule)), &why);
                    return;
                }
                $crate::contract::$topic::$rule(&fixture).await;
            }
        )+
    };
}

/// Reports that a rule was skipped. It writes past the test harness, which would capture the output.
pub fn skip(rule: &str, why: &str) {
    // One write, because tests run concurrently.
    let _ = std::io::stderr().lock().write_all(format!("skipped test: {rule}: {why}\n").as_bytes());
}

/// An event of one organisation.
fn event(id: &str) -> Message {
    Message {
        stream: Stream::Events,
        org: Some("acme".into()),
        topic: "license.LicenseUpdated".into(),
        key: None,
        id: id.into(),
        // The org's name is also in a header, as in every event that has an org.
        headers: vec![("ce-id".into(), id.into()), ("ce-org".into(), "acme".into())],
        body: Bytes::from(format!("body of {id}")),
    }
}

/// A state record of one organisation.
fn state_record(key: &str, id: &str) -> Message {
    Message { stream: Stream::State, topic: "license.FlagToggled".into(), key: Some(key.into()), ..event(id) }
}

async fn publish(broker: &Arc<dyn Broker>, message: Message) -> Published {
    broker.publish(message).await.expect("published")
}

async fn publish_events(broker: &Arc<dyn Broker>, ids: impl IntoIterator<Item = String>) {
    for id in ids {
        publish(broker, event(&id)).await;
    }
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{prefix}{n}")).collect()
}

/// The position before everything that the broker holds.
async fn start(broker: &Arc<dyn Broker>) -> Position {
    let head = broker.head().await.expect("a head");
    Position::start(head.incarnation())
}

async fn reader(broker: &Arc<dyn Broker>, after: &Position) -> Box<dyn Reader> {
    broker.read(after).await.expect("a reader")
}

/// The next records. If the reader reports that its server is unreachable, it is asked again and continues.
async fn next(reader: &mut Box<dyn Reader>) -> Vec<Record> {
    loop {
        match next_outcome(reader).await {
            Err(BrokerError::Unavailable(_)) => {}
            outcome => return outcome.expect("a batch"),
        }
    }
}

async fn next_outcome(reader: &mut Box<dyn Reader>) -> Result<Vec<Record>, BrokerError> {
    let outcome = tokio::time::timeout(PATIENCE, reader.next()).await.expect("in time");
    if matches!(outcome, Err(BrokerError::Unavailable(_))) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    outcome
}

/// Reads until a number of records is there.
async fn take(reader: &mut Box<dyn Reader>, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    while records.len() < count {
        records.extend(next(reader).await);
    }
    records
}

fn ids(records: &[Record]) -> Vec<&str> {
    records.iter().map(|r| r.message.id.as_str()).collect()
}

/// Each partition is in order; there is no order between partitions.
fn assert_in_order(records: &[Record]) {
    let mut last: BTreeMap<u32, (u64, i64)> = BTreeMap::new();
    for record in records {
        let place = (record.offset, record.time);
        if let Some(before) = last.insert(record.partition, place) {
            assert!(before.0 < place.0, "offset {} after {}", place.0, before.0);
            assert!(before.1 <= place.1, "time {} after {}", place.1, before.1);
        }
    }
}
