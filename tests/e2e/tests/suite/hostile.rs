//! One hostile client hurts nobody: all others receive, connect and are logged out as without it, and memory does not
//! grow.

use std::time::Duration;

use fanfare_attackers::{Attack, Attacker, Burst, Bursts, Report, Target};
use fanfare_e2e_tests::client::{Connect, SEPARATOR};
use fanfare_e2e_tests::wait::{PATIENCE, until};
use fanfare_e2e_tests::{HUB, Message, NewEvent, Node, Settings, Tab, Token};
use serde_json::json;
use tokio::time::{sleep, timeout};

/// The largest delay for all others: far more than any machine needs whose shards are not blocked.
const LATE: Duration = Duration::from_secs(5);

/// Enough tabs to reach every shard of a node.
const OTHERS: usize = 8;

/// The attacker, a user of a separate org.
fn target(node: &Node, user: &str) -> Target {
    Target {
        address: node.address(),
        hub: HUB.to_owned(),
        token: Token::user(user, "elsewhere").sign(),
        user: user.to_owned(),
        org: "elsewhere".to_owned(),
        producer: Token::producer().sign(),
    }
}

async fn in_time<T>(what: &str, future: impl Future<Output = T>) -> T {
    timeout(LATE, future).await.unwrap_or_else(|_| panic!("{what}: not within {LATE:?}"))
}

fn logout(user: &str, org: &str) -> NewEvent {
    let body = json!({ "user": user, "org": org, "reason": "signed out" });
    NewEvent::new("auth.UserLoggedOut", &format!("logout-of-{user}"), &body)
}

/// All other clients, which must not be affected.
struct Others {
    tabs: Vec<Tab>,
    rounds: usize,
}

impl Others {
    async fn of(node: &Node) -> Self {
        let mut tabs = Vec::new();
        for number in 0..OTHERS {
            tabs.push(node.tab(&Token::user(&format!("other-{number}"), "acme")).await);
        }
        Self { tabs, rounds: 0 }
    }

    /// All of them receive in time, and so does a new one; a user who logs out is disconnected.
    async fn are_unharmed(&mut self, node: &Node) {
        self.rounds += 1;
        for number in 0..10 {
            let title = format!("toast {} {number}", self.rounds);
            in_time("a producer is answered", node.publish(&[NewEvent::alert("acme", &title)])).await;
            for (at, tab) in self.tabs.iter_mut().enumerate() {
                let toast = in_time(&format!("{title} at tab {at}"), tab.expect("toast")).await;
                assert_eq!(toast["title"], title);
            }
        }
        for number in 0..OTHERS {
            let user = format!("newcomer-{}-{number}", self.rounds);
            let mut tab = in_time("a new tab", node.tab(&Token::user(&user, "acme"))).await;
            in_time("a producer is answered", node.publish(&[logout(&user, "acme")])).await;
            assert_eq!(in_time("the logout", tab.expect("logout")).await["reason"], "signed out");
            assert_eq!(in_time("the end behind a logout", tab.next()).await, Message::Close(None, false));
        }
    }
}

async fn until_ended(attacker: &Attacker, fits: fn(&Report) -> bool) -> Report {
    until("the end of the attacker", async || Some(attacker.report()).filter(fits)).await
}

/// Regression: its shard served no other client, and after the first logout no shard did.
async fn a_flood_is_ended_by_name_and_nobody_else_notices(attack: Attack, settings: Settings) {
    let node = Node::start_with(settings).await;
    let mut others = Others::of(&node).await;
    let attacker = Attacker::start(attack, &target(&node, "mallory")).expect("connects");
    others.are_unharmed(&node).await;
    let report = until_ended(&attacker, |report| !report.endings.is_empty()).await;
    assert!(report.ended_by_name(), "{report:?}");
    drop(attacker);

    // The flooding user can still be logged out.
    let attacker = Attacker::start(attack, &target(&node, "oscar")).expect("connects");
    in_time("a producer is answered", node.publish(&[logout("oscar", "elsewhere")])).await;
    until_ended(&attacker, |report| !report.endings.is_empty()).await;
    others.are_unharmed(&node).await;
}

#[tokio::test]
async fn pings_of_the_hub_without_a_pause() {
    a_flood_is_ended_by_name_and_nobody_else_notices(Attack::HubPings, Settings::default()).await;
}

