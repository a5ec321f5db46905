//! Processes are killed, and nothing is lost.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use fanfare_e2e_tests::follower::{Follower, Return, TabPlan};
use fanfare_e2e_tests::token::now;
use fanfare_e2e_tests::wait::{Deadline, at_most, until};
use fanfare_e2e_tests::{NewEvent, Node, Platform, Random, Tab, Token, Transport};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// The values of each flag, in order.
type Flags = BTreeMap<String, Vec<bool>>;

/// What a tab has received about flags.
#[derive(Debug, Default)]
struct Heard {
    flags: Flags,
    ids: HashSet<String>,
}

impl Heard {
    /// Receives until it has as many of each flag as expected.
    async fn listen(&mut self, tab: &mut Tab, expected: &Flags) {
        let count = |flags: &Flags| flags.values().map(Vec::len).sum::<usize>();
        while count(&self.flags) < count(expected) {
            let flag = tab.expect("featureFlag").await;
            let (name, id) = (flag["flag"].as_str().expect("a name"), flag["id"].as_str().expect("an id"));
            assert!(self.ids.insert(id.to_owned()), "{flag} came twice");
            self.flags.entry(name.to_owned()).or_default().push(flag["enabled"].as_bool().expect("a value"));
        }
        assert_eq!(self.flags, *expected);
    }
}

/// The flags according to the license service.
async fn told_flags(platform: &Platform, token: &str) -> BTreeMap<String, bool> {
    let told = platform.flags(token, "acme").await;
    let flags = told["flags"].as_array().expect("a list").iter();
    flags.map(|flag| (flag["flag"].as_str().expect("a name").to_owned(), flag["enabled"] == true)).collect()
}

/// Nothing is in flight; the license service and a new tab agree with what was received.
async fn expect_settled(platform: &Platform, token: &str, tab: &mut Tab, flags: &Flags) {
    platform.license.send(&Platform::switch(token, "acme", "settled", true)).await.expect(202);
    assert_eq!(tab.expect("featureFlag").await["flag"], "settled", "nothing comes twice");
    let mut last: BTreeMap<String, bool> =
        flags.iter().map(|(flag, values)| (flag.clone(), values[values.len() - 1])).collect();
    last.insert("settled".to_owned(), true);
    assert_eq!(told_flags(platform, token).await, last);
    let (mut fresh, mut told) = (platform.node.tab_with(token).await, BTreeMap::new());
    for _ in 0..last.len() {
        let flag = fresh.expect("featureFlag").await;
        told.insert(flag["flag"].as_str().expect("a name").to_owned(), flag["enabled"] == true);
    }
    assert_eq!(told, last);
}

#[tokio::test]
async fn a_producer_killed_between_commit_and_relay_loses_nothing() {
    let mut platform = Platform::start().await;
    let bob = platform.login("bob").await;
    platform.node.kill();
    let mut committed = Flags::new();
    for number in 0..24 {
        let (flag, enabled) = (format!("flag-{}", number % 6), number / 6 % 2 == 0);
        let answer = platform.license.send(&Platform::switch(&bob, "acme", &flag, enabled)).await.expect(202);
        assert!(answer.json()["id"].is_string(), "{}", answer.text());
        committed.entry(flag).or_default().push(enabled);
    }
    platform.license.kill();
    platform.node.start().await;
    let mut tab = platform.node.tab_with(&bob).await;
    platform.license.start().await;
    Heard::default().listen(&mut tab, &committed).await;
    expect_settled(&platform, &bob, &mut tab, &committed).await;
}

/// Switches one flag on and off until it is stopped. Each switch is retried until it is answered, so that each is one
/// change, even if an answer was lost with the process.
fn switch_for_ever(
    made: Arc<AtomicUsize>,

    to: SocketAddr,
    token: String,
    flag: String,
    stop: Arc<AtomicBool>,
) -> JoinHandle<(String, Vec<bool>)> {
    tokio::spawn(async move {
        let mut values = Vec::new();
        while !stop.load(Ordering::Acquire) {
            let enabled = values.len() % 2 == 0;
            let request = Platform::switch(&token, "acme", &flag, enabled);
            let deadline = Deadline::new("an answer");
            while !matches!(request.send(to).await, Ok(answer) if answer.status == 202) {
                deadline.pause().await;
            }
            values.push(enabled);
            made.fetch_add(1, Ordering::AcqRel);
        }
        (flag, values)
    })
}

/// Waits until this many more were counted.
async fn more(counter: &AtomicUsize, count: usize) {
    let enough = counter.load(Ordering::Acquire) + count;
    until("some load", async || (counter.load(Ordering::Acquire) >= enough).then_some(())).await;
}

