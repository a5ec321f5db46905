//! A server that is unreachable, paused, or started late.

use std::time::{Duration, Instant};

use fanfare_test_servers::{Signal, free_port};

use super::super::{Nats, Options};
use super::server::Server;
use super::{event, state};
use crate::broker::Broker;
use crate::error::{BrokerError, PublishError};
use crate::message::Message;

#[tokio::test]
async fn a_server_that_is_unreachable_at_the_start() {
    let Some(server) = Server::current("a_server_that_is_unreachable_at_the_start").await else { return };
    server.process().await.kill();
    let nats = server.nats(|_| {});
    let began = Instant::now();
    let refused = nats.publish(event("1")).await.expect_err("away");
    assert!(matches!(&refused, PublishError::NotStored(said) if said.contains("no NATS server at")), "{refused}");
    let away = nats.head().await.expect_err("away");
    assert!(matches!(&away, BrokerError::Unavailable(_)), "{away}");
    assert!(began.elapsed() < Duration::from_secs(2), "told at once");
    server.process().await.start_again().await.expect("starts");
    published(&nats, "1").await;
    let first = crate::Position::start(nats.head().await.expect("a head").incarnation());
    assert_eq!(nats.read(&first).await.expect("a reader").next().await.expect("a batch")[0].message.id, "1");
}

/// Publishes until the message is stored.
async fn published(nats: &Nats, id: &str) {
    let publishing = async {
        while nats.publish(event(id)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), publishing).await.expect("in time");
}

#[tokio::test]
async fn nobody_listens_there() {
    let nats = Nats::open(Options::new([format!("127.0.0.1:{}", free_port())])).expect("opens");
    let away = nats.head().await.expect_err("away");
    assert!(matches!(&away, BrokerError::Unavailable(said) if said.contains("127.0.0.1")), "{away}");
    nats.close().await;
    assert!(matches!(nats.head().await, Err(BrokerError::Closed)));
}

/// A removed stream is created again, but not at once, because whoever removed it may be about to create it.
#[tokio::test]
async fn a_removed_stream_is_made_again() {
    let Some(server) = Server::current("a_removed_stream_is_made_again").await else { return };
    let nats = server.nats(|_| {});
    published(&nats, "before").await;
    let head = nats.head().await.expect("a head");
    server.operate("STREAM.DELETE.fanfare-events", "").await;
    let refused = nats.publish(event("1")).await.expect_err("no stream");
    assert!(matches!(refused, PublishError::NotStored(_)), "{refused}");
    let gone = nats.head().await.expect_err("no stream");
    assert!(matches!(&gone, BrokerError::Unavailable(said) if said.contains("was removed")), "{gone}");
    published(&nats, "after").await;
    assert!(matches!(nats.read(&head).await.err(), Some(BrokerError::OtherIncarnation { .. })));
}

/// The server's process is paused with its sockets open: the outcome of a publish is unknown, within the time-out.
#[tokio::test]
async fn a_server_that_is_paused() {
    let Some(server) = Server::current("a_server_that_is_paused").await else { return };
    let nats = server.nats(|o| o.request_timeout = Duration::from_millis(300));
    published(&nats, "before").await;
    let mut reader = nats.read(&nats.head().await.expect("a head")).await.expect("a reader");
    server.process().await.signal(Signal::Stop);
    // A signal takes a moment to arrive; until then the server may answer.
    let mut expected = Vec::new();
    let refused = loop {
        let id = format!("during{}", expected.len());
        expected.push(id.clone());
        assert!(expected.len() < 10_000, "the server does not stand still");
        if let Err(refused) = nats.publish(event(&id)).await {
            break refused;
        }
    };
    assert!(matches!(refused, PublishError::Unknown(_)), "{refused}");
    assert!(matches!(nats.head().await, Err(BrokerError::Unavailable(_))));
    server.process().await.signal(Signal::Continue);
    // The same id again is stored once, whatever happened to the first attempt.
    published(&nats, &expected[expected.len() - 1]).await;
    published(&nats, "after").await;
    expected.push("after".into());
    let mut read = Vec::new();
    while read.len() < expected.len() {
        match reader.next().await {
            Err(BrokerError::Unavailable(_)) => {}
            batch => read.extend(batch.expect("a batch").into_iter().map(|record| record.message.id)),
        }
    }
    assert_eq!(read, expected);
}

