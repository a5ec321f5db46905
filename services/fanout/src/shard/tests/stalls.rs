//! Few replays read the broker at a time: none that waits for something else keeps another from it.

use std::time::Duration;

use fanfare_broker::Position;
use serde_json::json;

use super::{Key, Limits, OneShard, ReplayAnswer, answer, titles, user};
use crate::pipeline::Replayed;
use crate::projection::open_cursor;
use crate::vocabulary::Place;

/// Just under the time for which a replay that stands still may keep its place.
const SHORT: Duration = Duration::from_millis(750);

/// Just over it.
const LONG: Duration = Duration::from_millis(1_500);

/// A tab of alice, and twenty alerts that it has missed and that do not fit into its queue.
fn returning(shard: &mut OneShard) -> (Key, String, Vec<String>) {
    let cursor = shard.cursor();
    let missed: Vec<String> = (0..20).map(|n| format!("missed{n}")).collect();
    missed.iter().for_each(|title| shard.alert(title));
    (shard.open(user("alice", &[]), None), cursor, missed)
}

#[test]
fn a_tab_that_stalls_in_a_replay_lets_go_of_the_broker_and_reads_on_later() {
    let mut shard = OneShard::new(&Limits { queue_bytes: 2_048, ..Limits::default() });
    let (tab, cursor, missed) = returning(&mut shard);
    shard.set_room(tab, 600);
    shard.call(tab, "1", "Resume", &json!([cursor]));
    shard.pass(SHORT);
    assert!(shard.paused.is_empty(), "for a moment it keeps its place");
    shard.pass(LONG);
    assert_eq!(shard.paused.len(), 1);
    shard.pass(LONG);
    assert_eq!(shard.paused.len(), 1, "once");
    shard.set_room(tab, usize::MAX);
    let heard = shard.hear(tab);
    assert_eq!(titles(&heard), missed);
    assert_eq!(answer(&heard, "1")["result"]["complete"], true);
}

#[test]
fn a_tab_that_took_nothing_before_its_replay_was_read_lets_go_of_the_broker() {
    let mut shard = OneShard::new(&Limits { queue_bytes: 16 << 10, ..Limits::default() });
    let (tab, cursor, missed) = returning(&mut shard);
    shard.answers_by_hand = true;
    shard.call(tab, "1", "Resume", &json!([cursor]));
    shard.set_room(tab, 0);
    // Answers of pings wait, so that there is no room once the log was read.
    for _ in 0..40 {
        shard.send(tab, super::frame(0x89, &[b'x'; 100]));
    }
    shard.answer_next();
    shard.pass(LONG + LONG);
    assert_eq!(shard.paused.len(), 1);
    shard.answers_by_hand = false;
    shard.set_room(tab, usize::MAX);
    assert_eq!(titles(&shard.hear(tab)), missed);
}

/// Rule 7.7.
#[test]
fn a_resume_above_its_users_rate_continues_later_and_meanwhile_occupies_no_broker_reader() {
    let mut shard = OneShard::new(&Limits::default());
    let (tab, cursor, _) = returning(&mut shard);
    shard.answers_by_hand = true;
    shard.call(tab, "1", "Resume", &json!([cursor]));
    // Beyond what all replays of a user may read at once by half a minute's worth.
    shard.answer_with(ReplayAnswer::Batch { events: Vec::new(), cost: 160_000, complete: true });
    assert!(shard.asked.is_empty(), "it may not read on yet");
    shard.pass(Duration::from_secs(20));
    assert!(shard.asked.is_empty() && shard.paused.len() == 1, "{:?}", shard.paused);
    let other = shard.open(user("bob", &[]), None);
    shard.call(other, "1", "Resume", &json!([cursor]));
    assert_eq!(shard.asked.len(), 1, "another user pays nothing for it");
    shard.answer_with(ReplayAnswer::End { cost: 0, complete: true });
    shard.pass(Duration::from_secs(9));
    assert!(shard.asked.is_empty());
    shard.pass(Duration::from_secs(3));
    assert_eq!(shard.asked.len(), 1, "it goes on");
}

impl OneShard {
    /// Where a tab is, as it is told itself.
    pub(super) fn position_by_cursor(&mut self, tab: Key, id: &str) -> Position {
        self.call(tab, id, "Cursor", &json!([]));
        let heard = self.hear(tab);
        let cursor = answer(&heard, id)["result"].as_str().expect("a cursor").to_owned();
        open_cursor(&self.seal, &cursor).expect("an own cursor").position
    }
}

/// Its connection is about to be closed, and would have come back with that cursor as if it had missed nothing.
#[test]
fn a_slow_tab_whose_notifications_have_left_the_window_is_given_no_cursor_beyond_them() {
    let mut shard = OneShard::new(&Limits { queue_bytes: 1_024, ..Limits::default() });
    let tab = shard.open(user("alice", &[]), None);
    shard.call(tab, "1", "Cursor", &json!([]));
    shard.set_room(tab, 0);
    (0..10).for_each(|n| shard.alert(&format!("filling{n}")));
    shard.answers_by_hand = true;
    shard.set_room(tab, 100_000);
    assert_eq!(shard.asked.len(), 1, "it reads on from the log");
    let before = shard.position_by_cursor(tab, "2");
    let last = shard.scene.event("system.Alert", r#"{"org": "acme", "title": "last", "message": "m"}"#);
    let replayed = Replayed {
        place: Place::of(&last),
        position: Position::from_parts(1, [(0, last.offset)]),
        event: shard.scene.decode(&last),
        notifications: Vec::new(),
    };
    shard.answer_with(ReplayAnswer::Batch { events: vec![replayed], cost: 1, complete: false });
    assert_eq!(shard.position_by_cursor(tab, "3"), before);
}
