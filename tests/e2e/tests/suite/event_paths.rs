//! What an operator learns of one event on all nodes, and of how far away a client is.

use std::time::{Duration, Instant};

use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::process::{self, Outcome};
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Request, Tab, Token};
use serde_json::{Value, json};

use crate::connections::three;

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

/// Asks a node as an operator who may only look.
async fn ask(node: &Node, path: &str) -> fanfare_e2e_tests::http::Response {
    let bearer = node.fanfare(&["token", "--operator", "--read-only"]).await;
    assert_eq!(bearer.code, Some(0), "{bearer:?}");
    Request::get(path).bearer(bearer.stdout.trim()).send(node.admin_address()).await.expect("an answer")
}

async fn event(node: &Node, id: &str) -> Value {
    ask(node, &format!("/events/{id}")).await.expect(200).json()
}

/// The event once it was sent to so many connections, on so many nodes.
async fn reported(node: &Node, id: &str, connections: u64, nodes: usize) -> Value {
    until("all nodes report it", async || {
        let paths = event(node, id).await;
        let one = &paths["events"][0];
        let read = one["nodes"].as_array().map_or(0, Vec::len);
        (one["sent"] == connections && read == nodes).then_some(paths)
    })
    .await
}

async fn command(node: &Node, arguments: &[&str]) -> Outcome {
    let mut command = process::command("fanfare");
    command.args(&arguments[..2]).arg("--config").arg(node.config()).args(&arguments[2..]);
    process::run(command).await
}

/// Waits for an answer while a tab reads what it is sent, and so answers pings.
async fn while_it_reads<T>(tab: &mut Tab, answer: impl Future<Output = T>) -> T {
    let reads = async {
        loop {
            tab.receive().await;
        }
    };
    tokio::select! {
        answer = answer => answer,
        () = reads => panic!("it reads for ever"),
    }
}

#[tokio::test]
async fn every_node_reports_whom_an_event_has_reached_on_all_and_which_routes_did_not_take_it() {
    let Some((_server, nodes)) = three("the path of an event over three nodes").await else { return };
    let alice = Token::user("alice", "acme");
    let mut tabs = [nodes[0].tab(&alice).await, nodes[0].tab(&alice).await, nodes[1].tab(&alice).await];
    let _elsewhere = nodes[2].tab(&Token::user("carol", "globex")).await;
    for tab in &mut tabs {
        // From here on it is sent what is live.
        tab.cursor().await;
    }
    let parent = format!("00-{TRACE}-00f067aa0ba902b7-01");
    nodes[0].publish(&[NewEvent::alert("acme", "one of 3/4 %").header("traceparent", &parent)]).await;
    for tab in &mut tabs {
        tab.expect("toast").await;
    }
    for node in &nodes {
        let paths = reported(node, "one-of-3%2F4-%25", 3, 3).await;
        assert!(paths.get("missing").is_none() && paths["nodes"].as_array().map(Vec::len) == Some(3), "{paths}");
        let found = &paths["events"][0];
        assert_eq!((&found["id"], &found["source"]), (&json!("one-of-3/4-%"), &json!("/tests")), "{paths}");
        assert_eq!(
            (&found["type"], &found["org"], &found["trace_id"]),
            (&json!("system.Alert"), &json!("acme"), &json!(TRACE))
        );
        let on = found["nodes"].as_array().expect("nodes");
        let mut each: Vec<u64> = on.iter().filter_map(|on| on["notifications"][0]["sent"].as_u64()).collect();
        each.sort_unstable();
        assert_eq!(each, [0, 1, 2], "{paths}");
        for on in on {
            assert_eq!(
                (&on["outcome"], on["notifications"].as_array().map(Vec::len)),
                (&json!("new"), Some(1)),
                "{paths}"
            );
            let one = &on["notifications"][0];
            assert_eq!((&one["route"], &one["target"]), (&json!("alert-to-org"), &json!("toast")), "{paths}");
            assert_eq!((&one["hub"], &one["groups"]), (&json!(HUB), &json!(["org:acme"])), "{paths}");
            assert!(one.get("waiting").is_none() && one.get("throttled").is_none(), "{paths}");
            assert_eq!(
                on["not_taken"],
                json!([
                    { "route": "alert-to-user", "reason": "its condition on `user` does not hold" },
                    { "route": "alert-to-admins", "reason": "its condition on `org` does not hold" },
                ]),
                "{paths}"
            );
        }
        // The slowest is one of those that it was sent to, at the node that says so.
        let slowest = &found["slowest"];
        let page = ask(node, "/connections?user=alice").await.expect(200).json();
        let is_it = |one: &Value| one["id"] == slowest["connection"] && one["node"] == slowest["node"];
        assert!(page["connections"].as_array().expect("connections").iter().any(is_it), "{slowest} of {page}");
        assert!(slowest["ms"].as_u64().is_some_and(|ms| ms < 10_000), "{slowest}");
        // The record's place finds it as well.
        let place = found["place"].as_str().expect("a place");
        assert_eq!(event(node, place).await["events"][0]["id"], "one-of-3/4-%");
    }
    // A node that is gone is named as missing.
    let [one, two, mut three] = <[Node; 3]>::try_from(nodes).expect("three");
    three.kill();
    let paths = reported(&one, "one-of-3%2F4-%25", 3, 2).await;
    assert_eq!(paths["missing"].as_array().map(Vec::len), Some(1), "{paths}");
    drop(two);
}

