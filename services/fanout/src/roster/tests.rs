//! The rules of presence, one by one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare_event::Id;
use fanfare_signalr::Protocol;
use serde_json::Value;

use super::*;
use crate::config::{Config, HubConfig};
use crate::connection::{ConnectionId, WireForm};
use crate::document::Source;
use crate::presence::{Room, User};
use crate::scene::claims;
use crate::vocabulary::Identity;
use crate::vocabulary::name::GroupTemplate;

const CONFIG: &str = r#"
[node]
listen = "127.0.0.1:8080"
admin_listen = "127.0.0.1:9090"
data = "data"
[broker]
url = "embedded:log"
[routes]
path = "."
[development]
signing_key = "key.pem"
[hub."/hub".method.JoinList]
arguments = ["listId"]
allow = true
join = "list:{listId}"
[hub."/hub".presence."list:{listId}"]
heartbeat = "JoinList"
inactive_after_seconds = 45
linger_seconds = 3
batch_above = 5
page_members = 4
describe = { name = "{user} of {org}" }
joined = { target = "joined", arguments = ["{user}", "{name}", "{listId}"] }
left = { target = "left", arguments = ["{user}"] }
together = { target = "together", arguments = ["{$joined}", "{$left}"] }
snapshot = { target = "there", arguments = ["{$members}", "{$page}", "{$pages}", "{$count}"] }
member = "{user}"
"#;

fn hub() -> HubConfig {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fanfare.toml");
    let config = Config::parse(&Source { path, text: CONFIG.to_owned() });
    config.unwrap_or_else(|faults| panic!("{}", faults[0])).hubs.remove(0)
}

fn who(user: &str, org: &str) -> Identity {
    Identity::new(Arc::new(claims(user, org, &[], "s", 1)), None, |_| false).expect("an identity")
}

fn user(name: &str) -> User {
    User { realm: None, id: Id::parse(name).expect("an id") }
}

/// One node, and what its tabs in any room are told.
struct Node {
    name: &'static str,
    core: Core,
    start: Instant,
    at: u64,
    told: Vec<String>,
    seats: usize,
}

impl Node {
    fn new(name: &'static str) -> Self {
        let start = Instant::now();
        let core = Core::new(&[hub()], Time { instant: start, unix: 0 });
        Self { name, core, start, at: 0, told: Vec::new(), seats: 0 }
    }

    fn seat(&mut self) -> Seat {
        self.seats += 1;
        Seat { id: ConnectionId::from_random(self.seats as u128), key: self.seats, shard: 0 }
    }

    fn enter(&mut self, name: &str, room: &Room) -> Seat {
        let seat = self.seat();
        let org = room.org.clone().expect("an org");
        self.core.enter(room, &who(name, org.as_str()), seat);
        seat
    }

    fn leave(&mut self, name: &str, room: &Room, seat: Seat, how: Leaving) {
        self.core.leave(room, &user(name), seat, how);
    }

    /// Lets time pass, and what is told; the frames as text.
    fn pass(&mut self, milliseconds: u64) -> Vec<String> {
        for _ in 0..milliseconds.div_ceil(50).max(1) {
            self.at += milliseconds.min(50);
            let instant = self.start + Duration::from_millis(self.at);
            self.core.advance(Time { instant, unix: i64::try_from(self.at).expect("small") });
            for notice in self.core.due() {
                self.told.extend(texts(&notice));
            }
        }
        std::mem::take(&mut self.told)
    }

    /// What it has to say is heard by another node.
    fn say_to(&mut self, other: &mut Self) -> usize {
        let writes = self.core.take_writes();
        for write in &writes {
            other.core.heard(self.name, &write.what, &write.body);
        }
        writes.len()
    }
}