#[tokio::test]
async fn pings_of_web_sockets_without_a_pause() {
    a_flood_is_ended_by_name_and_nobody_else_notices(Attack::WebSocketPings, Settings::default()).await;
}

#[tokio::test]
async fn empty_fragments_without_end() {
    a_flood_is_ended_by_name_and_nobody_else_notices(Attack::EmptyFragments, Settings::default()).await;
}

/// Regression: an abandoned socket stays readable forever, and the shard that kept reading it served no other.
#[tokio::test]
async fn a_stateful_client_that_leaves_its_socket_delays_no_other() {
    let node = Node::start_default().await;
    let mut others = Others::of(&node).await;
    let before = node.open_files();
    let connect = Connect::new(HUB, Token::user("mallory", "elsewhere").sign()).query("useStatefulReconnect", "true");
    for _ in 0..4 {
        let negotiated = connect.negotiate(node.address()).await.expect("an answer").json();
        let id = negotiated["connectionToken"].as_str().expect("a token");
        let mut socket = connect.open(node.address(), Some(id)).await.expect("an answer").expect("let in");
        socket.send(&format!("{{\"protocol\":\"json\",\"version\":2}}{SEPARATOR}")).await.expect("open");
        until("the answer to the handshake", async || socket.next().await.ok().flatten()).await;
    }
    let closed = until("closed sockets", async || (node.open_files() <= before).then_some(()));
    in_time("what is left is let go of, though the connections wait for another socket", closed).await;
    others.are_unharmed(&node).await;
}

/// Regression: each fragment cost as much as all before it.
#[tokio::test]
async fn a_fragment_costs_its_bytes() {
    let message_bytes = 1 << 20;
    let node = Node::start_with(Settings::default().section("[limits]\nmessage_bytes = 1048576")).await;
    let mut others = Others::of(&node).await;
    let attacker =
        Attacker::start(Attack::SmallFragments { message_bytes }, &target(&node, "mallory")).expect("connects");
    sleep(Duration::from_secs(2)).await;
    others.are_unharmed(&node).await;
    drop(attacker);
}

/// The largest growth of the node's memory while an attack lasts this long.
async fn growth(node: &Node, attack: Attack, time: Duration) -> u64 {
    let before = node.resident();
    let attacker = Attacker::start(attack, &target(node, "mallory")).expect("connects");
    let (begun, mut most) = (tokio::time::Instant::now(), before);
    while begun.elapsed() < time {
        sleep(Duration::from_millis(100)).await;
        most = most.max(node.resident());
    }
    drop(attacker);
    most - before
}

/// Regression: 104 MB for each such tab.
#[tokio::test]
async fn calls_whose_answers_are_not_read_are_bounded_in_bytes() {
    let node = Node::start_default().await;
    let mut others = Others::of(&node).await;
    let grown = growth(&node, Attack::UnreadAnswers { tabs: 4 }, Duration::from_secs(8)).await;
    // The backlog itself, the node's copy for resumes, and four times a few hundred kilobytes.
    assert!(grown < 24 << 20, "{} MB more", grown >> 20);
    others.are_unharmed(&node).await;
}

/// Regression: 9.3 MB for each such tab, because only the payload of a pong was counted and an empty one has none.
#[tokio::test]
async fn pongs_that_are_not_read_are_bounded_as_memory() {
    let node = Node::start_default().await;
    let mut others = Others::of(&node).await;
    let grown = growth(&node, Attack::UnreadPongs { tabs: 8 }, Duration::from_secs(15)).await;
    assert!(grown < 10 << 20, "{} MB more", grown >> 20);
    others.are_unharmed(&node).await;
}

/// Regression: tabs that read were evicted as slow, and two evictions cost them their replay.
#[tokio::test]
async fn no_burst_of_legal_events_drops_a_tab_that_reads() {
    let node = Node::start_default().await;
    let mut others = Others::of(&node).await;
    let bursts = Bursts::start(&target(&node, "reader"), 6).expect("connects");
    let twice = 2 * Burst::ALL.iter().map(|burst| burst.events as u64).sum::<u64>();
    until("each burst twice", async || (bursts.report().answered >= twice).then_some(())).await;
    others.are_unharmed(&node).await;
    sleep(Duration::from_millis(500)).await;
    let report = bursts.report();
    assert_eq!((report.opened, report.endings), (6, Vec::new()));
    assert_eq!(node.metric("fanfare_slow_consumers", "").await, 0.0);
}

