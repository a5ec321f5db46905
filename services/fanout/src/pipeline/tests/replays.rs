//! Many replays at once, and a broker that is slow.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::memory::Memory;
use fanfare_broker::{Broker as _, BrokerError, Position};
use fanfare_event::Id;
use tokio::time::Instant;

use super::broker::memory;
use super::node::{WINDOW, alert};
use crate::pipeline::{RecentRecords, Replay, ReplayOptions, ResumeError};
use crate::scene::{BOUNDS, Scene};

/// Replays of a node that keeps nothing in memory and lets one read the broker at a time.
fn replays(log: &Memory, scene: &Scene) -> Replay {
    let fresh = Duration::from_secs(1);
    let options = ReplayOptions { window: WINDOW, bounds: BOUNDS, reads_at_once: 1, start_is_fresh: fresh };
    let routes = Arc::clone(&scene.routes);
    Replay::new(Arc::new(log.clone()), routes.into(), Arc::new(RecentRecords::new(0)), options)
}

fn acme() -> Vec<Id> {
    vec![Id::parse("acme").expect("an org")]
}

/// Each once asked for itself, one after the other.
#[tokio::test(start_paused = true)]
async fn a_broker_that_gives_no_answer_is_asked_once_for_all_that_wait() {
    let (log, mut scene) = (memory(), Scene::demo());
    log.append(0, alert(&mut scene, "a"));
    let (replay, head) = (replays(&log, &scene), log.head().await.expect("a head"));
    log.slow(Duration::from_secs(5), Duration::ZERO);
    log.fail(Some(BrokerError::Unavailable("no answer".into())));
    let began = Instant::now();
    let resumes = (0..50).map(|_| {
        let (replay, head) = (replay.clone(), head.clone());
        tokio::spawn(async move { replay.open(&Position::start(1), head, acme()).await.map(|_| ()) })
    });
    for resume in resumes.collect::<Vec<_>>() {
        assert_eq!(resume.await.expect("no panic"), Err(ResumeError::Unavailable));
    }
    assert!(began.elapsed() < Duration::from_secs(7), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_tab_that_reads_nothing_occupies_no_broker_reader() {
    let (log, mut scene) = (memory(), Scene::demo());
    for title in ["a", "b", "c", "d", "e", "f", "g"] {
        log.append(0, alert(&mut scene, title));
    }
    let (replay, head) = (replays(&log, &scene), log.head().await.expect("a head"));
    let open = async || replay.open(&Position::start(1), head.clone(), acme()).await.expect("opens");
    let mut slow = open().await;
    let mut told = slow.next().await.expect("reads").expect("some").len();
    assert!(matches!(open().await.next().await, Err(ResumeError::Busy)), "one reads at a time");
    slow.pause();
    assert!(matches!(open().await.next().await, Ok(Some(_))), "the other has let go");
    while let Some(batch) = slow.next().await.expect("reads on") {
        told += batch.len();
    }
    assert_eq!(told, 7, "where it was, and each once");
}
