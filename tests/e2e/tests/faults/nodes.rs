//! Several nodes give the same answer.

use std::path::Path;

use fanfare_e2e_tests::backplane::Kind;
use fanfare_e2e_tests::client::{Connect, Message};
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, NewEvent, Token};
use fanfare_test_servers::{skip, tool};
use serde_json::{Value, json};

use crate::fleet::{Fleet, ending, numbered, publish, titles, toasts};

/// A cursor of one node replays the same on every other, also on one that started after the missed events.
pub(crate) async fn a_cursor_is_good_on_a_node_that_started_later(kind: Kind) {
    let Some(mut fleet) = Fleet::prepare(kind, 3).await else { return };
    for node in [0, 1] {
        fleet.nodes[node].start().await;
    }
    let alice = Token::user("alice", "acme");
    let mut tab = fleet.nodes[0].tab(&alice).await;
    publish(&fleet.nodes[0], "before").await;
    let cursor = tab.expect("toast").await["cursor"].as_str().expect("a text").to_owned();
    let missed = numbered("missed", 20);
    for (number, title) in missed.iter().enumerate() {
        publish(&fleet.nodes[number % 2], title).await;
    }
    fleet.nodes[0].kill();
    fleet.nodes[2].start().await;
    fleet.nodes[0].start().await;
    let mut first: Option<Vec<(Value, Value)>> = None;
    for node in &fleet.nodes {
        let mut late = node.tab(&alice).await;
        let resumed = late.invoke("Resume", json!([cursor])).await.expect("an answer");
        assert_eq!((&resumed["replayed"], &resumed["complete"]), (&json!(missed.len()), &json!(true)));
        let told = toasts(&mut late, missed.len()).await;
        assert_eq!(titles(&told), missed);
        let told: Vec<(Value, Value)> =
            told.into_iter().map(|toast| (toast["id"].clone(), toast["title"].clone())).collect();
        assert_eq!(first.get_or_insert_with(|| told.clone()), &told, "ids are the same on every node");
        let mut by_address = Connect::new(HUB, alice.sign()).query("cursor", &cursor).connect(node.address()).await;
        assert_eq!(titles(&toasts(&mut by_address, missed.len()).await), missed);
    }
}

/// A stateful connection that reconnects to a node without it must not stay open and receive nothing.
pub(crate) async fn a_stateful_connection_is_never_deaf_on_another_node(kind: Kind) {
    let Some(fleet) = Fleet::start(kind, 2).await else { return };
    let connect = Connect::new(HUB, Token::user("alice", "acme").sign()).query("useStatefulReconnect", "true");
    let negotiated = connect.negotiate(fleet.nodes[0].address()).await.expect("an answer").expect(200).json();
    assert_eq!(negotiated["useStatefulReconnect"], true, "{negotiated}");
    let id = negotiated["connectionToken"].as_str().expect("a token");
    let mut here = connect.open(fleet.nodes[0].address(), Some(id)).await.expect("an answer").expect("let in");
    here.send("{\"protocol\":\"json\",\"version\":2}\u{1e}").await.expect("open");
    until("the answer to the handshake", async || here.next().await.ok().flatten()).await;
    drop(here);
    // What the official client sends after a drop: the same id, no negotiation, no handshake, its sequence first.
    let elsewhere = connect.open(fleet.nodes[1].address(), Some(id)).await.expect("an answer");
    let ended = match elsewhere {
        Err(refused) => format!("refused with {}", refused.status),
        Ok(mut socket) => {
            socket.send("{\"type\":9,\"sequenceId\":1}\u{1e}").await.expect("open");
            let mut told = Vec::new();
            let end = async {
                while let Ok(Some(frame)) = socket.next().await {
                    told.push(format!("{frame:?}"));
                }
            };
            fanfare_e2e_tests::wait::at_most("the end of a connection that nobody knows", end).await;
            format!("closed after {told:?}")
        }
    };
    eprintln!("on the other node it is {ended}");
    // The client then starts again, on any node.
    let mut tab = fleet.nodes[1].tab(&Token::user("alice", "acme")).await;
    publish(&fleet.nodes[0], "heard").await;
    assert_eq!(titles(&toasts(&mut tab, 1).await), ["heard"]);
}

