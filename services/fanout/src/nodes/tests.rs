//! Several directories over one stream, in time that the test makes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fanfare_broker::memory::{Memory, Shape};
use fanfare_broker::{Broker, NodeRecord, NodeTable};
use tokio_util::sync::CancellationToken;

use super::{Directory, Driver, LEASE, News, NodeId, Nodes, RENEW_EVERY, RENEWALS_TO_END};

/// A node of the test: its directory, how far it has read, and what it heard.
struct TestNode {
    directory: Directory,
    through: u64,
    heard: Vec<News>,
    /// Whether it runs at all, reaches the broker, and keeps up.
    runs: bool,
    reaches: bool,
}

struct World {
    stream: NodeTable,
    nodes: Vec<TestNode>,
    now: Instant,
}

impl World {
    fn new(nodes: usize) -> Self {
        let nodes = (0..nodes).map(|n| TestNode::new(&n.to_string())).collect();
        let mut world = Self { stream: NodeTable::default(), nodes, now: Instant::now() };
        world.pass(Duration::from_secs(1));
        world
    }

    /// Lets time pass in small steps, in which each node that runs writes and reads.
    fn pass(&mut self, time: Duration) {
        const STEP: Duration = Duration::from_millis(100);
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            for node in self.nodes.iter_mut().filter(|node| node.runs) {
                node.turn(&mut self.stream, self.now);
            }
        }
    }

    fn alive(&self, node: usize) -> Vec<String> {
        let mut ids: Vec<_> =
            self.nodes[node].directory.alive().into_iter().map(|alive| alive.id.to_string()).collect();
        ids.sort();
        ids
    }

    fn id(&self, node: usize) -> String {
        self.nodes[node].directory.own().to_string()
    }

    fn ids(&self, nodes: &[usize]) -> Vec<String> {
        let mut ids: Vec<_> = nodes.iter().map(|node| self.id(*node)).collect();
        ids.sort();
        ids
    }
}

impl TestNode {
    fn new(name: &str) -> Self {
        let id = NodeId::new(name, 0);
        let directory = Directory::new(id, Some(format!("10.0.0.{name}:9090")));
        Self { directory, through: 0, heard: Vec::new(), runs: true, reaches: true }
    }

    fn turn(&mut self, stream: &mut NodeTable, now: Instant) {
        while let Some(record) = self.directory.next_write(now) {
            if self.reaches {
                stream.tell(record);
            }
            self.directory.wrote(self.reaches, now);
        }
        if !self.reaches {
            return;
        }
        let (records, through) = stream.after(self.through, usize::MAX).expect("a page");
        let is_first = self.through == 0;
        self.through = through;
        for record in records {
            self.directory.read(record, now, &mut self.heard);
        }
        if is_first {
            self.directory.caught_up(&mut self.heard);
        }
    }

    fn heard_of(&self, what: &str) -> Vec<(String, Bytes)> {
        let of = |news: &News| match news {
            News::Entry { node, what: said, body } if said == what => Some((node.to_string(), body.clone())),
            _ => None,
        };
        self.heard.iter().filter_map(of).collect()
    }
}

#[test]
fn nodes_know_each_other_and_read_each_others_records_in_order() {
    let mut world = World::new(3);
    let all = world.ids(&[0, 1, 2]);
    for node in 0..3 {
        assert_eq!(world.alive(node), all);
    }
    let addresses: Vec<_> = world.nodes[0].directory.alive().into_iter().filter_map(|alive| alive.address).collect();
    assert_eq!(addresses, ["10.0.0.0:9090", "10.0.0.1:9090", "10.0.0.2:9090"]);
    world.nodes[1].directory.say("group", Bytes::from_static(b"a"));
    world.pass(RENEW_EVERY);
    world.nodes[1].directory.say("group", Bytes::from_static(b"b"));
    world.nodes[1].directory.say(LEASE, Bytes::from_static(b"not this way"));
    world.pass(RENEW_EVERY);
    world.nodes[1].directory.say("group", Bytes::new());
    world.pass(RENEW_EVERY * 10);
    let said = ["a", "b", ""].map(|body| (world.id(1), Bytes::from(body)));
    for node in &world.nodes {
        assert_eq!(node.heard_of("group"), said);
        assert!(!node.heard.iter().any(|news| matches!(news, News::Gone(_))));
    }
}

