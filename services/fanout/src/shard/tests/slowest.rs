//! Whom an event reaches, and which connection takes it last.

use std::time::Duration;

use serde_json::json;

use super::{Key, Limits, OneShard, user};
use crate::groups::{ReachNumber, Reached};

/// The age of each event as it is delivered, in milliseconds: its place says 2,000, and so does the clock.
const AGE: u64 = 0;

fn shard() -> OneShard {
    OneShard::new(&Limits::default())
}

/// A tab that hears what is live.
fn live(shard: &mut OneShard) -> Key {
    let tab = shard.open(user("alice", &[]), None);
    shard.call(tab, "1", "Cursor", &json!([]));
    tab
}

/// Whom an alert has reached: each makes one notification.
fn reached_by(shard: &OneShard, number: u64) -> Option<Reached> {
    shard.groups.reaches().so_far(ReachNumber::new(number).expect("the first is 1"))
}

/// The same of the newest.
fn reached(shard: &OneShard) -> Reached {
    (1..).map_while(|number| reached_by(shard, number)).last().expect("one was sent")
}

#[test]
fn it_is_counted_whom_a_notification_reaches_and_who_was_written_last() {
    let mut shard = shard();
    let tabs = [live(&mut shard), live(&mut shard), live(&mut shard)];
    let last = shard.core.connections[tabs[2]].id;
    shard.alert("to three");
    let to_all = reached(&shard);
    assert_eq!((to_all.is_sent, to_all.at_once, to_all.later, to_all.waiting), (true, 3, 0, 0));
    assert_eq!(to_all.slowest, Some((last, AGE)));
    // One that has not said where it stands gets it later.
    shard.open(user("alice", &[]), None);
    shard.alert("to three, and one later");
    assert_eq!((reached(&shard).at_once, reached(&shard).later), (3, 1));
}

#[test]
fn what_no_tab_here_hears_has_reached_nobody() {
    let mut shard = shard();
    shard.alert("to nobody");
    assert_eq!(reached(&shard), Reached { is_sent: true, ..Reached::default() });
}

#[test]
fn a_tab_that_takes_nothing_is_named_and_once_it_does_it_is_the_slowest() {
    let mut shard = shard();
    let (quick, slow) = (live(&mut shard), live(&mut shard));
    let (quick_id, slow_id) = (shard.core.connections[quick].id, shard.core.connections[slow].id);
    shard.set_room(slow, 5);
    shard.alert("first");
    let first = |shard: &OneShard| reached_by(shard, 1).expect("it is noted");
    assert_eq!((first(&shard).waiting, first(&shard).waits), (1, Some(slow_id)));
    shard.pass(Duration::from_secs(1));
    shard.alert("second");
    assert_eq!(
        (reached(&shard).waiting, reached(&shard).waits),
        (1, Some(slow_id)),
        "it has not taken the first either"
    );
    shard.set_room(slow, 10);
    shard.pass(Duration::from_secs(1));
    assert_eq!((first(&shard).waiting, reached(&shard).waiting), (1, 1));
    shard.set_room(slow, usize::MAX);
    assert_eq!((first(&shard).waiting, first(&shard).waits, first(&shard).slowest), (0, None, Some((slow_id, 2_000))));
    assert_eq!((reached(&shard).waiting, reached(&shard).slowest), (0, Some((slow_id, 1_000))));
    shard.alert("third");
    assert_eq!(reached(&shard).slowest.map(|(_, millis)| millis), Some(AGE));
    assert!(reached(&shard).slowest.is_some_and(|(id, _)| id == quick_id || id == slow_id));
}

#[test]
fn a_tab_that_ends_without_taking_it_is_waited_for_no_more() {
    let mut shard = shard();
    let (_quick, slow) = (live(&mut shard), live(&mut shard));
    shard.set_room(slow, 0);
    shard.alert("not taken");
    assert_eq!(reached(&shard).waiting, 1);
    shard.core.link_lost(slow);
    shard.settle();
    shard.core.forget(slow);
    let after = reached(&shard);
    assert_eq!((after.waiting, after.waits), (0, None));
    assert_eq!(after.slowest.map(|(_, millis)| millis), Some(AGE), "only the other has taken it");
}

#[test]
fn a_tab_that_falls_behind_gets_it_later() {
    let mut shard = OneShard::new(&Limits { queue_bytes: 2_000, ..Limits::default() });
    shard.answers_by_hand = true;
    let slow = live(&mut shard);
    shard.set_room(slow, 0);
    while shard.core.connections[slow].flow.is_none() {
        shard.alert("more than fits");
    }
    assert_eq!((reached(&shard).at_once, reached(&shard).later), (0, 1));
}

#[test]
fn what_a_shard_cannot_finish_writing_is_bounded_and_not_timed() {
    let mut shard = shard();
    live(&mut shard);
    shard.alert("first");
    let (reach, last) = (ReachNumber::MIN, shard.core.last.clone().expect("it was delivered"));
    for _ in 0..5_000 {
        shard.core.begin_writing(reach, &last, 1_000);
    }
    assert!(shard.core.noted().0 <= 1024, "{:?}", shard.core.noted());
    assert_eq!(reached(&shard).slowest.map(|(_, millis)| millis), Some(AGE), "of the first alone");
    shard.settle();
    assert_eq!(shard.core.noted().0, 0);
}

#[test]
fn nothing_grows_where_nothing_is_taken() {
    let mut shard = shard();
    let tabs: Vec<Key> = (0..1100).map(|_| live(&mut shard)).collect();
    for tab in &tabs {
        shard.set_room(*tab, 0);
    }
    for _ in 0..10 {
        shard.alert("not taken");
    }
    let (of_turn, late, of_one) = shard.core.noted();
    assert!(of_turn == 0 && late == 64 && of_one == 8, "{of_turn}, {late}, {of_one}");
    for tab in tabs {
        shard.set_room(tab, usize::MAX);
    }
    assert_eq!(shard.core.noted(), (0, 0, 0));
}