/// A reader reports an outage after its patience, once per span of it, and continues afterwards.
#[tokio::test]
async fn a_reader_reports_a_long_outage() {
    let Some(server) = Server::current("a_reader_reports_a_long_outage").await else { return };
    let nats = server.nats(|o| o.patience = Duration::from_millis(100));
    published(&nats, "before").await;
    let mut reader = nats.read(&nats.head().await.expect("a head")).await.expect("a reader");
    server.process().await.kill();
    for _ in 0..3 {
        let told = reader.next().await.expect_err("away");
        assert!(matches!(told, BrokerError::Unavailable(_)), "{told}");
    }
    server.process().await.start_again().await.expect("starts");
    published(&nats, "after").await;
    let batch = loop {
        match reader.next().await {
            Err(BrokerError::Unavailable(_)) => {}
            other => break other.expect("a batch"),
        }
    };
    assert_eq!(batch[0].message.id, "after");
}

/// A reader that is not polled buffers a bounded part of the log, and misses nothing when it is polled again.
#[tokio::test]
async fn a_reader_that_is_not_asked_misses_nothing() {
    let Some(server) = Server::current("a_reader_that_is_not_asked_misses_nothing").await else { return };
    let nats = server.nats(|o| o.batch_records = 10);
    let first = crate::Position::start(nats.head().await.expect("a head").incarnation());
    let mut reader = nats.read(&first).await.expect("a reader");
    for n in 0..200 {
        published(&nats, &n.to_string()).await;
    }
    let mut read = Vec::new();
    while read.len() < 200 {
        let batch = reader.next().await.expect("a batch");
        assert!(batch.len() <= 10, "{}", batch.len());
        read.extend(batch.into_iter().map(|record| record.message.id));
    }
    assert_eq!(read, (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
}

/// Reads a few of many messages, has the rest of their stream removed, and continues until everything was passed or an
/// error ends the reader.
async fn purged_while_behind(server: &Server, stream: &str, message: fn(&str) -> Message) -> Option<BrokerError> {
    let nats = server.nats(|o| o.batch_records = 4);
    let first = crate::Position::start(nats.head().await.expect("a head").incarnation());
    for n in 0..100 {
        nats.publish(message(&n.to_string())).await.expect("published");
    }
    let mut reader = nats.read(&first).await.expect("a reader");
    reader.next().await.expect("a batch");
    server.operate(&format!("STREAM.PURGE.{stream}"), "").await;
    let head = nats.head().await.expect("a head");
    let reading = async {
        loop {
            match reader.next().await {
                Ok(_) if *reader.position() == head => return None,
                Ok(_) => {}
                Err(error) => return Some(error),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), reading).await.expect("in time")
}

/// Everything that a reader has not read yet is removed, and nothing is published afterwards.
#[tokio::test]
async fn a_reader_that_is_behind_when_all_events_are_purged_reports_a_gap() {
    let Some(server) = Server::current("a_reader_that_is_behind_when_all_events_are_purged_reports_a_gap").await else {
        return;
    };
    match purged_while_behind(&server, "fanfare-events", event).await {
        Some(BrokerError::Trimmed { oldest }) => assert_eq!(oldest.offset(0), Some(100)),
        other => panic!("{other:?}"),
    }
}

/// Removed state is no loss: nothing is missing.
#[tokio::test]
async fn a_reader_that_is_behind_when_all_state_is_purged_passes_it() {
    let Some(server) = Server::current("a_reader_that_is_behind_when_all_state_is_purged_passes_it").await else {
        return;
    };
    let ended = purged_while_behind(&server, "fanfare-state", |id| state(id, id)).await;
    assert!(ended.is_none(), "{ended:?}");
}

/// Records are removed faster than a reader gets to them: it reports a gap, with the place to continue from.
#[tokio::test]
async fn a_reader_that_a_purge_overtakes_reports_a_gap() {
    let Some(server) = Server::current("a_reader_that_a_purge_overtakes_reports_a_gap").await else { return };
    let nats = server.nats(|o| o.batch_records = 4);
    let first = crate::Position::start(nats.head().await.expect("a head").incarnation());
    for n in 0..100 {
        published(&nats, &n.to_string()).await;
    }
    nats.publish(state("k", "state")).await.expect("published");
    let mut reader = nats.read(&first).await.expect("a reader");
    reader.next().await.expect("a batch");
    server.operate("STREAM.PURGE.fanfare-events", "{\"keep\":2}").await;
    let oldest = loop {
        match reader.next().await {
            Ok(_) => {}
            Err(BrokerError::Trimmed { oldest }) => break oldest,
            Err(other) => panic!("{other}"),
        }
    };
    assert_eq!(oldest.offset(0), Some(98));
    let mut rest = nats.read(&oldest).await.expect("a reader");
    let batch = rest.next().await.expect("a batch");
    let events: Vec<_> = batch.iter().filter(|r| r.partition == 0).map(|r| r.message.id.as_str()).collect();
    assert!(events.is_empty() || events == ["98", "99"], "{events:?}");
}
