//! What others do to the streams: messages without an id, messages that no client can parse, and deleted messages.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::Bytes;

use super::super::Nats;
use super::server::Server;
use super::{event, state};
use crate::broker::{Broker, Reader};
use crate::error::PublishError;
use crate::letter::DeadLetter;
use crate::message::{Message, Record};
use crate::position::Position;

async fn from_the_start(nats: &Nats) -> Box<dyn Reader> {
    let first = Position::start(nats.head().await.expect("a head").incarnation());
    nats.read(&first).await.expect("a reader")
}

async fn take(reader: &mut Box<dyn Reader>, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    let taking = async {
        while records.len() < count {
            records.extend(reader.next().await.expect("a batch"));
        }
    };
    tokio::time::timeout(Duration::from_secs(20), taking).await.expect("in time");
    records
}

#[tokio::test]
async fn a_message_without_an_id_is_called_by_its_place() {
    let Some(server) = Server::current("a_message_without_an_id_is_called_by_its_place").await else { return };
    let nats = server.nats(|_| {});
    let mut reader = from_the_start(&nats).await;
    let stranger = server.stranger().await;
    for subject in ["events.acme.theirs.Event", "events.acme", "state.acme.theirs.Event"] {
        stranger.request(subject, Bytes::from_static(b"x")).await.expect("stored");
    }
    let mut records = take(&mut reader, 3).await;
    records.sort_by_key(|record| (record.partition, record.offset));
    assert_eq!(records[0].message.id, "seq-1");
    assert_eq!(records[0].message.org.as_deref(), Some("acme"));
    assert_eq!(records[0].message.topic, "theirs.Event");
    assert_eq!((records[1].message.topic.as_str(), records[1].message.id.as_str()), ("", "seq-2"));
    assert_eq!(records[2].message.key.as_deref(), Some("Event"));
}

/// Stores a message whose header is not text. The client disconnects each time it receives it.
fn publish_poison(address: &str) {
    let mut socket = TcpStream::connect(address).expect("connected");
    let headers = b"NATS/1.0\r\nce-id: \xff\xfe\r\n\r\n";
    write!(socket, "CONNECT {{\"verbose\":false,\"headers\":true,\"protocol\":1}}\r\n").expect("sent");
    write!(socket, "HPUB events.acme.their.Event {} {}\r\n", headers.len(), headers.len() + 4).expect("sent");
    socket.write_all(headers).expect("sent");
    socket.write_all(b"body\r\nPING\r\n").expect("sent");
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("PONG") {
        let mut part = [0; 4096];
        let count = socket.read(&mut part).expect("answered");
        assert!(count > 0, "{}", String::from_utf8_lossy(&heard));
        heard.extend(&part[..count]);
    }
}

#[tokio::test]
async fn a_message_that_no_client_can_parse_does_not_stop_the_stream() {
    let test = "a_message_that_no_client_can_parse_does_not_stop_the_stream";
    let Some(server) = Server::current(test).await else { return };
    let nats = server.nats(|_| {});
    nats.publish(event("before")).await.expect("published");
    publish_poison(&server.address());
    nats.publish(event("after")).await.expect("published");
    let records = take(&mut from_the_start(&nats).await, 3).await;
    assert_eq!(records[0].message.id, "before");
    assert_eq!(records[1].message.headers, [("ce-id".to_owned(), "\u{fffd}\u{fffd}".to_owned())]);
    assert_eq!(records[2].message.id, "after");
    let letter = DeadLetter::new(&records[1], "no text", 1);
    nats.dead_letter(letter.clone()).await.expect("kept");
    assert_eq!(nats.dead_letter_at(0, 2).await.expect("an answer"), Some(letter));
}

/// The last records are deleted by hand: no reader waits for them.
#[tokio::test]
async fn a_deleted_end_is_not_waited_for() {
    let Some(server) = Server::current("a_deleted_end_is_not_waited_for").await else { return };
    let nats = server.nats(|_| {});
    for id in ["1", "2", "3", "4"] {
        nats.publish(event(id)).await.expect("published");
    }
    for sequence in [2, 4] {
        let gone = server.operate("STREAM.MSG.DELETE.fanfare-events", &format!("{{\"seq\":{sequence}}}")).await;
        assert!(gone.contains("\"success\":true"), "{gone}");
    }
    let head = nats.head().await.expect("a head");
    assert_eq!(head.offset(0), Some(3));
    let mut reader = from_the_start(&nats).await;
    let records = take(&mut reader, 2).await;
    assert_eq!(records.iter().map(|r| r.offset).collect::<Vec<_>>(), [1, 3]);
    assert!(reader.position().covers(0, 3));
    let mut at_end = nats.read(&head).await.expect("a reader");
    nats.publish(event("5")).await.expect("published");
    assert_eq!(take(&mut at_end, 1).await[0].offset, 5);
}