#[tokio::test]
async fn what_no_route_takes_says_so_and_what_nobody_remembers_says_how_far_they_do() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let paths = event(&node, "none").await;
    assert_eq!((&paths["events"], &paths["nodes"][0]["events"]), (&json!([]), &json!(0)), "{paths}");
    let stale = |number: u32| {
        let body = json!({ "org": "acme", "flag": "f", "enabled": number == 1, "revision": number });
        NewEvent::new("license.FlagToggled", &format!("flag-{number}"), &body)
    };
    node.publish(&[stale(2), stale(1), NewEvent::alert("globex", "to nobody here")]).await;
    tab.expect("featureFlag").await;
    let known = reported(&node, "to-nobody-here", 0, 1).await;
    assert_eq!(known["events"][0]["nodes"][0]["notifications"][0]["groups"], json!(["org:globex"]), "{known}");
    assert!(known["events"][0].get("slowest").is_none(), "{known}");
    let older = event(&node, "flag-1").await;
    let on = &older["events"][0]["nodes"][0];
    assert_eq!((&on["outcome"], &on["notifications"]), (&json!("stale"), &json!([])), "{older}");
    assert!(older["nodes"][0]["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{older}");

    let shown = command(&node, &["events", "show", "to-nobody-here"]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for words in
        ["system.Alert", "sent to  0 connections", "route alert-to-org: toast", "not alert-to-user: its condition"]
    {
        assert!(shown.stdout.contains(words), "{words}: {}", shown.stdout);
    }
    let json = command(&node, &["events", "show", "flag-1", "--json"]).await;
    let parsed: Value = serde_json::from_str(&json.stdout).expect("JSON");
    assert_eq!(parsed["events"], older["events"]);
    let none = command(&node, &["events", "show", "none"]).await;
    assert!(none.code == Some(1) && none.stderr.contains("no node remembers the event none"), "{none:?}");
    ask(&node, "/events/x?source=y").await.expect(400);
    for path in ["/events/x", "/node/events/x", "/connections/round-trips?ids=x", "/node/round-trips?ids=x"] {
        Request::get(path).send(node.admin_address()).await.expect("an answer").expect(401);
    }
}

#[tokio::test]
async fn a_clients_program_and_round_trip_are_listed_and_nobody_waits_for_one_that_does_not_answer() {
    let Some((_server, nodes)) = three("round trips over three nodes").await else { return };
    let agent = "Microsoft SignalR/10.0 (10.0.11; Unknown OS; Browser; Unknown Runtime Version)";
    let named = Connect::new(HUB, Token::user("alice", "acme").sign()).header("x-signalr-user-agent", agent);
    let mut answers = named.connect(nodes[1].address()).await;
    let _silent = nodes[2].tab(&Token::user("bob", "acme")).await;
    let page = ask(&nodes[0], "/connections").await.expect(200).json();
    let of = |user: &str| {
        let all = page["connections"].as_array().expect("connections");
        all.iter().find(|one| one["user"] == user).expect("it is listed").clone()
    };
    let (alice, bob) = (of("alice"), of("bob"));
    assert_eq!(alice["client"], "SignalR 10.0.11 Browser", "{page}");
    let ids = format!("{},{}", alice["id"].as_str().expect("an id"), bob["id"].as_str().expect("an id"));
    let path = format!("/connections/round-trips?ids={ids}");
    let begin = Instant::now();
    let measured = while_it_reads(&mut answers, ask(&nodes[0], &path)).await.expect(200).json();
    let took = &measured["round_trips"][alice["id"].as_str().expect("an id")];
    assert!(took.as_f64().is_some_and(|ms| (0.0..2000.0).contains(&ms)), "{measured}");
    assert_eq!(measured["round_trips"].as_object().map(serde_json::Map::len), Some(1), "{measured}");
    assert!(measured.get("missing").is_none(), "{measured}");
    assert!(begin.elapsed() < Duration::from_secs(8), "{:?}", begin.elapsed());

    let listed = command(&nodes[0], &["connections", "list", "--round-trips", "--user", "alice"]);
    let listed = while_it_reads(&mut answers, listed).await;
    assert!(
        listed.code == Some(0) && listed.stdout.contains("ROUND TRIP") && listed.stdout.contains(" ms"),
        "{listed:?}"
    );
    for wrong in ["", "?ids=", "?ids=x", "?id=x"] {
        ask(&nodes[0], &format!("/connections/round-trips{wrong}")).await.expect(400);
    }
}
