//! How a stopping node closes its tabs.

use std::time::{Duration, Instant};

use fanfare_e2e_tests::backplane::{Backplane, Kind};
use fanfare_e2e_tests::client::{Connect, Message};
use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::transport::{Transport, Wire};
use fanfare_e2e_tests::wait::{at_most, until};
use fanfare_e2e_tests::{HUB, NewEvent, Node, Settings, Token};
use serde_json::json;

/// How long a node may take to end once its last tab has left: far less than any drain in these tests.
const SOON: Duration = Duration::from_secs(2);

/// How long a closed client may take to leave, and the second in which the node notices.
const PARTING: Duration = Duration::from_secs(3);

/// How long an event may take to every tab on a machine that builds at the same time.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

async fn connect(node: &Node, user: &str, transport: Transport) -> Wire {
    let connect = Connect::new(HUB, Token::user(user, "acme").sign());
    let opened = Wire::connect(&connect, transport, node.address()).await;
    let mut wire = opened.expect("connects").expect("is not refused");
    // It is live from its cursor on.
    wire.try_invoke("Cursor", json!([])).await.expect("an answer").expect("a cursor");
    wire
}

/// What a tab received until it was closed.
struct Heard {
    titles: Vec<usize>,
    told: Instant,
}

async fn until_told(mut wire: Wire) -> Heard {
    let mut titles = Vec::new();
    loop {
        match at_most("a message", wire.receive()).await {
            Message::Notification(_, alert) => {
                titles.push(alert["title"].as_str().and_then(|title| title.parse().ok()).expect("a number"));
            }
            Message::Close(None, true) => return Heard { titles, told: Instant::now() },
            Message::Ping => {}
            other => panic!("{other:?} instead of an invitation to come back"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tabs_are_closed_one_after_another_and_receive_everything_until_then() {
    let Some(backplane) = Backplane::start(Kind::Nats).await else { return };
    let settings = |node| Settings::default().drain_seconds(60).secret(SECRET).broker(&backplane.config(node));
    let (mut leaving, other) = tokio::join!(Node::start_with(settings(0)), Node::start_with(settings(1)));
    let mut tabs = Vec::new();
    for index in 0..240 {
        let transport = Transport::ALL[if index % 10 < 8 { 0 } else { index % 10 - 7 }];
        tabs.push(connect(&leaving, &format!("user-{}", index % 10), transport).await);
    }
    let abandoned = connect(&leaving, "absent", Transport::LongPolling).await;
    until("the other node's lease", async || {
        let nodes = leaving.lines("a node has joined");
        (!nodes.is_empty()).then_some(())
    })
    .await;
    let listening: Vec<_> = tabs.into_iter().map(|tab| tokio::spawn(until_told(tab))).collect();
    tokio::time::sleep(Duration::from_secs(3)).await;

    leaving.terminate();
    let mut published = Vec::new();
    let publishing = async {
        loop {
            other.publish(&[NewEvent::alert("acme", &published.len().to_string())]).await;
            published.push(Instant::now());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let heard = async {
        let mut all = Vec::new();
        for tab in listening {
            all.push(tab.await.expect("is told"));
        }
        all
    };
    let all = tokio::select! { () = publishing => unreachable!("it goes on"), all = heard => all };
    let first = all.iter().map(|tab| tab.told).min().expect("tabs");
    let last = all.iter().map(|tab| tab.told).max().expect("tabs");
    assert_eq!(leaving.end().await.code(), Some(0));
    assert!(last.elapsed() < SOON, "somebody was waited for: {:?}", last.elapsed());
    drop(abandoned);

    let spread = last - first;
    assert!(spread > Duration::from_millis(1800), "all were told within {spread:?}");
    let at_once = all.iter().filter(|tab| tab.told - first < spread / 4).count();
    assert!(at_once < all.len() / 2, "{at_once} of {} in the first quarter", all.len());
    for Heard { titles, told } in &all {
        let owed = published.iter().take_while(|at| **at + ON_ITS_WAY < *told).count();
        assert!(titles.len() >= owed, "{} of {owed} heard", titles.len());
        assert!(titles.iter().copied().eq(0..titles.len()), "a gap in {titles:?}");
    }
    assert!(all.iter().any(|tab| !tab.titles.is_empty()), "something was heard while the node drained");
}

#[tokio::test]
async fn a_single_node_waits_for_no_absent_peer() {
    let mut node = Node::start_with(Settings::default().drain_seconds(60)).await;
    let mut listening = Vec::new();
    for transport in Transport::ALL {
        listening.push(tokio::spawn(until_told(connect(&node, "alice", transport).await)));
    }
    // One page was closed before its next poll, another one while its poll waited.
    let _between_polls = connect(&node, "bob", Transport::LongPolling).await;
    let polling = tokio::spawn(until_told(connect(&node, "carol", Transport::LongPolling).await));
    tokio::time::sleep(Duration::from_millis(500)).await;
    polling.abort();
    let began = Instant::now();
    node.terminate();
    let mut told = Vec::new();
    for tab in listening {
        told.push(tab.await.expect("is told").told - began);
    }
    assert_eq!(node.end().await.code(), Some(0));
    assert!(began.elapsed() < PARTING + SOON, "took {:?}", began.elapsed());
    assert!(told.iter().all(|after| *after < Duration::from_secs(2)), "with no other node nobody waits: {told:?}");
}
