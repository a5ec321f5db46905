//! A producer that is killed between commit and publish loses nothing.

mod support;

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use fanfare_outbox::{PublishError, RelayOptions};
use support::{Database, Recorder, commit, event, outbox, quick, start, until_empty};

const CHILD: &str = "FANFARE_TEST_CRASH_DATABASE";
const EVENTS: u32 = 40;
const PUBLISHED: usize = 7;

fn options() -> RelayOptions {
    RelayOptions { lease: Duration::from_millis(700), ..quick() }
}

/// Not a test: the process that the test below kills.
#[tokio::test]
async fn child_that_is_killed() {
    let Ok(url) = std::env::var(CHILD) else { return };
    let outbox = outbox(&url).await;
    let recorder = Recorder::new(|event, _| {
        let number: usize = event.attributes.id.parse().unwrap();
        if number < PUBLISHED { Ok(()) } else { Err(PublishError::Retry("the test waits for the kill".into())) }
    });
    let _relay = start(&outbox, recorder.clone(), options());
    commit(&outbox, (0..EVENTS).map(|number| event("acme", number))).await;
    recorder.wait_for(PUBLISHED).await;
    // The test harness captures standard output, but not standard error with --nocapture.
    eprintln!("committed");
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_producer_loses_no_event() {
    let database = Database::new().await;
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_that_is_killed", "--nocapture"])
        .env(CHILD, &database.url)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let committed = tokio::task::spawn_blocking(move || lines.map_while(Result::ok).any(|line| line == "committed"));
    assert!(committed.await.unwrap(), "the child ended by itself");
    // SIGKILL: neither destructors nor the lease's release run.
    child.kill().unwrap();
    child.wait().unwrap();

    let outbox = database.outbox().await;
    let left = outbox.pending().await.unwrap();
    assert!(left >= u64::from(EVENTS) - PUBLISHED as u64, "{left} left");
    let recorder = Recorder::accepting();
    let relay = start(&outbox, recorder.clone(), options());
    until_empty(&outbox).await;
    relay.stop().await;
    let ids = recorder.ids();
    let first = ids[0].parse::<u32>().unwrap();
    assert!(first as usize <= PUBLISHED, "an event before {first} is lost");
    let expected: Vec<String> = (first..EVENTS).map(|number| number.to_string()).collect();
    assert_eq!(ids, expected);
}
