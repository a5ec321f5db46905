//! Retention, windows and letters: what is removed, what stays, and in which order.

use std::time::Duration;

use tempfile::TempDir;

use super::{Hand, drain, event, everything, offsets, publish};
use crate::broker::Broker;
use crate::embedded::{Embedded, Options, Window};
use crate::error::BrokerError;
use crate::letter::DeadLetter;
use crate::message::{Message, Stream};
use crate::position::Position;

const MINUTE: i64 = 60_000;

fn options(hand: &Hand) -> Options {
    let window = Window { age: Duration::from_secs(600), records: 10 };
    Options {
        retention_age: Duration::from_secs(3600),
        protected: window,
        dedup: window,
        clock: hand.clock(),
        ..Options::default()
    }
}

fn open(folder: &TempDir, options: Options) -> Embedded {
    Embedded::open(folder.path(), options).expect("opens")
}

#[tokio::test]
async fn old_records_go_and_their_offsets_are_never_used_again() {
    let (folder, hand) = (TempDir::new().expect("a folder"), Hand::at(MINUTE));
    let log = open(&folder, options(&hand));
    for n in 0..5 {
        publish(&log, &format!("a{n}")).await;
    }
    hand.advance(61 * MINUTE);
    log.trim().await;
    assert!(everything(&log).await.is_empty());
    let head = log.head().await.expect("a head");
    assert_eq!(head.offset(0), Some(5), "the head stays");
    log.close().await;
    drop(log);

    let log = open(&folder, options(&hand));
    assert_eq!(log.head().await.expect("a head"), head);
    assert_eq!(publish(&log, "a0").await.offset, 6);
    let mut reader = log.read(&head).await.expect("the head is still a position");
    assert_eq!(offsets(&reader.next().await.expect("a batch")), [6]);
    let old = Position::from_parts(head.incarnation(), [(0, 3)]);
    match log.read(&old).await.err() {
        Some(BrokerError::Trimmed { oldest }) => assert_eq!(oldest, head),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn bytes_are_bounded_under_constant_load() {
    let (folder, hand) = (TempDir::new().expect("a folder"), Hand::at(MINUTE));
    let log = open(&folder, Options { retention_bytes: 2000, ..options(&hand) });
    for n in 0..200 {
        publish(&log, &format!("e{n}")).await;
    }
    // About 120 bytes each; no test asks for trimming.
    let kept = everything(&log).await.len();
    assert!((10..20).contains(&kept), "{kept} records of 120 bytes are kept");
}

#[tokio::test]
async fn the_protected_window_stays_whatever_the_bounds_are() {
    let (folder, hand) = (TempDir::new().expect("a folder"), Hand::at(MINUTE));
    let log = open(&folder, Options { retention_bytes: 0, ..options(&hand) });
    for n in 0..30 {
        publish(&log, &format!("e{n}")).await;
    }
    log.trim().await;
    assert_eq!(offsets(&everything(&log).await), (21..=30).collect::<Vec<_>>());
    hand.advance(11 * MINUTE);
    publish(&log, "young").await;
    log.trim().await;
    assert_eq!(offsets(&everything(&log).await), [31]);
}

#[tokio::test]
async fn a_reader_that_falls_behind_the_retention_gets_an_error() {
    let (folder, hand) = (TempDir::new().expect("a folder"), Hand::at(MINUTE));
    let log = open(&folder, Options { retention_bytes: 0, tail_bytes: 0, ..options(&hand) });
    for n in 0..5 {
        publish(&log, &format!("a{n}")).await;
    }
    let start = Position::start(log.shared.incarnation);
    let mut reader = log.read(&start).await.expect("a reader");
    for n in 0..20 {
        publish(&log, &format!("b{n}")).await;
    }
    log.trim().await;
    match reader.next().await.err() {
        Some(BrokerError::Trimmed { oldest }) => assert_eq!(oldest.offset(0), Some(15)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn state_outlives_the_retention() {
    let (folder, hand) = (TempDir::new().expect("a folder"), Hand::at(MINUTE));
    let log = open(&folder, options(&hand));
    let flag = |key: &str, id: &str| Message { stream: Stream::State, key: Some(key.into()), ..event(id) };
    for n in 0..3 {
        log.publish(flag("a", &format!("a{n}"))).await.expect("published");
        log.publish(flag("b", &format!("b{n}"))).await.expect("published");
    }
    hand.advance(120 * MINUTE);
    log.trim().await;
    assert!(everything(&log).await.is_empty());
    let state = drain(log.state().await.expect("a reader")).await;
    assert_eq!(super::ids(&state), ["a2", "b2"]);
    assert_eq!(offsets(&state), [5, 6]);
    let tombstone = Message { body: bytes::Bytes::new(), ..flag("a", "gone") };
    log.publish(tombstone).await.expect("published");
    let state = drain(log.state().await.expect("a reader")).await;
    assert_eq!(super::ids(&state), ["b2"]);
}

#[tokio::test]
async fn ids_are_forgotten_after_the_window() {
    let (folder, hand) = (TempDir::new().expect("a folder"), Hand::at(MINUTE));
    let log = open(&folder, options(&hand));
    publish(&log, "one").await;
    hand.advance(10 * MINUTE);
    assert!(publish(&log, "one").await.duplicate, "still within the age");
    hand.advance(1);
    assert_eq!(publish(&log, "one").await.offset, 2, "too old to be known");
    for n in 0..9 {
        publish(&log, &format!("e{n}")).await;
    }
    assert!(publish(&log, "one").await.duplicate, "still within the count");
    publish(&log, "e9").await;
    assert_eq!(publish(&log, "one").await.offset, 13, "too far back to be known");
    log.trim().await;
    assert!(publish(&log, "one").await.duplicate, "the newer one is still known");
}

#[tokio::test]
async fn broker_time_never_goes_back() {
    let (folder, hand) = (TempDir::new().expect("a folder"), Hand::at(10 * MINUTE));
    let log = open(&folder, options(&hand));
    publish(&log, "a").await;
    hand.set(5 * MINUTE);
    publish(&log, "b").await;
    log.close().await;
    drop(log);
    let log = open(&folder, options(&hand));
    publish(&log, "c").await;
    hand.set(11 * MINUTE);
    publish(&log, "d").await;
    let times: Vec<i64> = everything(&log).await.iter().map(|r| r.time / MINUTE).collect();
    assert_eq!(times, [10, 10, 10, 11]);
}

#[tokio::test]
async fn the_letters_of_the_oldest_records_go_first() {
    let (folder, hand) = (TempDir::new().expect("a folder"), Hand::at(MINUTE));
    let log = open(&folder, Options { letters: 3, ..options(&hand) });
    for n in 0..5 {
        publish(&log, &format!("e{n}")).await;
    }
    for record in everything(&log).await {
        let letter = DeadLetter::new(&record, "unreadable", hand.now());
        log.dead_letter(letter).await.expect("kept");
    }
    let letters = log.dead_letters(10).await.expect("letters");
    let offsets: Vec<u64> = letters.iter().map(|l| l.offset).collect();
    assert_eq!(offsets, [5, 4, 3]);
}