/// Regression: a resume over 20,000 records counted as one call of 600 a minute.
#[tokio::test]
async fn a_resume_is_priced_by_what_it_reads() {
    const CALLS: u64 = 30;
    let limits = format!("[limits]\ninvocations_per_minute = {CALLS}");
    let node = Node::start_with(Settings::default().section(&limits)).await;
    let mut others = Others::of(&node).await;
    let attack = Attack::Resumes { records: 3_000 };
    let attacker = Attacker::start(attack, &target(&node, "mallory")).expect("connects");
    let begun = tokio::time::Instant::now();
    // As many as use half of the allowed rate, or as many as succeed while it is throttled.
    while attacker.report().answered <= CALLS / 2 && begun.elapsed() < Duration::from_secs(25) {
        others.are_unharmed(&node).await;
    }
    let report = attacker.stop();
    assert!(report.answered <= CALLS / 2, "{report:?} after {:?}", begun.elapsed());
}

/// A hub whose clients join lists, and a toast for each alert of a list.
fn lists(limits: &str) -> Settings {
    let hubs = format!(
        "[hub.\"{HUB}\"]\nmethod.JoinList = {{ arguments = [\"list\"], allow = true, join = \"list:{{list}}\" }}\n"
    );
    let routes = format!(
        "hub = \"{HUB}\"\n[[route]]\nname = \"list\"\nevent = \"system.Alert\"\ngroups = [\"list:{{title}}\"]\n\
         toast = {{ severity = \"{{severity}}\", title = \"{{title}}\", message = \"{{message}}\" }}\n"
    );
    Settings { hubs, routes, ..Settings::default() }.section(limits)
}

/// Calls that join this many lists, in one frame; as invocations if they have ids.
fn joins(lists: usize, with_ids: bool) -> String {
    let call = |list: usize| {
        let mut call = json!({ "type": 1, "target": "JoinList", "arguments": [list.to_string()] });
        if with_ids {
            call["invocationId"] = json!(list.to_string());
        }
        format!("{call}{SEPARATOR}")
    };
    (0..lists).map(call).collect()
}

/// Each list gets its toast, once, in the order of publishing.
async fn expect_joined(node: &Node, tab: &mut Tab, lists: usize) {
    let alerts: Vec<NewEvent> = (0..lists).map(|list| NewEvent::alert("acme", &list.to_string())).collect();
    node.publish(&alerts).await;
    let mut told = Vec::new();
    while told.len() < lists {
        let Ok(toast) = timeout(LATE, tab.expect("toast")).await else {
            panic!("{} of {lists} lists are joined: {told:?}", told.len())
        };
        told.push(toast["title"].as_str().and_then(|title| title.parse::<usize>().ok()).expect("a list"));
    }
    assert!(told.iter().copied().eq(0..lists), "{told:?}");
}

/// Regression: beyond 64 waiting calls, an invocation was refused and a send was lost.
#[tokio::test]
async fn calls_that_come_at_once_wait_in_order() {
    const LISTS: usize = 90;
    let node = Node::start_with(lists("")).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.socket().send(&joins(LISTS, true)).await.expect("open");
    for list in 0..LISTS {
        let answer = tab.next().await;
        assert!(matches!(&answer, Message::Completion(id, Ok(_)) if *id == list.to_string()), "{list}: {answer:?}");
    }
    expect_joined(&node, &mut tab, LISTS).await;
}

#[tokio::test]
async fn sends_that_come_at_once_do_not_vanish() {
    const LISTS: usize = 90;
    let node = Node::start_with(lists("")).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.socket().send(&joins(LISTS, false)).await.expect("open");
    // Answered after all of them.
    tab.cursor().await;
    expect_joined(&node, &mut tab, LISTS).await;
}

/// Above the rate, reading pauses; nothing is dropped silently.
#[tokio::test]
async fn calls_above_the_rate_wait_for_it() {
    const LISTS: usize = 64;
    let node = Node::start_with(lists("[limits]\ninvocations_per_minute = 60")).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.socket().send(&joins(LISTS, false)).await.expect("open");
    timeout(PATIENCE, tab.cursor()).await.expect("the call behind them is answered");
    expect_joined(&node, &mut tab, LISTS).await;
}
