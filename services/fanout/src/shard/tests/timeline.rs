//! What a connection has been through, as an operator sees it.

use std::time::Duration;

use serde_json::json;

use super::{Key, Limits, OneShard, user};
use crate::operator::connections::What;

fn timeline(shard: &OneShard, tab: Key) -> Vec<(What, u32)> {
    let id = shard.core.connections[tab].id;
    shard.core.timeline(id, tab).into_iter().map(|moment| (moment.what, moment.count)).collect()
}

#[test]
fn it_says_how_a_tab_caught_up_and_what_it_was_sent_from_the_log() {
    let mut shard = OneShard::new(&Limits::default());
    let cursor = shard.cursor();
    (0..3).for_each(|_| shard.alert("missed"));
    let back = shard.open(user("alice", &[]), None);
    shard.call(back, "1", "Resume", &json!([cursor]));
    let expected = [(What::Opened, 0), (What::Admitted, 0), (What::Replayed, 3), (What::Resumed, 0)];
    assert_eq!(timeline(&shard, back), expected);
    let quiet = shard.open(user("alice", &[]), None);
    shard.pass(Duration::from_secs(3));
    assert_eq!(timeline(&shard, quiet)[2..], [(What::Quiet, 0)]);
    let asks = shard.open(user("alice", &[]), None);
    shard.call(asks, "1", "Cursor", &json!([]));
    assert_eq!(timeline(&shard, asks)[2..], [(What::Asked, 0)]);
    let id = shard.core.connections[asks].id;
    let at: Vec<String> = shard.core.timeline(id, quiet).into_iter().map(|moment| moment.at).collect();
    assert!(at.is_empty(), "another connection has that place");
    let times = shard.core.timeline(shard.core.connections[quiet].id, quiet);
    assert_eq!(times[0].at, "1970-01-01T00:00:10.000Z");
    assert!(times[2].at > times[1].at, "{times:?}");
}

#[test]
fn it_says_when_a_tab_that_had_fallen_behind_has_read_on() {
    let mut shard = OneShard::new(&Limits { queue_bytes: 2_000, ..Limits::default() });
    let slow = shard.open(user("alice", &[]), None);
    shard.call(slow, "1", "Cursor", &json!([]));
    shard.set_room(slow, 0);
    while shard.core.connections[slow].flow.is_none() {
        shard.alert("more than fits");
    }
    shard.set_room(slow, usize::MAX);
    let read_on = timeline(&shard, slow);
    assert_eq!(read_on[3..], [(What::Behind, 0), (What::Replayed, 1)], "{read_on:?}");
}
