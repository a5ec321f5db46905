//! A clock that was ahead once: nothing is removed because of it, now or after a restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::{event, everything, ids, publish};
use crate::broker::Broker;
use crate::embedded::{Clock, Embedded, Options, Window};

const HOUR: i64 = 3_600_000;

/// A machine: its clock's time, and how long it has run.
#[derive(Clone, Default)]
struct Machine(Arc<[AtomicI64; 2]>);

impl Machine {
    fn options(&self) -> Options {
        let window = Window { age: Duration::from_secs(600), records: 10 };
        let (wall, steady) = (self.clone(), self.clone());
        let clock = Clock::from_fns(
            move || wall.0[0].load(Ordering::SeqCst),
            move || Duration::from_millis(u64::try_from(steady.0[1].load(Ordering::SeqCst)).expect("forward")),
        );
        let retention_age = Duration::from_secs(24 * 3600);
        Options { retention_age, protected: window, dedup: window, clock, ..Options::default() }
    }

    /// Time passes.
    fn pass(&self, milliseconds: i64) {
        for clock in self.0.iter() {
            clock.fetch_add(milliseconds, Ordering::SeqCst);
        }
    }

    /// Its clock jumps, but no time passes.
    fn jump(&self, milliseconds: i64) {
        self.0[0].fetch_add(milliseconds, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_clock_that_was_ahead_once_empties_nothing() {
    let (folder, machine) = (TempDir::new().expect("a folder"), Machine::default());
    machine.pass(1_000 * HOUR);
    let open = || Embedded::open(folder.path(), machine.options()).expect("opens");
    let log = open();
    for n in 0..20 {
        publish(&log, &format!("e{n}")).await;
    }
    machine.jump(72 * HOUR);
    publish(&log, "ahead").await;
    log.trim().await;
    assert_eq!(everything(&log).await.len(), 21, "while it is ahead");
    let again = log.publish(event("e19")).await.expect("published");
    assert!(again.duplicate, "an id of a moment ago is known");

    machine.jump(-72 * HOUR);
    machine.pass(HOUR);
    publish(&log, "right again").await;
    log.trim().await;
    assert_eq!(everything(&log).await.len(), 22, "when it is right again");
    log.close().await;
    drop(log);

    let log = open();
    log.trim().await;
    publish(&log, "after a restart").await;
    log.trim().await;
    assert_eq!(everything(&log).await.len(), 23);
    // Records that are really old are removed.
    machine.pass(25 * HOUR);
    publish(&log, "a day later").await;
    log.trim().await;
    let left = everything(&log).await;
    let left = ids(&left);
    assert!(!left.contains(&"e0") && left.contains(&"ahead"), "{left:?}");
}

#[tokio::test]
async fn a_restart_with_a_clock_that_is_ahead_empties_nothing() {
    let (folder, machine) = (TempDir::new().expect("a folder"), Machine::default());
    machine.pass(1_000 * HOUR);
    let open = || Embedded::open(folder.path(), machine.options()).expect("opens");
    let log = open();
    publish(&log, "before").await;
    log.close().await;
    drop(log);
    machine.jump(72 * HOUR);
    let log = open();
    publish(&log, "ahead").await;
    log.trim().await;
    assert_eq!(ids(&everything(&log).await), ["before", "ahead"]);
    let clock = log.condition().await.age_clock.expect("kept");
    assert_eq!(clock, 1_000 * HOUR, "it goes on from where it was kept");
}
