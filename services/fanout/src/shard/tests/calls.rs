//! Calls that wait: in order, and counted as memory (rule 7.2).

use serde_json::json;

use super::{Limits, OneShard, ReplayAnswer, answer, user};

/// The most bytes of memory that calls may take while they wait, and those of the read that has reached it.
const MOST: usize = (128 << 10) + super::super::READ;

#[test]
fn calls_that_wait_are_counted_with_their_ids_and_reading_pauses_until_they_are_answered_in_order() {
    let mut shard = OneShard::new(&Limits { queue_bytes: 256 << 10, ..Limits::default() });
    let cursor = shard.cursor();
    let tab = shard.open(user("alice", &[]), None);
    shard.hear(tab);
    shard.answers_by_hand = true;
    shard.call(tab, "first", "Resume", &json!([cursor]));
    let mut ids: Vec<String> = Vec::new();
    while shard.core.may_read(tab) > 0 {
        let id = format!("{}-{}", ids.len(), "i".repeat(4 << 10));
        shard.call(tab, &id, "Cursor", &json!([]));
        ids.push(id);
        assert!(ids.iter().map(String::len).sum::<usize>() < MOST, "{} calls wait", ids.len());
    }
    assert!(ids.len() > 8, "{} calls are too few to pause for", ids.len());
    assert_eq!(shard.hear(tab).len(), 0, "none overtakes the first");
    shard.answer_with(ReplayAnswer::End { cost: 0, complete: true });
    let heard = shard.hear(tab);
    let answered: Vec<&str> = heard.iter().filter_map(|message| message["invocationId"].as_str()).collect();
    let all: Vec<&str> = std::iter::once("first").chain(ids.iter().map(String::as_str)).collect();
    assert_eq!(answered, all);
    assert!(shard.core.may_read(tab) > 0);
}

/// What can never be carried out is not kept while it waits.
#[test]
fn a_call_with_arguments_that_cannot_be_right_is_refused_at_once_though_others_wait() {
    let mut shard = OneShard::new(&Limits::default());
    let cursor = shard.cursor();
    let tab = shard.open(user("alice", &[]), None);
    shard.hear(tab);
    shard.answers_by_hand = true;
    shard.call(tab, "first", "Resume", &json!([cursor]));
    for (id, target, arguments) in [
        ("long", "Resume", json!(["c".repeat(10_000)])),
        ("more", "Cursor", json!([1])),
        ("none", "Unknown", json!([])),
    ] {
        shard.call(tab, id, target, &arguments);
        let heard = shard.hear(tab);
        assert!(answer(&heard, id)["error"].is_string(), "{id}: {heard:?}");
    }
}