#[test]
fn an_expired_lease_is_ended_and_its_nodes_records_are_removed() {
    let mut world = World::new(3);
    world.nodes[2].directory.say("group", Bytes::from_static(b"a"));
    world.pass(RENEW_EVERY);
    world.nodes[2].runs = false;
    let short = RENEW_EVERY * (u32::try_from(RENEWALS_TO_END).expect("small") - 1);
    world.pass(short);
    assert_eq!(world.alive(0), world.ids(&[0, 1, 2]), "it may only be slow");
    world.pass(RENEW_EVERY * 2);
    for node in 0..2 {
        assert_eq!(world.alive(node), world.ids(&[0, 1]));
        let gone = News::Gone(world.nodes[2].directory.own().clone());
        assert_eq!(world.nodes[node].heard.iter().filter(|news| **news == gone).count(), 1);
    }
    // Nothing of it is left for one that starts later, also not what it said.
    let left = world.stream.after(0, usize::MAX).expect("a page").0;
    assert!(left.iter().all(|record| record.is_removal() || record.node != world.id(2)), "{left:?}");
    world.nodes.push(TestNode::new("3"));
    world.pass(RENEW_EVERY);
    assert_eq!(world.alive(3), world.ids(&[0, 1, 3]));
    assert!(world.nodes[3].heard_of("group").is_empty());
}

#[test]
fn a_node_that_was_paused_returns_under_another_id_and_publishes_all_its_records_again() {
    let mut world = World::new(2);
    world.nodes[1].directory.say("group", Bytes::from_static(b"a"));
    world.pass(RENEW_EVERY);
    let old = world.id(1);
    world.nodes[1].runs = false;
    world.pass(RENEW_EVERY * 10);
    world.nodes[1].runs = true;
    world.pass(RENEW_EVERY * 10);
    assert_ne!(world.id(1), old);
    assert_eq!(world.alive(0), world.ids(&[0, 1]));
    assert_eq!(world.alive(1), world.ids(&[0, 1]));
    let said = [old.clone(), world.id(1)].map(|id| (id, Bytes::from("a")));
    assert_eq!(world.nodes[0].heard_of("group"), said);
    // It did not end the one that went on meanwhile.
    assert!(!world.nodes[1].heard.contains(&News::Gone(world.nodes[0].directory.own().clone())));
    let left = world.stream.after(0, usize::MAX).expect("a page").0;
    assert!(left.iter().all(|record| record.is_removal() || record.node != old), "{left:?}");
}

#[test]
fn an_unreachable_broker_ends_no_lease() {
    let mut world = World::new(3);
    world.pass(RENEW_EVERY * 2);
    world.nodes.iter_mut().for_each(|node| node.reaches = false);
    world.pass(RENEW_EVERY * 40);
    // One reaches it long before the others do, and yet gives them their time.
    for node in 0..3 {
        world.nodes[node].reaches = true;
        world.pass(RENEW_EVERY);
    }
    world.pass(RENEW_EVERY * 10);
    for node in &world.nodes {
        assert!(!node.heard.iter().any(|news| matches!(news, News::Gone(_))), "{:?}", node.heard);
    }
}

#[test]
fn a_stopping_node_removes_its_lease_and_its_records_at_once() {
    let mut world = World::new(2);
    world.nodes[1].directory.say("group", Bytes::from_static(b"a"));
    world.pass(RENEW_EVERY);
    world.nodes[1].directory.leave();
    assert!(!world.nodes[1].directory.has_left());
    world.pass(Duration::from_millis(200));
    assert!(world.nodes[1].directory.has_left());
    assert_eq!(world.alive(0), world.ids(&[0]));
    assert_eq!(world.id(1), "1-0000000000", "it does not come back");
    let left = world.stream.after(0, usize::MAX).expect("a page").0;
    assert!(left.iter().all(|record| record.is_removal() || record.node != world.id(1)), "{left:?}");
}

