//! Presence on one node, and on two of which one is killed.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use fanfare_e2e_tests::backplane::{Backplane, Kind};
use fanfare_e2e_tests::client::{Connect, Message};
use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::{HUB, Node, Settings, Tab, Token};
use serde_json::{Value, json};

/// Longer than a lease takes to expire and to be ended.
const LEASE: Duration = Duration::from_secs(40);

const LISTS: &str = r#"
method.JoinList = { arguments = ["listId"], allow = true, join = "list:{listId}" }
method.LeaveList = { arguments = ["listId"], leave = "list:{listId}" }
method.UpdatePresence = { arguments = ["listId"], allow = true, join = "list:{listId}" }

[hub."HUB".presence."list:{listId}"]
heartbeat = "UpdatePresence"
inactive_after_seconds = 5
linger_seconds = 2
describe = { name = "{claim.name}" }
joined = { target = "UserJoined", arguments = [{ listId = "{listId}", user = { id = "{user}", displayName = "{name}" }, timestamp = "{$time}" }] }
left = { target = "UserLeft", arguments = [{ listId = "{listId}", userId = "{user}", displayName = "{name}" }] }
snapshot = { target = "PresenceUpdate", arguments = [{ listId = "{listId}", activeUsers = "{$members}" }] }
member = { id = "{user}", "displayName?" = "{name}", joinedAt = "{$since}" }
"#;

fn settings() -> Settings {
    let mut settings = Settings::default().secret(SECRET);
    settings.hubs = format!("[hub.\"{HUB}\"]\n{}", LISTS.replace("HUB", HUB));
    settings
}

/// The same without time-outs for heartbeats.
fn settings_without_heartbeat() -> Settings {
    let mut settings = settings();
    settings.hubs =
        settings.hubs.replace("heartbeat = \"UpdatePresence\"\n", "").replace("inactive_after_seconds = 5\n", "");
    settings
}

fn token(user: &str, org: &str) -> Token {
    Token::user(user, org).claim("name", format!("The {user}"))
}

async fn tab(node: &Node, user: &str) -> Tab {
    node.tab(&token(user, "acme")).await
}

/// Joins, and returns the members in the snapshot.
async fn join(tab: &mut Tab, list: &str) -> Vec<String> {
    tab.invoke("JoinList", json!([list])).await.expect("joined");
    there(&tab.expect("PresenceUpdate").await)
}

fn there(update: &Value) -> Vec<String> {
    let users = update["activeUsers"].as_array().expect("a list").iter();
    let mut users: Vec<String> = users.map(|user| user["id"].as_str().expect("an id").to_owned()).collect();
    users.sort();
    users
}

/// The next notifications with these targets and their users, without a time-out.
async fn next(tab: &mut Tab, within: Duration) -> Option<(String, String)> {
    let heard = async {
        loop {
            if let Message::Notification(target, argument) = tab.receive().await {
                let user = argument["userId"].as_str().or(argument["user"]["id"].as_str()).unwrap_or_default();
                return (target, user.to_owned());
            }
        }
    };
    tokio::time::timeout(within, heard).await.ok()
}

