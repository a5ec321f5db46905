//! How long clients take to answer, when an operator asks.

use std::time::Duration;

use fanfare_signalr::negotiate::Transport;
use serde_json::json;

use super::super::{Key, Opening};
use super::{Limits, OneShard, UNIX, frame, user};
use crate::connection::{ConnectionId, Trail};

const PING: u8 = 9;

fn id(bits: u128) -> ConnectionId {
    ConnectionId::from_random(bits)
}

/// The payloads of the pings that a tab's link has taken.
fn pings(shard: &mut OneShard, tab: Key) -> Vec<Vec<u8>> {
    shard.frames(tab).into_iter().filter(|(kind, _)| *kind == PING).map(|(_, payload)| payload).collect()
}

fn pong(payload: &[u8]) -> Vec<u8> {
    frame(0x8a, payload)
}

#[test]
fn a_pong_answers_the_ping_whose_number_it_repeats() {
    let mut shard = OneShard::new(&Limits::default());
    let tab = shard.open(user("alice", &[]), None);
    shard.frames(tab);
    let number = shard.core.ping(id(1)).expect("it has a WebSocket");
    assert_eq!(shard.core.ping(id(1)), Some(number), "one that is asked already is not asked again");
    shard.settle();
    assert_eq!(pings(&mut shard, tab), [number.to_be_bytes().to_vec()]);
    shard.pass(Duration::from_millis(500));
    for wrong in [&b""[..], &[0; 8], &[1; 125], &number.to_le_bytes()] {
        shard.send(tab, pong(wrong));
    }
    assert_eq!(shard.ponged, []);
    shard.send(tab, pong(&number.to_be_bytes()));
    shard.send(tab, pong(&number.to_be_bytes()));
    assert_eq!(shard.ponged, [(number, Duration::from_millis(500))], "once");
    let next = shard.core.ping(id(1)).expect("asked again");
    assert_ne!(next, number);
}

#[test]
fn who_waits_no_more_is_forgotten_and_another_may_ask() {
    let mut shard = OneShard::new(&Limits::default());
    let tab = shard.open(user("alice", &[]), None);
    let number = shard.core.ping(id(1)).expect("it has a WebSocket");
    shard.core.ping(id(1));
    shard.core.give_up_ping(id(1), number);
    shard.core.give_up_ping(id(1), number + 1);
    assert_eq!(shard.core.ping(id(1)), Some(number), "one still waits");
    shard.core.give_up_ping(id(1), number);
    shard.core.give_up_ping(id(1), number);
    shard.send(tab, pong(&number.to_be_bytes()));
    assert_eq!(shard.ponged, []);
    assert_ne!(shard.core.ping(id(1)), Some(number));
}

#[test]
fn nothing_is_sent_to_who_takes_nothing_has_ended_or_has_no_socket() {
    let mut shard = OneShard::new(&Limits::default());
    let tab = shard.open(user("alice", &[]), None);
    shard.call(tab, "1", "Cursor", &json!([]));
    shard.set_room(tab, 0);
    while shard.core.connections[tab].queue.memory() <= 4 * 1024 {
        shard.alert("something that waits");
    }
    assert_eq!(shard.core.ping(id(1)), None);
    shard.core.link_lost(tab);
    shard.settle();
    assert_eq!(shard.core.ping(id(1)), None);
    let stream = Opening {
        id: id(2),
        token_expires: None,
        stateful: false,
        hub: std::sync::Arc::clone(&shard.hub),
        identity: Some(user("alice", &[])),
        trail: Trail::default(),
        cursor: None,
        address: None,
        request: None,
    };
    let key = shard.core.open_event_stream(stream, UNIX).expect("a new id");
    assert_eq!(shard.core.connections[key].transport, Transport::ServerSentEvents);
    assert_eq!(shard.core.ping(id(2)), None);
    assert_eq!(shard.core.ping(id(3)), None);
}
