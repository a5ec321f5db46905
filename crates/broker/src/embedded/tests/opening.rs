//! Faults of a folder, and how they are reported.

use std::fs;
use std::path::Path;

use redb::Database;
use tempfile::TempDir;

use super::{Hand, event, everything, ids, publish};
use crate::BrokerError;
use crate::broker::Broker;
use crate::embedded::tables::META;
use crate::embedded::{Embedded, OpenError, Options};

fn open(path: &Path) -> Result<Embedded, OpenError> {
    Embedded::open(path, Options::default())
}

fn refused(path: &Path) -> OpenError {
    let error = open(path).expect_err("refused");
    if !matches!(error, OpenError::Options(_)) {
        let named = path.display().to_string();
        assert!(error.to_string().contains(&named), "{error} names no path");
    }
    error
}

#[test]
fn a_log_has_one_user_at_a_time() {
    let folder = TempDir::new().expect("a folder");
    let log = open(folder.path()).expect("opens");
    let error = refused(folder.path());
    assert!(matches!(error, OpenError::AlreadyOpen { .. }), "{error}");
    drop(log);
    open(folder.path()).expect("opens again");
}

#[tokio::test]
async fn a_closed_log_is_free_although_a_reader_lives() {
    let folder = TempDir::new().expect("a folder");
    let log = open(folder.path()).expect("opens");
    publish(&log, "a").await;
    let position = log.head().await.expect("a head");
    let _reader = log.read(&position).await.expect("a reader");
    log.close().await;
    let again = open(folder.path()).expect("opens again");
    assert_eq!(ids(&everything(&again).await), ["a"]);
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = TempDir::new().expect("a folder");
    let file = folder.path().join("a-file");
    fs::write(&file, "x").expect("written");
    let error = refused(&file.join("log"));
    assert!(matches!(error, OpenError::Folder { .. }), "{error}");
}

#[test]
fn another_file_in_its_place_is_refused() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("log.redb"), vec![b'x'; 100_000]).expect("written");
    let error = refused(folder.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[test]
fn another_database_is_refused() {
    let folder = TempDir::new().expect("a folder");
    drop(Database::create(folder.path().join("log.redb")).expect("made"));
    let error = refused(folder.path());
    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
}

#[test]
fn a_newer_format_is_refused_with_both_numbers() {
    let folder = TempDir::new().expect("a folder");
    drop(open(folder.path()).expect("opens"));
    let database = Database::create(folder.path().join("log.redb")).expect("opens");
    let change = database.begin_write().expect("begins");
    let mut meta = change.open_table(META).expect("a table");
    meta.insert("format", 9).expect("written");
    drop(meta);
    change.commit().expect("written");
    drop(database);
    match refused(folder.path()) {
        OpenError::NewerFormat { found, known, .. } => assert_eq!((found, known), (9, 1)),
        other => panic!("{other}"),
    }
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let folder = TempDir::new().expect("a folder");
    let options = Options { queue_records: 0, ..Options::default() };
    let error = Embedded::open(folder.path(), options).expect_err("refused");
    assert!(error.to_string().contains("queue_records"), "{error}");
}

#[test]
fn a_crash_while_the_log_is_made_leaves_nothing_in_the_way() {
    let folder = TempDir::new().expect("a folder");
    fs::write(folder.path().join("log.redb.new"), vec![0; 8192]).expect("written");
    open(folder.path()).expect("opens");
}

#[tokio::test]
async fn a_restored_copy_refuses_positions_from_after_the_copy() {
    let folder = TempDir::new().expect("a folder");
    let hand = Hand::at(1_000);
    let open = || Embedded::open(folder.path(), Options { clock: hand.clock(), ..Options::default() }).expect("opens");
    let file = folder.path().join("log.redb");
    let log = open();
    publish(&log, "kept").await;
    let kept = log.head().await.expect("a head");
    log.close().await;
    drop(log);
    let copy = fs::read(&file).expect("read");
    let log = open();
    hand.advance(5);
    publish(&log, "lost").await;
    let lost = log.head().await.expect("a head");
    assert_eq!((kept.newest(), lost.newest()), (1_000, 1_005));
    log.close().await;
    drop(log);

    fs::write(&file, copy).expect("written");
    let log = open();
    assert!(matches!(log.read(&lost).await.err(), Some(BrokerError::OtherIncarnation { .. })), "beyond the end");
    hand.advance(5);
    for id in ["other", "more"] {
        publish(&log, id).await;
    }
    let refused = log.read(&lost).await.err();
    assert!(matches!(refused, Some(BrokerError::OtherIncarnation { .. })), "another record is there: {refused:?}");
    for (from, expected) in [(&kept, ["other", "more"]), (&log.head().await.expect("a head"), ["later", ""])] {
        let mut reader = log.read(from).await.expect("a reader");
        if expected[0] == "later" {
            publish(&log, "later").await;
        }
        assert_eq!(ids(&reader.next().await.expect("records"))[0], expected[0]);
    }
}

/// Damage at any place causes an error or goes unnoticed, but never ends the process.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn damage_never_panics() {
    let folder = TempDir::new().expect("a folder");
    let log = open(folder.path()).expect("opens");
    for n in 0..20 {
        publish(&log, &format!("e{n}")).await;
    }
    log.close().await;
    drop(log);
    let file = folder.path().join("log.redb");
    let whole = fs::read(&file).expect("read");
    let used = whole.len() - whole.iter().rev().take_while(|b| **b == 0).count();
    for n in 0..60 {
        let mut damaged = whole.clone();
        let at = (n * 7919 * 13) % used;
        let end = (at + 1 + n * 5).min(used);
        damaged[at..end].iter_mut().for_each(|b| *b ^= 0xa5);
        fs::write(&file, damaged).expect("written");
        let Ok(log) = open(folder.path()) else {
            continue;
        };
        let position = super::Position::start(log.shared.incarnation);
        if let Ok(mut reader) = log.read(&position).await
            && log.head().await.is_ok_and(|head| head > position)
        {
            let _ = reader.next().await;
        }
        let _ = log.publish(event("after")).await;
    }
}