#[test]
fn a_recreated_stream_is_filled_again_and_no_node_counts_as_gone() {
    let mut world = World::new(2);
    for node in 0..2 {
        world.nodes[node].directory.say("group", Bytes::from_static(b"a"));
        world.nodes[node].directory.say("other", Bytes::from_static(b"x"));
    }
    world.pass(RENEW_EVERY * 2);
    world.stream = NodeTable::default();
    world.nodes[1].directory.say("other", Bytes::new());
    for node in &mut world.nodes {
        node.directory.start_over(true);
        node.through = 0;
        node.heard.clear();
    }
    world.pass(RENEW_EVERY * 10);
    for node in 0..2 {
        assert_eq!(world.alive(node), world.ids(&[0, 1]));
        let heard = &world.nodes[node].heard;
        assert!(!heard.iter().any(|news| matches!(news, News::Gone(_) | News::Came(_))), "{heard:?}");
        let other = world.nodes[node].heard_of("other");
        assert_eq!(other.last(), Some(&(world.id(1), Bytes::new())), "{other:?}");
    }
}

#[test]
fn members_that_a_recreated_stream_lacks_are_forgotten() {
    let mut world = World::new(2);
    world.nodes[1].directory.say("group", Bytes::from_static(b"a"));
    world.pass(RENEW_EVERY);
    // The other takes it back while this one hears nothing, and the removal is no longer kept when it reads again.
    world.nodes[0].runs = false;
    world.nodes[1].directory.say("group", Bytes::new());
    world.pass(RENEW_EVERY);
    let mut kept = NodeTable::default();
    let all = world.stream.after(0, usize::MAX).expect("a page").0;
    all.into_iter().filter(|record| !record.is_removal()).for_each(|record| kept.tell(record));
    world.stream = kept;
    for node in &mut world.nodes {
        node.directory.start_over(false);
        (node.through, node.runs) = (0, true);
    }
    world.pass(RENEW_EVERY * 10);
    assert_eq!(world.nodes[0].heard_of("group").last(), Some(&(world.id(1), Bytes::new())));
}

#[test]
fn records_that_are_read_before_their_nodes_lease_count() {
    let mut world = World::new(1);
    // It stands still while another comes, says something, and renews its lease: the stream has the newest lease alone.
    world.nodes[0].runs = false;
    world.nodes.push(TestNode::new("1"));
    world.nodes[1].directory.say("group", Bytes::from_static(b"a"));
    world.pass(RENEW_EVERY * 2);
    world.nodes[0].runs = true;
    world.pass(RENEW_EVERY);
    assert_eq!(world.nodes[0].heard_of("group"), [(world.id(1), Bytes::from("a"))]);
    world.nodes[1].runs = false;
    world.pass(RENEW_EVERY * 10);
    assert!(world.nodes[0].heard.contains(&News::Gone(world.nodes[1].directory.own().clone())));
}

#[test]
fn records_without_a_lease_are_ignored_and_removed() {
    let mut world = World::new(1);
    let record = |what: &str| NodeRecord { node: "dead-1".into(), what: what.into(), body: "a".into() };
    world.stream.tell(record("group"));
    world.nodes.push(TestNode::new("1"));
    world.pass(RENEW_EVERY);
    assert!(world.nodes.iter().all(|node| node.heard_of("group").is_empty()));
    let left = world.stream.after(0, usize::MAX).expect("a page").0;
    assert!(left.iter().all(|record| record.is_removal() || record.node != "dead-1"), "{left:?}");
}