#[tokio::test]
async fn other_members_are_sent_users_and_not_tabs() {
    let node = Node::start_with(settings_without_heartbeat()).await;
    let mut bob = tab(&node, "bob").await;
    assert_eq!(join(&mut bob, "7").await, ["bob"]);
    let mut alice = tab(&node, "alice").await;
    assert_eq!(join(&mut alice, "7").await, ["alice", "bob"]);
    let joined = bob.expect("UserJoined").await;
    assert_eq!(joined["user"], json!({ "id": "alice", "displayName": "The alice" }));
    assert_eq!(joined["listId"], "7");
    assert!(joined["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{joined}");
    // Only her second tab itself is notified; closing the first one notifies nobody.
    let mut second = tab(&node, "alice").await;
    assert_eq!(join(&mut second, "7").await, ["alice", "bob"]);
    alice.invoke("LeaveList", json!(["7"])).await.expect("left");
    bob.expect_silence().await;
    second.invoke("LeaveList", json!(["7"])).await.expect("left");
    assert_eq!(bob.expect("UserLeft").await["userId"], "alice");
    // A user who has left receives nothing about the others.
    let mut carol = tab(&node, "carol").await;
    join(&mut carol, "7").await;
    bob.expect("UserJoined").await;
    second.expect_silence().await;
    // A list with the same name in another org is another list.
    let mut dave = node.tab(&token("dave", "globex")).await;
    assert_eq!(join(&mut dave, "7").await, ["dave"]);
    carol.expect_silence().await;
    assert!(node.metric("fanfare_presence_members", "here").await >= 3.0);
}

#[tokio::test]
async fn a_page_reload_is_not_announced_and_a_lost_tab_leaves_after_a_moment() {
    let node = Node::start_with(settings_without_heartbeat()).await;
    let mut bob = tab(&node, "bob").await;
    join(&mut bob, "7").await;
    let mut alice = tab(&node, "alice").await;
    join(&mut alice, "7").await;
    bob.expect("UserJoined").await;
    drop(alice);
    let mut alice = tab(&node, "alice").await;
    join(&mut alice, "7").await;
    bob.expect_silence().await;
    drop(alice);
    assert_eq!(next(&mut bob, LEASE).await, Some(("UserLeft".into(), "alice".into())));
}

#[tokio::test]
async fn a_user_without_a_heartbeat_is_gone_until_the_next_one() {
    let node = Node::start_with(settings()).await;
    let mut bob = tab(&node, "bob").await;
    join(&mut bob, "7").await;
    let mut alice = tab(&node, "alice").await;
    join(&mut alice, "7").await;
    assert_eq!(next(&mut bob, LEASE).await, Some(("UserJoined".into(), "alice".into())));
    let mut left = None;
    let since = Instant::now();
    while left.is_none() && since.elapsed() < LEASE {
        bob.invoke("UpdatePresence", json!(["7"])).await.expect("taken");
        left = next(&mut bob, Duration::from_secs(1)).await;
    }
    assert_eq!(left, Some(("UserLeft".into(), "alice".into())));
    assert!(since.elapsed() > Duration::from_secs(4), "{:?}", since.elapsed());
    alice.invoke("UpdatePresence", json!(["7"])).await.expect("taken");
    assert_eq!(next(&mut bob, LEASE).await, Some(("UserJoined".into(), "alice".into())));
}

/// Two nodes with one presence; one is killed.
async fn outlives_a_kill(kind: Kind) {
    let Some(backplane) = Backplane::start(kind).await else { return };
    let settings = |node| settings_without_heartbeat().broker(&backplane.config(node));
    let mut one = Node::start_with(settings(0)).await;
    let two = Node::start_with(settings(1)).await;
    let mut bob = tab(&two, "bob").await;
    join(&mut bob, "7").await;
    let mut alice = tab(&one, "alice").await;
    join(&mut alice, "7").await;
    assert_eq!(next(&mut bob, LEASE).await, Some(("UserJoined".into(), "alice".into())));
    let mut carol = tab(&one, "carol").await;
    assert_eq!(join(&mut carol, "7").await, ["alice", "bob", "carol"], "who is there by another node, too");
    assert_eq!(next(&mut bob, LEASE).await, Some(("UserJoined".into(), "carol".into())));
    // Another tab of hers on the other node notifies nobody.
    let mut carol_two = tab(&two, "carol").await;
    assert_eq!(join(&mut carol_two, "7").await, ["alice", "bob", "carol"]);
    let mut dave = tab(&one, "dave").await;
    join(&mut dave, "7").await;
    assert_eq!(next(&mut bob, LEASE).await, Some(("UserJoined".into(), "dave".into())));
    one.kill();
    // Dave reconnects elsewhere before the lease expires: he has neither left nor joined.
    let mut dave = tab(&two, "dave").await;
    assert_eq!(join(&mut dave, "7").await, ["alice", "bob", "carol", "dave"]);
    let killed = Instant::now();
    assert_eq!(next(&mut bob, LEASE).await, Some(("UserLeft".into(), "alice".into())));
    assert!(killed.elapsed() > Duration::from_secs(5), "not before the lease ran out: {:?}", killed.elapsed());
    bob.expect_silence().await;
    // The node restarts under another id, and its tabs reconnect.
    one.start().await;
    let mut alice = tab(&one, "alice").await;
    assert_eq!(join(&mut alice, "7").await, ["alice", "bob", "carol", "dave"]);
    assert_eq!(next(&mut bob, LEASE).await, Some(("UserJoined".into(), "alice".into())));
    // A node that is stopped waits until its users are elsewhere.
    one.terminate();
    let mut alice = tab(&two, "alice").await;
    join(&mut alice, "7").await;
    assert!(one.end().await.success());
    let mut last = tab(&two, "erin").await;
    assert_eq!(join(&mut last, "7").await, ["alice", "bob", "carol", "dave", "erin"]);
    assert_eq!(next(&mut bob, LEASE).await, Some(("UserJoined".into(), "erin".into())), "and nothing before it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_on_nats_outlives_a_node_that_is_killed() {
    outlives_a_kill(Kind::Nats).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn presence_on_kafka_outlives_a_node_that_is_killed() {
    outlives_a_kill(Kind::Kafka).await;
}

/// A tab that joins before it has resumed, as returning pages do.
#[tokio::test]
async fn a_tab_gets_its_presence_snapshot_once_it_has_caught_up() {
    let node = Node::start_with(settings_without_heartbeat()).await;
    let mut bob = tab(&node, "bob").await;
    join(&mut bob, "7").await;
    let cursor = bob.cursor().await;
    let mut again = Connect::new(HUB, token("bob", "acme").sign()).connect(node.address()).await;
    again.invoke("JoinList", json!(["7"])).await.expect("joined");
    let mut alice = tab(&node, "alice").await;
    join(&mut alice, "7").await;
    let resumed = again.invoke("Resume", json!([cursor])).await.expect("resumed");
    assert_eq!(resumed["replayed"], 0, "presence is in no resume: {resumed}");
    let heard = next(&mut again, LEASE).await;
    assert_eq!(heard.map(|(target, _)| target).as_deref(), Some("PresenceUpdate"));
}

/// More than two pages hold, and no more than the sockets of tabs that do not read.
const CROWD: usize = 250;

/// From how many members on changes are gathered.
const BATCH_ABOVE: u128 = 50;

/// What a page knows of a room: a snapshot replaces what it knew, changes add to it.
#[derive(Default)]
struct Known {
    members: BTreeSet<String>,
    messages: u128,
}

impl Known {
    /// Takes messages until so many are there.
    async fn learn(&mut self, tab: &mut Tab, count: usize) {
        while self.members.len() < count {
            let Message::Notification(target, argument) = tab.receive().await else { continue };
            self.messages += 1;
            match target.as_str() {
                "UserJoined" => self.members.extend(argument["user"]["id"].as_str().map(str::to_owned)),
                "Changed" => self.members.extend(ids(&argument["joined"])),
                "PresenceUpdate" if argument["page"] == 1 => self.members = ids(&argument["activeUsers"]).collect(),
                "PresenceUpdate" => self.members.extend(ids(&argument["activeUsers"])),
                other => panic!("{other}: {argument}"),
            }
        }
        assert_eq!(self.members.len(), count);
    }
}

fn ids(members: &Value) -> impl Iterator<Item = String> {
    members.as_array().expect("a list").iter().map(|member| member["id"].as_str().expect("an id").to_owned())
}

#[tokio::test]
async fn a_crowd_is_sent_in_pages_to_a_newcomer_and_in_few_messages_to_the_others() {
    let mut settings = settings_without_heartbeat();
    settings.hubs = settings
        .hubs
        .replace(
            "activeUsers = \"{$members}\"",
            "activeUsers = \"{$members}\", page = \"{$page}\", pages = \"{$pages}\", count = \"{$count}\"",
        )
        .replace("linger_seconds = 2", &format!("linger_seconds = 2\nbatch_above = {BATCH_ABOVE}\npage_members = 100"))
        .replace(
            "joined = {",
            "together = { target = \"Changed\", arguments = [{ joined = \"{$joined}\" }] }\njoined = {",
        );
    let node = Node::start_with(settings).await;
    let mut first = tab(&node, "first").await;
    first.invoke("JoinList", json!(["7"])).await.expect("joined");
    // It reads all the time: a tab that does not is sent snapshots instead.
    let watching = tokio::spawn(async move {
        let (began, mut known) = (Instant::now(), Known::default());
        known.learn(&mut first, CROWD + 1).await;
        let moments = began.elapsed().as_millis() / 250;
        // In a small room each is told at once, then all of a moment together.
        assert!(
            known.messages <= BATCH_ABOVE + moments + 10,
            "{} messages in {moments} quarters of a second",
            known.messages
        );
        (first, known)
    });
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        let mut one = tab(&node, &format!("u{number}")).await;
        one.invoke("JoinList", json!(["7"])).await.expect("joined");
        crowd.push(one);
    }
    let (mut first, mut known) = watching.await.expect("all were told");
    let mut newcomer = tab(&node, "newcomer").await;
    newcomer.invoke("JoinList", json!(["7"])).await.expect("joined");
    let (mut there_now, mut page, mut pages) = (Vec::new(), 0, u64::MAX);
    while page < pages {
        let update = newcomer.expect("PresenceUpdate").await;
        page += 1;
        assert_eq!((&update["page"], &update["count"]), (&json!(page), &json!(CROWD + 2)), "{update}");
        pages = update["pages"].as_u64().expect("a number");
        there_now.extend(there(&update));
    }
    assert_eq!(there_now.len(), CROWD + 2);
    assert_eq!(there_now.iter().collect::<BTreeSet<_>>().len(), CROWD + 2, "everybody once");
    assert_eq!(pages, 3);
    let before = known.messages;
    known.learn(&mut first, CROWD + 2).await;
    assert_eq!(known.messages - before, 1, "one message for the newcomer");
}
