//! A process that publishes is killed at random moments; what was acknowledged must be stored.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_broker::embedded::{Embedded, OpenError, Options};
use fanfare_broker::{Broker, Message, Position, Record, Stream};
use tempfile::TempDir;

const FOLDER: &str = "FANFARE_TEST_KILL_FOLDER";
const ROUND: &str = "FANFARE_TEST_KILL_ROUND";
const ROUNDS: usize = 4;
const PUBLISHERS: usize = 8;

/// An acknowledged offset, and the id that was published.
type Answer = (u64, String);

/// The child: publishes until it is killed. Does nothing in an ordinary run of the tests.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let (Ok(folder), Ok(round)) = (std::env::var(FOLDER), std::env::var(ROUND)) else {
        return;
    };
    let log = Arc::new(Embedded::open(Path::new(&folder), options()).expect("opens"));
    let publishers = (0..PUBLISHERS).map(|publisher| {
        let (log, round) = (Arc::clone(&log), round.clone());
        tokio::spawn(async move {
            for n in 0.. {
                let id = format!("{round}/{publisher}/{n}");
                let published = log.publish(message(&id)).await.expect("published");
                // One write per line, so that a kill does not cut a line that counts.
                let line = format!("answered {} {id}\n", published.offset);
                std::io::stdout().write_all(line.as_bytes()).expect("the parent reads");
            }
        })
    });
    for publisher in publishers.collect::<Vec<_>>() {
        publisher.await.expect("runs until it is killed");
    }
}

fn options() -> Options {
    Options { group_records: 5, ..Options::default() }
}

fn message(id: &str) -> Message {
    Message {
        stream: if id.ends_with('7') { Stream::State } else { Stream::Events },
        org: Some("acme".into()),
        topic: "a.B".into(),
        key: Some("k".into()),
        id: id.into(),
        headers: vec![("ce-id".into(), id.into())],
        body: Bytes::from(id.repeat(20)),
    }
}

fn start_child(folder: &Path, round: usize) -> Child {
    Command::new(std::env::current_exe().expect("this test"))
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .expect("starts")
}

fn answer(line: &str) -> Option<Answer> {
    let (offset, id) = line.strip_prefix("answered ")?.split_once(' ')?;
    Some((offset.parse().ok()?, id.to_owned()))
}

/// Runs a child that publishes, kills it without warning, and returns everything that was acknowledged.
fn publish_and_kill(folder: &Path, round: usize, pause: Duration) -> Vec<Answer> {
    let mut child = start_child(folder, round);
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut answers = Vec::new();
    while answers.is_empty() {
        let line = lines.next().expect("the child ended early").expect("readable");
        answers.extend(answer(&line));
    }
    let locked = Embedded::open(folder, options()).err();
    assert!(matches!(locked, Some(OpenError::AlreadyOpen { .. })), "{locked:?}");
    let pid = child.id();
    let killer = std::thread::spawn(move || {
        std::thread::sleep(pause);
        child.kill().expect("killed");
        child.wait().expect("ended")
    });
    for line in lines {
        answers.extend(answer(&line.expect("readable")));
    }
    let status = killer.join().expect("no panic");
    assert!(!status.success(), "child {pid} ended by itself");
    answers
}

async fn everything(log: &Embedded) -> Vec<Record> {
    let head = log.head().await.expect("a head");
    let mut reader = log.read(&Position::start(head.incarnation())).await.expect("a reader");
    let mut records: Vec<Record> = Vec::new();
    while records.last().map(|r| r.offset) != head.offset(0) {
        records.extend(reader.next().await.expect("a batch"));
    }
    records
}

fn assert_whole(records: &[Record], answers: &[Answer]) {
    for (expected, record) in (1..).zip(records) {
        assert_eq!(record.offset, expected, "no gap");
        assert_eq!(record.message, message(&record.message.id), "no half record");
    }
    for (offset, id) in answers {
        let at = usize::try_from(*offset).expect("small") - 1;
        let found = records.get(at).map(|r| r.message.id.as_str());
        assert_eq!(found, Some(id.as_str()), "answered at {offset}");
    }
    let mut next: HashMap<&str, u64> = HashMap::new();
    for record in records {
        let (publisher, n) = record.message.id.rsplit_once('/').expect("an id of the child");
        let expected = next.entry(publisher).or_default();
        assert_eq!(n, expected.to_string(), "the order of {publisher}");
        *expected += 1;
    }
}

#[tokio::test]
async fn acknowledged_records_survive_kill_9() {
    let folder = TempDir::new().expect("a folder");
    let mut answers: Vec<Answer> = Vec::new();
    let mut head = 0;
    for round in 0..ROUNDS {
        let pause = Duration::from_millis([37, 210, 5, 120][round]);
        let answered = publish_and_kill(folder.path(), round, pause);
        assert!(answered.iter().all(|(offset, _)| *offset > head), "an offset was used again");
        answers.extend(answered);
        let log = Embedded::open(folder.path(), options()).expect("opens after a kill");
        let records = everything(&log).await;
        assert_whole(&records, &answers);
        head = records.len() as u64;
        log.close().await;
    }
    assert!(answers.len() > ROUNDS, "hardly anything was published");
}