#[test]
fn an_address_that_becomes_known_while_a_lease_is_being_written_is_written_next() {
    let mut directory = Directory::new(NodeId::new("a", 1), None);
    let now = Instant::now();
    directory.next_write(now).expect("a lease");
    directory.set_address("10.0.0.1:9090".into());
    directory.renew();
    directory.wrote(true, now);
    let next = directory.next_write(now).expect("another one at once");
    assert!(String::from_utf8_lossy(&next.body).contains("10.0.0.1:9090"));
    directory.wrote(true, now);
    assert_eq!(directory.next_write(now), None);
}

#[test]
fn a_reader_that_reads_none_of_its_own_renewals_is_deaf() {
    let mut world = World::new(1);
    assert!(!world.nodes[0].directory.is_deaf(world.now));
    let node = &mut world.nodes[0];
    let record = node.directory.next_write(world.now + RENEW_EVERY).expect("a renewal");
    assert_eq!(record.what, LEASE);
    node.directory.wrote(true, world.now);
    assert!(!node.directory.is_deaf(world.now + Duration::from_secs(5)));
    assert!(node.directory.is_deaf(world.now + Duration::from_secs(11)));
    node.directory.start_over(false);
    assert!(!node.directory.is_deaf(world.now + Duration::from_secs(11)));
}

/// Waits until something holds.
async fn until(what: &str, holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| panic!("{what} did not happen"));
}

#[tokio::test]
async fn drivers_keep_leases_and_end_them_when_they_stop() {
    let memory = Memory::new(Shape::Nats);
    let start = |name: &str| {
        let nodes = Nodes::new(NodeId::new(name, 7), Some(format!("{name}:9090")));
        let broker: Arc<dyn Broker> = Arc::new(memory.open_again());
        let stop = CancellationToken::new();
        let driver = Driver::new(nodes.clone(), broker).run(stop.clone(), |_| {});
        (nodes, stop, tokio::spawn(driver))
    };
    let (one, _stop_one, _running) = start("one");
    let (two, stop_two, running) = start("two");
    until("both are known", || one.alive().len() == 2 && two.alive().len() == 2).await;
    assert_eq!(one.alive()[1].address.as_deref(), Some("two:9090"));
    two.say("group", Bytes::from_static(b"a"));
    until("it is said", || memory.look(|log| log.nodes().last()) >= 3).await;
    memory.recreate();
    until("all is said again", || memory.look(|log| log.nodes().last()) >= 3).await;
    stop_two.cancel();
    tokio::time::timeout(Duration::from_secs(10), running).await.expect("it ends").expect("no panic");
    until("it is gone", || one.alive().len() == 1).await;
}

#[test]
fn a_node_that_went_is_listed_with_its_last_lease_and_whether_it_stopped() {
    let mut world = World::new(4);
    world.pass(RENEW_EVERY * 2);
    assert!(world.nodes[0].directory.left().is_empty());
    let went = world.now;
    world.nodes[1].directory.leave();
    world.nodes[2].runs = false;
    world.pass(RENEW_EVERY * 6);
    let left = world.nodes[0].directory.left();
    let told: Vec<_> = left.iter().map(|left| (left.id.to_string(), left.was_silent())).collect();
    assert_eq!(told, [(world.id(1), false), (world.id(2), true)]);
    assert!(left.iter().all(|left| left.renewed <= went + RENEW_EVERY && left.at > left.renewed), "{left:?}");
    let renewed = world.nodes[0].directory.alive().into_iter().filter(|alive| alive.id.to_string() == world.id(3));
    let renewed: Vec<_> = renewed.filter_map(|alive| alive.renewed).collect();
    assert!(renewed.iter().all(|at| *at + RENEW_EVERY * 2 > world.now) && renewed.len() == 1, "{renewed:?}");
    // What was gone before a node came is no news to it.
    world.nodes.push(TestNode::new("9"));
    world.pass(RENEW_EVERY);
    assert!(world.nodes[4].directory.left().is_empty());
}