/// Different clocks change nothing: positions and the broker's time count.
pub(crate) async fn clocks_may_differ(kind: Kind) {
    let place = format!("libfaketime/usr/lib/{}-linux-gnu/faketime/libfaketime.so.1", std::env::consts::ARCH);
    let Some(library) = tool(&place) else { return skip("clocks may differ", "libfaketime is not installed") };
    // Tokens from the future are within their leeway of 30 seconds. On Kafka no clock is behind: librdkafka waits by
    // the kernel's clock until a time of the clock that libfaketime changes. It waits too long by as much as this clock
    // is ahead, and not at all if it is behind.
    let skews = if kind == Kind::Kafka { ["+0s", "+8s", "+16s"] } else { ["+0s", "+25s", "-25s"] };
    let fleet = Fleet::prepare_with(kind, 3, |settings, node| skewed(settings, &library, skews[node])).await;
    let Some(mut fleet) = fleet else { return };
    fleet.start_nodes().await;
    let mut tabs = fleet.tabs().await;
    let sent = numbered("skewed", 12);
    let cursor = tabs[2].cursor().await;
    for (number, title) in sent.iter().enumerate() {
        publish(&fleet.nodes[number % 3], title).await;
    }
    for tab in &mut tabs {
        assert_eq!(titles(&toasts(tab, sent.len()).await), sent);
    }
    for node in &fleet.nodes {
        let mut late = node.tab(&Token::user("alice", "acme")).await;
        let resumed = late.invoke("Resume", json!([cursor])).await.expect("an answer");
        assert_eq!((&resumed["replayed"], &resumed["complete"]), (&json!(sent.len()), &json!(true)));
        assert_eq!(titles(&toasts(&mut late, sent.len()).await), sent);
    }
    let logout = json!({ "user": "alice", "org": "acme", "session": null, "reason": "signed out" });
    fleet.nodes[1].publish(&[NewEvent::new("auth.UserLoggedOut", "logout", &logout)]).await;
    for tab in &mut tabs {
        tab.expect("logout").await;
        let end = ending(tab).await;
        assert!(matches!(end, Message::Close(_, false)), "{end:?}");
    }
    for node in &fleet.nodes {
        let old = Token::user("alice", "acme").claim("iat", fanfare_e2e_tests::token::now() - 60).sign();
        assert_eq!(node.negotiate(old).await, 401, "every node refuses a token from before the logout");
    }
}

fn skewed(settings: fanfare_e2e_tests::Settings, library: &Path, skew: &str) -> fanfare_e2e_tests::Settings {
    settings
        .environment("LD_PRELOAD", &library.display().to_string())
        .environment("FAKETIME", skew)
        .environment("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .environment("DONT_FAKE_MONOTONIC", "1")
}

/// A metric and a log line of each node show nodes with other routes.
pub(crate) async fn other_routes_are_named(kind: Kind) {
    let fleet = Fleet::prepare_with(kind, 2, |mut settings, node| {
        if node == 1 {
            settings.routes = settings.routes.replace("License updated, refresh", "Refresh");
        }
        settings
    });
    let Some(mut fleet) = fleet.await else { return };
    fleet.start_nodes().await;
    let mut digests = Vec::new();
    for node in &fleet.nodes {
        let metrics =
            fanfare_e2e_tests::Request::get("/metrics").send(node.admin_address()).await.expect("metrics").text();
        let line = metrics.lines().find(|line| line.starts_with("fanfare_route") && line.contains("digest=\""));
        let line = line.unwrap_or_else(|| panic!("no metric names the digest of the routes:\n{metrics}"));
        let digest =
            line.split("digest=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a digest").to_owned();
        assert!(node.log().contains(&digest), "the log names it too");
        digests.push(digest);
    }
    assert_ne!(digests[0], digests[1]);
}