/// The messages of a notice: target and arguments.
fn texts(notice: &Notice) -> Vec<String> {
    let form = WireForm::Body(Protocol::Json);
    let frames = match notice {
        Notice::Changed(changes) => changes.wire(form).into_iter().collect(),
        Notice::Snapshot(snapshot) => snapshot.pages.iter().map(|page| page.wire(form)).collect::<Vec<_>>(),
    };
    let frames: Vec<u8> = frames.concat();
    let messages = frames.split(|byte| *byte == 0x1e).filter(|message| !message.is_empty());
    messages
        .map(|message| {
            let message: Value = serde_json::from_slice(message).expect("JSON");
            format!("{} {}", message["target"].as_str().expect("a target"), message["arguments"])
        })
        .collect()
}

fn room(list: &str, org: &str) -> Room {
    let group = GroupTemplate::parse("list:{id}").expect("a template").name(&[list]).expect("a name");
    Room { hub: "/hub".into(), org: Some(Id::parse(org).expect("an id")), group }
}

#[test]
fn a_user_joins_with_the_first_tab_and_leaves_with_the_last() {
    let (mut node, list) = (Node::new("a"), room("1", "acme"));
    let one = node.enter("alice", &list);
    assert_eq!(node.pass(0), [r#"joined ["alice","alice of acme","1"]"#]);
    let two = node.enter("alice", &list);
    node.leave("alice", &list, one, Leaving::Asked);
    assert!(node.pass(10_000).is_empty(), "another tab is there");
    node.leave("alice", &list, two, Leaving::Asked);
    assert!(node.pass(0).is_empty(), "nobody is left to be told");
    assert!(node.core.users(&list).is_empty());
}

#[test]
fn a_new_member_gets_a_snapshot_and_then_changes() {
    let (mut node, list) = (Node::new("a"), room("1", "acme"));
    node.enter("alice", &list);
    node.pass(0);
    let bob = node.enter("bob", &list);
    node.core.ask(&list, bob);
    assert_eq!(node.pass(0), [r#"joined ["bob","bob of acme","1"]"#, r#"there [["alice","bob"],1,1,2]"#]);
}

#[test]
fn a_user_who_reconnects_soon_has_not_left() {
    let (mut node, list) = (Node::new("a"), room("1", "acme"));
    node.enter("bob", &list);
    let tab = node.enter("alice", &list);
    node.pass(0);
    node.leave("alice", &list, tab, Leaving::Lost);
    assert!(node.pass(2_000).is_empty());
    let tab = node.enter("alice", &list);
    assert!(node.pass(10_000).is_empty());
    node.leave("alice", &list, tab, Leaving::Lost);
    assert_eq!(node.pass(3_500), [r#"left ["alice"]"#]);
}

#[test]
fn a_member_without_a_heartbeat_is_gone_until_the_next_one() {
    let (mut node, list) = (Node::new("a"), room("1", "acme"));
    let bob = node.enter("bob", &list);
    let alice = node.enter("alice", &list);
    node.pass(0);
    for _ in 0..4 {
        node.core.touch(&list, &user("bob"), bob);
        assert!(node.pass(10_000).is_empty());
    }
    node.core.touch(&list, &user("bob"), bob);
    assert_eq!(node.pass(6_000), [r#"left ["alice"]"#]);
    node.core.touch(&list, &user("alice"), alice);
    assert_eq!(node.pass(0), [r#"joined ["alice","alice of acme","1"]"#]);
}

#[test]
fn a_user_of_two_nodes_is_one() {
    let (mut a, mut b, list) = (Node::new("a"), Node::new("b"), room("1", "acme"));
    let on_a = a.enter("alice", &list);
    a.enter("bob", &list);
    let on_b = b.enter("alice", &list);
    b.enter("carol", &list);
    for node in [&mut a, &mut b] {
        node.pass(0);
    }
    a.say_to(&mut b);
    b.say_to(&mut a);
    assert_eq!(a.pass(0), [r#"joined ["carol","carol of acme","1"]"#]);
    assert_eq!(b.pass(0), [r#"joined ["bob","bob of acme","1"]"#]);
    a.leave("alice", &list, on_a, Leaving::Asked);
    a.say_to(&mut b);
    assert!(a.pass(0).is_empty() && b.pass(0).is_empty(), "she is there by her other tab");
    b.leave("alice", &list, on_b, Leaving::Asked);
    b.say_to(&mut a);
    let left = [r#"left ["alice"]"#];
    assert_eq!((a.pass(0), b.pass(0)), (left.map(str::to_owned).to_vec(), left.map(str::to_owned).to_vec()));
}

#[test]
fn with_a_node_that_ended_its_members_are_gone() {
    let (mut a, mut b, list) = (Node::new("a"), Node::new("b"), room("1", "acme"));
    a.enter("alice", &list);
    a.enter("bob", &list);
    b.enter("carol", &list);
    a.say_to(&mut b);
    b.pass(0);
    // Bob has come back elsewhere before the lease ran out.
    b.enter("bob", &list);
    b.core.gone("a");
    assert_eq!(b.pass(0), [r#"left ["alice"]"#]);
}

#[test]
fn orgs_receive_nothing_of_each_other() {
    let mut node = Node::new("a");
    let (acme, globex) = (room("1", "acme"), room("1", "globex"));
    node.enter("alice", &acme);
    let carol = node.enter("carol", &globex);
    node.core.ask(&globex, carol);
    let told = node.pass(0);
    assert!(told.contains(&r#"there [["carol"],1,1,1]"#.to_owned()), "{told:?}");
    assert_eq!(node.core.users(&acme), [user("alice")]);
}

#[test]
fn the_room_of_a_member_is_that_of_their_own_org() {
    let now = Time { instant: Instant::now(), unix: 0 };
    let rosters = Rosters::of(&[hub()], now, Box::new(|| {})).expect("a hub with presence");
    for org in ["acme", "globex"] {
        let room = room("1", org);
        assert_eq!(rosters.room(&room.hub, &room.group, &who("alice", org)), Some(room));
    }
}

#[test]
fn in_a_large_room_changes_are_gathered_and_snapshots_have_pages() {
    let (mut node, list) = (Node::new("a"), room("1", "acme"));
    for number in 0..8 {
        node.enter(&format!("u{number}"), &list);
    }
    assert_eq!(node.pass(0), Vec::<String>::new(), "gathered for a moment");
    assert_eq!(node.pass(300), [r#"together [["u0","u1","u2","u3"],[]]"#, r#"together [["u4","u5","u6","u7"],[]]"#]);
    let seat = node.enter("u8", &list);
    node.core.ask(&list, seat);
    assert_eq!(
        node.pass(300),
        [
            r#"together [["u8"],[]]"#,
            r#"there [["u0","u1","u2","u3"],1,3,9]"#,
            r#"there [["u4","u5","u6","u7"],2,3,9]"#,
            r#"there [["u8"],3,3,9]"#,
        ]
    );
    // Who comes and goes meanwhile was not there.
    let seat = node.enter("u9", &list);
    node.pass(0);
    node.leave("u9", &list, seat, Leaving::Asked);
    assert!(node.pass(1_000).is_empty());
}

#[test]
fn ten_thousand_members_cost_the_others_one_message_and_few_records() {
    let (mut a, mut b, list) = (Node::new("a"), Node::new("b"), room("1", "acme"));
    b.enter("watcher", &list);
    b.pass(0);
    for number in 0..10_000 {
        a.enter(&format!("u{number}"), &list);
    }
    a.pass(300);
    let records = a.say_to(&mut b);
    assert!(records <= 10_000 / 50, "{records} records");
    b.pass(300);
    assert_eq!(b.core.len_of(&list), 10_001);
    let seat = a.enter("newcomer", &list);
    a.core.ask(&list, seat);
    let told = a.pass(300);
    assert_eq!(told.iter().filter(|text| !text.starts_with("there")).count(), 1);
    assert_eq!(a.say_to(&mut b), 1);
    assert_eq!(b.pass(300), [r#"together [["newcomer"],[]]"#]);
    b.core.gone("a");
    b.pass(300);
    assert_eq!(b.core.users(&list), [user("watcher")]);
}

#[test]
fn a_client_that_joins_and_leaves_in_a_loop_costs_little() {
    let (mut node, list) = (Node::new("a"), room("1", "acme"));
    node.enter("bob", &list);
    node.pass(0);
    let (mut told, mut written) = (0, 0);
    for _ in 0..600 {
        let seat = node.enter("mallory", &list);
        told += node.pass(50).len();
        node.leave("mallory", &list, seat, Leaving::Asked);
        told += node.pass(50).len();
        written += node.core.take_writes().len();
    }
    assert!((1..=24).contains(&told), "{told} notifications in a minute");
    assert!((1..=24).contains(&written), "{written} records in a minute");
}

#[test]
fn a_client_that_joins_many_rooms_is_announced_at_a_bounded_rate() {
    let mut node = Node::new("a");
    let rooms: Vec<Room> = (0..2_000).map(|number| room(&number.to_string(), "acme")).collect();
    for room in &rooms {
        let seat = node.enter("mallory", room);
        node.leave("mallory", room, seat, Leaving::Asked);
    }
    node.pass(1_000);
    let written = node.core.take_writes().len();
    assert!(written <= 220, "{written} records");
    // What is left behind is forgotten.
    node.pass(120_000);
    node.core.take_writes();
    assert!(
        node.core.here.is_empty() && node.core.rolls.is_empty(),
        "{} and {}",
        node.core.here.len(),
        node.core.rolls.len()
    );
}

#[test]
fn what_cannot_be_read_is_passed_over() {
    let mut node = Node::new("a");
    assert_eq!(node.core.heard("b", &format!("{PREFIX}x/0"), b"nonsense"), Heard::Unreadable);
    assert_eq!(node.core.heard("b", "lease", b"nonsense"), Heard::Other);
}

#[test]
fn a_member_is_sent_only_the_others() {
    let (mut node, list) = (Node::new("a"), room("1", "acme"));
    for number in 0..8 {
        node.enter(&format!("u{number}"), &list);
    }
    node.at += 300;
    node.core.advance(Time { instant: node.start + Duration::from_millis(300), unix: 300 });
    let notices = node.core.due();
    let Some(Notice::Changed(changes)) = notices.first() else { panic!("{notices:?}") };
    let form = WireForm::Body(Protocol::Json);
    let frames = changes.frames_for(form, &user("u1"));
    let text = String::from_utf8(frames.concat()).expect("text");
    let named: BTreeSet<&str> = ["u0", "u1", "u2", "u3"].into_iter().filter(|name| text.contains(name)).collect();
    assert_eq!(named, BTreeSet::from(["u0", "u2", "u3"]));
}

/// A test of this file fails without its rule.
macro_rules! fails {
    ($($name:ident: $rule:ident, $test:ident;)*) => { $(
        #[test]
        #[should_panic]
        fn $name() {
            let _broken = crate::rule::break_one(crate::rule::Rule::$rule);
            super::$test();
        }
    )* };
}

mod without {
    fails! {
        a_moment_for_lost_connections: LostLingers, a_user_who_reconnects_soon_has_not_left;
        silence_that_counts: SilentIsGone, a_member_without_a_heartbeat_is_gone_until_the_next_one;
        leaves_that_are_bounded: LeavesAreBounded, a_client_that_joins_and_leaves_in_a_loop_costs_little;
        joins_that_are_charged: ComingIsPaid, a_client_that_joins_many_rooms_is_announced_at_a_bounded_rate;
        large_rooms_that_gather: LargeIsGathered, in_a_large_room_changes_are_gathered_and_snapshots_have_pages;
    }
}