#[tokio::test]
async fn a_producer_killed_under_load_publishes_every_change_once() {
    let mut random = Random::new("a producer killed under load");
    let mut platform = Platform::start().await;
    let bob = platform.login("bob").await;
    let mut tab = platform.node.tab_with(&bob).await;
    let (stop, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let switches: Vec<_> = (0..4)
        .map(|number| {
            let address = platform.license.address();
            switch_for_ever(Arc::clone(&made), address, bob.clone(), format!("flag-{number}"), Arc::clone(&stop))
        })
        .collect();
    for _ in 0..3 {
        more(&made, 4 + random.below(40)).await;
        platform.license.kill();
        platform.license.start().await;
    }
    stop.store(true, Ordering::Release);
    let mut changes = Flags::new();
    for switch in switches {
        let (flag, values) = at_most("the end of the load", switch).await.expect("no panic");
        changes.insert(flag, values);
    }
    Heard::default().listen(&mut tab, &changes).await;
    expect_settled(&platform, &bob, &mut tab, &changes).await;
}

const ROUNDS: usize = 3;
const PRODUCERS: usize = 4;

/// Posts events one after another, each until it is answered with 202; returns their number.
fn post_for_ever(made: Arc<AtomicUsize>, to: SocketAddr, producer: usize, stop: Arc<AtomicBool>) -> JoinHandle<usize> {
    let token = Token::producer().sign();
    tokio::spawn(async move {
        let mut posted = 0;
        while !stop.load(Ordering::Acquire) {
            let request = NewEvent::alert("acme", &format!("{producer}/{posted}")).request(&token);
            let deadline = Deadline::new("a 202");
            loop {
                match request.send(to).await {
                    Ok(answer) if answer.status == 202 => break,
                    Ok(answer) => assert!(answer.status >= 500, "{} {}", answer.status, answer.text()),
                    Err(_) => {}
                }
                deadline.pause().await;
            }
            posted += 1;
            made.fetch_add(1, Ordering::AcqRel);
        }
        posted
    })
}

#[tokio::test]
async fn a_node_killed_under_load_loses_nothing_that_it_took() {
    let mut random = Random::new("a node killed under load");
    let mut node = Node::start_default().await;
    let mut followers = Vec::new();
    for how in [Return::WithCursor, Return::ByCall] {
        let plan = TabPlan { org: "acme", user: "alice", transport: Transport::WebSocket, how };
        followers.push(Follower::start(plan, node.address()).await);
    }
    let (stop, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|number| post_for_ever(Arc::clone(&made), node.address(), number, Arc::clone(&stop)))
        .collect();
    for _ in 0..ROUNDS {
        more(&made, 10 + random.below(150)).await;
        node.kill();
        node.start().await;
    }
    more(&made, 10).await;
    stop.store(true, Ordering::Release);
    let mut sent = BTreeSet::new();
    for (number, producer) in producers.into_iter().enumerate() {
        let posted = at_most("the end of the load", producer).await.expect("no panic");
        sent.extend((0..posted).map(|event| format!("{number}/{event}")));
    }
    node.publish(&[NewEvent::alert("acme", "end")]).await;
    for follower in followers {
        let how = follower.plan.how;
        let (mut titles, duplicated) = until("the end", async || {
            let heard = follower.heard();
            // A replay that a call requested may arrive after live notifications, so the end need not be last.
            (heard.has("end") && heard.doing == "listens").then(|| (heard.titles.clone(), heard.duplicated))
        })
        .await;
        follower.end();
        titles.retain(|title| title != "end");
        let received: BTreeSet<_> = titles.iter().cloned().collect();
        let missed: Vec<_> = sent.difference(&received).collect();
        let (of, got, lost) = (sent.len(), received.len(), missed.len());
        eprintln!("{how:?}: {of} sent, {got} received, {lost} missed, {duplicated} duplicated");
        assert!(missed.is_empty(), "{how:?} never heard of {missed:?}");
        assert_eq!(received.difference(&sent).count(), 0, "{how:?}");
        if how == Return::WithCursor {
            assert_eq!(duplicated, 0);
            expect_order(&titles);
        }
    }
    node.stop().await;
    expect_in_log(&node, &sent).await;
}

/// The events of one producer arrive in order.
fn expect_order(titles: &[String]) {
    for number in 0..PRODUCERS {
        let prefix = format!("{number}/");
        let own: Vec<usize> = titles.iter().filter_map(|title| title.strip_prefix(&prefix)?.parse().ok()).collect();
        assert!(own.is_sorted(), "the events of producer {number} came as {own:?}");
    }
}

/// Every event is in the log once, in one unbroken sequence.
async fn expect_in_log(node: &Node, sent: &BTreeSet<String>) {
    let log = node.open_log();
    let records = log.records().await;
    let offsets: Vec<u64> = records.iter().map(|record| record.offset).collect();
    assert_eq!(offsets, (1..=records.len() as u64).collect::<Vec<_>>());
    let id = |headers: &[(String, String)]| headers.iter().find(|(name, _)| name == "ce-id").map(|(_, id)| id.clone());
    let ids: Vec<String> = records.iter().filter_map(|record| id(&record.message.headers)).collect();
    let distinct: BTreeSet<_> = ids.iter().filter(|id| *id != "end").cloned().collect();
    assert_eq!((ids.len(), &distinct), (sent.len() + 1, sent));
    assert_eq!(log.dead_letters().await, Vec::new());
    log.close().await;
}

#[tokio::test]
async fn a_killed_nodes_state_is_restored() {
    let mut node = Node::start_default().await;
    node.publish(&[NewEvent::flag("acme", "kept", true, "1"), NewEvent::flag("acme", "gone", true, "2")]).await;
    let removed = NewEvent::new("license.FlagRemoved", "3", &json!({ "org": "acme", "flag": "gone" }));
    let roles = NewEvent::new("auth.RolesChanged", "4", &json!({ "org": "acme", "user": "alice", "roles": ["admin"] }));
    node.publish(&[removed, roles, NewEvent::flag("acme", "kept", false, "5")]).await;
    // Older than the change of roles, which applies to it.
    let alice = Token::user("alice", "acme").claim("iat", now() - 60);
    for round in ["first", "second"] {
        node.kill();
        node.start().await;
        let mut tab = node.tab(&alice).await;
        let flag = tab.expect("featureFlag").await;
        // A retained notification has its own id and the position of the connect.
        assert_eq!((&flag["flag"], &flag["enabled"]), (&json!("kept"), &json!(false)));
        assert_ne!(flag["cursor"], Value::Null);
        let to_admins = NewEvent::new("system.Alert", round, &json!({ "title": round, "message": "m" }));
        node.publish(&[to_admins]).await;
        assert_eq!(tab.expect("toast").await["title"], round, "the event's role counts for the older token");
    }
}
