//! Disks that are full, slow or without power: acknowledged records must survive.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::disk::Disk;
use super::{Random, event, everything, ids, offsets, publish};
use crate::broker::Broker;
use crate::condition::Writes;
use crate::embedded::{Embedded, Options};
use crate::error::PublishError;
use crate::message::{Message, Record};

fn open(folder: &TempDir, disk: &Disk) -> Embedded {
    Embedded::open_with(folder.path(), Options::default(), Box::new(disk.clone())).expect("opens")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_visible_before_its_sync() {
    let (folder, disk) = (TempDir::new().expect("a folder"), Disk::default());
    let log = Arc::new(open(&folder, &disk));
    publish(&log, "first").await;
    let head = log.head().await.expect("a head");
    let mut reader = log.read(&head).await.expect("a reader");

    disk.hold_syncs();
    let publisher = Arc::clone(&log);
    let mut publisher = tokio::spawn(async move { publish(&publisher, "second").await });
    let held = disk.clone();
    tokio::task::spawn_blocking(move || held.wait_for_held_sync()).await.expect("held");
    assert_eq!(log.head().await.expect("a head"), head);
    assert_eq!(ids(&everything(&log).await), ["first"]);
    tokio::select! {
        biased;
        batch = reader.next() => panic!("{batch:?} before its sync"),
        answer = &mut publisher => panic!("{answer:?} before its sync"),
        () = tokio::task::yield_now() => {}
    }
    disk.release_syncs();
    publisher.await.expect("published");
    assert_eq!(ids(&reader.next().await.expect("a batch")), ["second"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_whose_disk_is_too_slow_is_busy() {
    let (folder, disk) = (TempDir::new().expect("a folder"), Disk::default());
    let queue_bytes = Options::default().limits.largest_message();
    let options = Options { queue_bytes, ..Options::default() };
    let log = Arc::new(Embedded::open_with(folder.path(), options, Box::new(disk.clone())).expect("opens"));
    disk.hold_syncs();
    let large = |id: &str| Message { body: vec![0; 900_000].into(), ..event(id) };
    let (publisher, first) = (Arc::clone(&log), large("first"));
    let first = tokio::spawn(async move { publisher.publish(first).await });
    let held = disk.clone();
    tokio::task::spawn_blocking(move || held.wait_for_held_sync()).await.expect("held");
    // The first one keeps its room until it is answered.
    match log.publish(large("second")).await {
        Err(PublishError::NotStored(reason)) => assert!(reason.starts_with("busy"), "{reason}"),
        other => panic!("{other:?}"),
    }
    disk.release_syncs();
    first.await.expect("no panic").expect("published");
    log.publish(large("third")).await.expect("there is room again");
    assert_eq!(ids(&everything(&log).await), ["first", "third"]);
}

async fn publish_patiently(log: &Embedded, id: &str) {
    let retry = async {
        while log.publish(event(id)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), retry).await.expect("usable again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_and_serves_again_when_there_is_room() {
    let (folder, disk) = (TempDir::new().expect("a folder"), Disk::default());
    let log = open(&folder, &disk);
    publish(&log, "a").await;
    let head = log.head().await.expect("a head");
    let mut reader = log.read(&head).await.expect("a reader");

    disk.set_full(true);
    let refused = log.publish(event("b")).await.expect_err("no room");
    // After the failure the file is closed and cannot be checked, so the outcome is unknown.
    assert!(matches!(refused, PublishError::Unknown(_)), "{refused}");
    let refused = log.publish(event("c")).await.expect_err("no room");
    assert!(matches!(refused, PublishError::NotStored(_)), "{refused}");
    assert_eq!(log.head().await.expect("a head"), head, "nothing half visible");
    assert!(matches!(log.condition().await.writes, Writes::Fail(_)), "it is known, also to who does not publish");

    disk.set_full(false);
    let noticed = async {
        while log.condition().await.writes != Writes::Work {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), noticed).await.expect("noticed though nobody publishes");
    publish_patiently(&log, "d").await;
    let seen = ids(&reader.next().await.expect("a batch")).join(" ");
    assert_eq!(seen, "d");
    let all = everything(&log).await;
    assert_eq!(ids(&all), ["a", "d"]);
    assert_eq!(offsets(&all), [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_sync_is_never_answered_as_stored() {
    let (folder, disk) = (TempDir::new().expect("a folder"), Disk::default());
    let log = open(&folder, &disk);
    publish(&log, "a").await;
    disk.set_unsyncable(true);
    let failed = log.publish(event("b")).await.expect_err("no sync");
    assert!(matches!(failed, PublishError::Unknown(_)), "{failed}");
    disk.set_unsyncable(false);
    // The same id again: stored now, or found as a duplicate; never twice.
    publish_patiently(&log, "b").await;
    publish_patiently(&log, "c").await;
    let all = everything(&log).await;
    assert_eq!(ids(&all), ["a", "b", "c"]);
    assert_eq!(offsets(&all), [1, 2, 3]);
}

/// Cuts the power at many moments under load, every other time in the middle of a commit. Everything that was
/// acknowledged before, and everything that a reader saw before, must still be there, whichever of the unsynced writes
/// reached the disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_and_visible_records_survive_a_power_failure() {
    let mut random = Random::new(7);
    let (folder, disk) = (TempDir::new().expect("a folder"), Disk::default());
    let log = Arc::new(open(&folder, &disk));
    let done = Arc::new(AtomicBool::new(false));
    let publishers: Vec<_> = (0..4).map(|n| tokio::spawn(publish_until(done.clone(), log.clone(), n))).collect();
    for cut in 0..10 {
        publish(&log, &format!("before cut {cut}")).await;
        let seen = everything(&log).await;
        if cut % 2 == 0 {
            disk.hold_syncs();
            let held = disk.clone();
            tokio::task::spawn_blocking(move || held.wait_for_held_sync()).await.expect("held");
        }
        let left = disk.after_power_failure(|| random.below(2) == 0);
        disk.release_syncs();
        assert_all_left(&left, &seen).await;
    }
    done.store(true, Ordering::Relaxed);
    for publisher in publishers {
        publisher.await.expect("no panic");
    }
}

async fn publish_until(done: Arc<AtomicBool>, log: Arc<Embedded>, publisher: usize) {
    for n in 0.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        publish(&log, &format!("{publisher}-{n}")).await;
    }
}

async fn assert_all_left(left: &[u8], seen: &[Record]) {
    let folder = TempDir::new().expect("a folder");
    std::fs::write(folder.path().join("log.redb"), left).expect("written");
    let log = Embedded::open(folder.path(), Options::default()).expect("opens");
    let found = everything(&log).await;
    assert!(found.len() >= seen.len(), "{} of {} are left", found.len(), seen.len());
    assert_eq!(found[..seen.len()], *seen);
    assert_eq!(offsets(&found), (1..=found.len() as u64).collect::<Vec<_>>());
}
