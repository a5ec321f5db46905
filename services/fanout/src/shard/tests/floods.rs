//! A client that sends without a pause is read later, then ended by name (rule 7.2).

use std::time::Duration;

use serde_json::{Value, json};

use super::super::READ;
use super::{Key, Limits, OneShard, closed, frame, user};

/// An empty ping: the least that a client can send, in bytes.
const EMPTY: usize = 6;

/// A client with more to send than is read of it, for so many seconds or until it is ended: how many bytes were read of it
/// in each second, and what it heard.
fn send_for(shard: &mut OneShard, tab: Key, frames: &[u8], seconds: usize) -> (Vec<usize>, Vec<Value>) {
    let (mut read, mut heard) = (Vec::new(), Vec::new());
    for _ in 0..seconds {
        let mut bytes = 0;
        for _ in 0..4 {
            while closed(&heard).is_none() && !shard.core.is_empty() && shard.core.may_read(tab) > 0 {
                let most = shard.core.may_read(tab).min(frames.len());
                shard.send(tab, frames[..most].to_vec());
                bytes += most;
                heard.extend(shard.hear(tab));
            }
            shard.pass(Duration::from_millis(250));
        }
        read.push(bytes);
        if closed(&heard).is_some() || shard.core.is_empty() {
            break;
        }
    }
    (read, heard)
}

#[test]
fn frames_without_a_pause_are_read_later_and_their_connection_is_then_closed_as_a_flood() {
    for first in [0x89, 0x8a, 0x00] {
        let mut shard = OneShard::new(&Limits::default());
        let tab = shard.open(user("mallory", &[]), None);
        if first == 0 {
            // The first of a message that never ends.
            shard.send(tab, frame(0x01, b""));
        }
        let frames = frame(first, b"").repeat(READ / EMPTY);
        let (read, heard) = send_for(&mut shard, tab, &frames, 60);
        assert_eq!(closed(&heard), Some("The client sends more than it may."), "after {} s", read.len());
        assert!(read.len() < 30, "ended late, after {} s", read.len());
        assert!(read.len() > 2, "an honest page that sends much at once must not be ended");
        let frames: usize = read.iter().sum::<usize>() / EMPTY;
        // What may come at once, so much in a second, and what one read holds.
        assert!(frames <= 4_000 + 1_000 * read.len() + READ / EMPTY, "{frames} frames in {} s", read.len());
        shard.core.link_lost(tab);
        shard.settle();
        assert_eq!(shard.metric("fanfare_closes_total{reason=\"flood\"}"), "1");
    }
}

#[test]
fn bytes_above_the_rate_are_read_later_and_close_no_connection() {
    let mut shard = OneShard::new(&Limits::default());
    let tab = shard.open(user("alice", &[]), None);
    let call = json!({ "type": 1, "target": "Unknown", "arguments": ["x".repeat(READ - 100)] });
    let frames = frame(0x81, format!("{call}\u{1e}").as_bytes());
    assert!(frames.len() <= READ);
    let (read, heard) = send_for(&mut shard, tab, &frames, 60);
    assert_eq!((closed(&heard), read.len()), (None, 60));
    let bytes: usize = read.iter().sum();
    assert!(bytes <= (4 << 20) + 60 * (1 << 20) + 2 * READ, "{bytes} bytes in a minute");
    assert!(bytes >= 60 * (1 << 20), "{bytes} bytes in a minute: it is read as fast as it may send");
}

/// Each answer costs memory, also that of an empty ping (rule 7.3).
#[test]
fn few_unanswered_pings_wait_and_the_newest_is_answered() {
    const PINGS: usize = 1_000;
    let mut shard = OneShard::new(&Limits::default());
    let tab = shard.open(user("alice", &[]), None);
    shard.frames(tab);
    shard.set_room(tab, 0);
    for number in 0..PINGS {
        shard.send(tab, frame(0x89, number.to_string().as_bytes()));
    }
    assert_eq!(shard.core.len(), 1, "it is not ended for what it does not take");
    shard.set_room(tab, usize::MAX);
    let pongs: Vec<Vec<u8>> =
        shard.frames(tab).into_iter().filter(|(kind, _)| *kind == 0xa).map(|(_, payload)| payload).collect();
    assert!(pongs.len() < 64, "{} answers wait", pongs.len());
    assert_eq!(pongs.last().map(Vec::as_slice), Some((PINGS - 1).to_string().as_bytes()));
}