/// The window contains at most this many records of each stream, and the stored records bound it.
#[tokio::test]
async fn a_window_is_bounded_in_each_stream() {
    let Some(server) = Server::current("a_window_is_bounded_in_each_stream").await else { return };
    let nats = server.nats(|_| {});
    for n in 0..5 {
        nats.publish(event(&n.to_string())).await.expect("published");
        nats.publish(state(&format!("k{n}"), &format!("s{n}"))).await.expect("published");
    }
    let hour = Duration::from_secs(3600);
    let two = nats.window(hour, 2).await.expect("a window");
    assert_eq!(two.offsets(), [(0, 3), (1, 3)]);
    assert!(two.newest() > 0 && two.newest() <= nats.head().await.expect("a head").newest());
    server.operate("STREAM.PURGE.fanfare-events", "{\"seq\":5}").await;
    let all = nats.window(hour, 100).await.expect("a window");
    assert_eq!(all.offsets(), [(0, 4)]);
    let records = take(&mut nats.read(&all).await.expect("a reader"), 6).await;
    assert_eq!(records.iter().filter(|record| record.partition == 0).count(), 1);
    assert_eq!(nats.window(Duration::ZERO, 100).await.expect("a window"), nats.head().await.expect("a head"));
}

#[tokio::test]
async fn headers_of_the_server_are_not_ours_to_set() {
    let Some(server) = Server::current("headers_of_the_server_are_not_ours_to_set").await else { return };
    let nats = server.nats(|_| {});
    let rollup = Message { headers: vec![("nats-Rollup".into(), "all".into())], ..event("1") };
    let refused = nats.publish(rollup).await.expect_err("refused");
    assert!(matches!(&refused, PublishError::Invalid(said) if said.contains("nats-Rollup")), "{refused}");
}

/// The server's own limit is smaller than ours.
#[tokio::test]
async fn a_message_larger_than_the_server_takes() {
    let test = "a_message_larger_than_the_server_takes";
    let Some(server) = Server::configured(test, |_| "max_payload: 10000".into()).await else { return };
    let nats = server.nats(|_| {});
    let large = |size: usize, id: &str| Message { body: vec![0; size].into(), ..event(id) };
    nats.publish(large(9000, "fits")).await.expect("published");
    let refused = nats.publish(large(9990, "large")).await.expect_err("refused");
    assert!(matches!(&refused, PublishError::TooLarge { limit: 10_000, .. }), "{refused}");
}

/// A tombstone does not stay for good on a server that lets a message expire.
#[tokio::test]
async fn a_tombstone_expires() {
    let Some(server) = Server::current("a_tombstone_expires").await else { return };
    let nats = server.nats(|_| {});
    nats.publish(state("k", "1")).await.expect("published");
    let gone = nats.publish(Message { body: Bytes::new(), ..state("k", "2") }).await.expect("published");
    let stored = server.operate("STREAM.MSG.GET.fanfare-state", &format!("{{\"seq\":{}}}", gone.offset)).await;
    let stored: serde_json::Value = serde_json::from_str(&stored).expect("an answer");
    let headers = stored["message"]["hdrs"].as_str().expect("headers");
    use base64::Engine;
    let headers = base64::engine::general_purpose::STANDARD.decode(headers).expect("base64");
    let headers = String::from_utf8_lossy(&headers).into_owned();
    assert!(headers.contains("Nats-TTL: 168h"), "{headers}");
}

/// Letters about headers that only foreign publishers write.
#[tokio::test]
async fn letters_keep_what_no_header_can() {
    let Some(server) = Server::current("letters_keep_what_no_header_can").await else { return };
    let nats = server.nats(|_| {});
    let message = Message {
        org: Some(" 100%\u{1} ".into()),
        topic: String::new(),
        headers: vec![("a b".into(), "dropped".into()), ("c".into(), "kept".into())],
        ..event("i d ")
    };
    let record = Record { partition: 7, offset: 9, time: 1, message };
    nats.dead_letter(DeadLetter::new(&record, "two\nlines", 5)).await.expect("kept");
    let letter = nats.dead_letter_at(7, 9).await.expect("an answer").expect("a letter");
    assert_eq!(letter.reason, "two\nlines");
    assert_eq!(letter.message.org, record.message.org);
    assert_eq!(letter.message.id, "i d ");
    assert_eq!(letter.message.headers, [("c".to_owned(), "kept".to_owned())]);
    let large = Message { headers: vec![("h".into(), "v".repeat(1_000_000))], ..event("large") };
    let record =
        Record { partition: 7, offset: 10, time: 1, message: Message { body: vec![1; 60_000].into(), ..large } };
    nats.dead_letter(DeadLetter::new(&record, "large", 5)).await.expect("kept without its headers");
}
