//! What operators see of all nodes, and what their bearers allow.

use std::time::Duration;

use fanfare_e2e_tests::client::{Connect, Message};
use fanfare_e2e_tests::http::Response;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Request, Token};
use serde_json::{Value, json};

use crate::connections::three;

async fn bearer(node: &Node, arguments: &[&str]) -> String {
    let printed = node.fanfare(&[&["token", "--operator"], arguments].concat()).await;
    assert_eq!(printed.code, Some(0), "{printed:?}");
    printed.stdout.trim().to_owned()
}

async fn ask(node: &Node, bearer: &str, request: Request) -> Response {
    request.bearer(bearer).send(node.admin_address()).await.expect("an answer")
}

async fn states(node: &Node, bearer: &str) -> Value {
    ask(node, bearer, Request::get("/nodes")).await.expect(200).json()
}

fn all<'a>(states: &'a Value, list: &str) -> &'a [Value] {
    states[list].as_array().map_or(&[], Vec::as_slice)
}

#[tokio::test]
async fn every_node_lists_all_nodes_and_those_that_do_not_answer() {
    let Some((_server, mut nodes)) = three("states of three nodes").await else { return };
    let bearer = bearer(&nodes[0], &["--read-only", "--minutes", "10"]).await;
    let mut tab = nodes[1].tab(&Token::user("alice", "acme")).await;
    let mut other = Connect::new(HUB, Token::user("bob", "acme").sign()).connect(nodes[2].address()).await;
    nodes[0].publish(&[NewEvent::alert("acme", "hello")]).await;
    assert_eq!(tab.expect("toast").await["title"], "hello");
    other.expect("toast").await;

    for node in &nodes {
        let states = states(node, &bearer).await;
        assert!(states.get("missing").is_none() && states.get("gone").is_none(), "{states}");
        let known = all(&states, "nodes");
        assert_eq!(known.len(), 3, "{states}");
        assert!(known.iter().any(|state| state["node"] == states["asked"]), "{states}");
        for state in known {
            assert_eq!((&state["ready"], &state["draining"]), (&json!(true), &json!(false)), "{state}");
            assert_eq!((&state["routes"], &state["log"]["broker"]), (&known[0]["routes"], &json!("nats")), "{state}");
            assert!(state["memory_bytes"].as_u64() > Some(1 << 20) && state["capacity"].as_u64() > Some(0), "{state}");
            assert_eq!(state["log"]["connected"], true, "{state}");
        }
        let sum = |name: &str| known.iter().map(|state| state["counters"][name].as_u64().unwrap_or(0)).sum::<u64>();
        assert_eq!(sum("deliveries"), 2, "{states}");
        let open: u64 = known.iter().map(|state| state["connections"].as_u64().unwrap_or(0)).sum();
        assert_eq!(open, 2, "{states}");
        let web_sockets = known.iter().filter_map(|state| state["transports"]["WebSockets"].as_u64()).sum::<u64>();
        assert_eq!(web_sockets, 2, "{states}");
    }
    // Each node reads published events by itself.
    let read = async || {
        let states = states(&nodes[0], &bearer).await;
        let logs = all(&states, "nodes").iter().map(|state| &state["log"]);
        logs.clone().all(|log| log["head"] == log["position"] && log["head"].as_u64() > Some(0)).then_some(())
    };
    until("the head is read", read).await;

    // A paused node has a lease, and does not answer.
    let silent = states(&nodes[2], &bearer).await["asked"].clone();
    nodes[2].signal("STOP");
    let told = states(&nodes[0], &bearer).await;
    let missing = &all(&told, "missing")[0];
    assert_eq!((&missing["node"], &missing["reason"]), (&silent, &json!("no answer in time")), "{told}");
    assert!(missing["lease_seconds"].as_u64() <= Some(10), "{told}");
    assert_eq!(all(&told, "nodes").len(), 2, "{told}");
    // A dead node refuses connections, and is gone once its lease has expired.
    nodes[2].kill();
    let told = states(&nodes[1], &bearer).await;
    let missing = &all(&told, "missing")[0];
    assert!(missing["reason"].as_str().is_some_and(|reason| reason.contains("refused")), "{told}");
    let gone = until("its lease has run out", async || {
        let told = states(&nodes[0], &bearer).await;
        (!all(&told, "gone").is_empty()).then_some(told)
    })
    .await;
    assert_eq!((&gone["gone"][0]["node"], gone.get("missing")), (&silent, None), "{gone}");
    assert_eq!(gone["gone"][0]["died"], true, "{gone}");
    assert!(gone["gone"][0]["lease_seconds"].as_u64() >= Some(6), "{gone}");
    // A stopped node is gone at once.
    nodes[1].stop().await;
    let told = until("it has left", async || {
        let told = states(&nodes[0], &bearer).await;
        (all(&told, "gone").len() == 2).then_some(told)
    });
    let told = tokio::time::timeout(Duration::from_secs(5), told).await.expect("at once");
    assert_eq!((all(&told, "nodes").len(), &told["gone"][1]["died"]), (1, &json!(false)), "{told}");
}

#[tokio::test]
async fn a_read_only_bearer_changes_nothing() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let (reader, writer) = (bearer(&node, &["--read-only"]).await, bearer(&node, &["--minutes", "2"]).await);
    let document = Request::get("/openapi.json").send(node.admin_address()).await.expect("an answer").json();
    let (mut looks, mut changes) = (0, 0);
    for (path, methods) in document["paths"].as_object().expect("paths") {
        for method in methods.as_object().expect("methods").keys() {
            let path = path.replace("{user}", "alice").replace("{session}", "s").replace("{id}", "0-1");
            let path = if path.ends_with("round-trips") { format!("{path}?ids={}", "A".repeat(22)) } else { path };
            match method.as_str() {
                "get" => {
                    looks += 1;
                    let status = ask(&node, &reader, Request::get(&path)).await.status;
                    assert!([200, 404].contains(&status), "{path}: {status}");
                }
                other => {
                    changes += 1;
                    let method = if other == "delete" { "DELETE" } else { "POST" };
                    let request = Request::new(method, &path).json(&json!({ "ids": ["0-1"] }));
                    let refused = ask(&node, &reader, request).await.expect(403).json();
                    let error = refused["error"].as_str().expect("a text");
                    assert!(error.contains("without --read-only"), "{error}");
                }
            }
        }
    }
    assert!(looks >= 11 && changes == 4, "{looks} {changes}");
    node.publish(&[NewEvent::alert("acme", "still here")]).await;
    assert_eq!(tab.expect("toast").await["title"], "still here");

    for (bearer, rights) in [(&reader, "read"), (&writer, "change")] {
        let who = ask(&node, bearer, Request::get("/whoami")).await.expect(200).json();
        assert_eq!(who["rights"], rights, "{who}");
        assert!(who["until"].as_str().is_some_and(|until| until.ends_with('Z')), "{who}");
    }
    ask(&node, &writer, Request::new("DELETE", "/users/alice/connections")).await.expect(202);
    assert!(matches!(tab.next().await, Message::Close(..)));
    for wrong in [&["--minutes", "0"][..], &["--minutes", "721"]] {
        let refused = node.fanfare(&[&["token", "--operator"], wrong].concat()).await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
    }
}

#[tokio::test]
async fn the_time_since_which_a_users_tokens_are_refused_is_returned() {
    let node = Node::start_default().await;
    let bearer = bearer(&node, &["--read-only"]).await;
    let known = async |user: &str| ask(&node, &bearer, Request::get(format!("/users/{user}"))).await.expect(200).json();
    assert_eq!(known("alice").await, json!({ "user": "alice", "logouts": [] }));
    let out = |id: &str, session: Option<&str>| {
        NewEvent::new("auth.UserLoggedOut", id, &json!({ "user": "alice", "org": "acme", "session": session }))
    };
    node.publish(&[out("1", Some("s-1")), out("2", None)]).await;
    let told = until("both are read", async || {
        let told = known("alice").await;
        (all(&told, "logouts").len() == 2).then_some(told)
    })
    .await;
    let sessions: Vec<&Value> = all(&told, "logouts").iter().map(|logout| &logout["session"]).collect();
    assert!(sessions.contains(&&json!("s-1")) && sessions.contains(&&Value::Null), "{told}");
    assert!(all(&told, "logouts").iter().all(|logout| logout["at"].as_str().is_some_and(|at| at.ends_with('Z'))));
    assert_eq!(known("bob").await["logouts"], json!([]), "another user");
    ask(&node, &bearer, Request::get("/users/a%0Ab")).await.expect(400);
    ask(&node, &bearer, Request::get("/users/alice?realm=x")).await.expect(400);
}

#[tokio::test]
async fn routes_and_one_connection_are_found() {
    let node = Node::start_default().await;
    let _tabs = [node.tab(&Token::user("alice", "acme")).await, node.tab(&Token::user("bob", "acme")).await];
    let bearer = bearer(&node, &["--read-only"]).await;
    let whole = ask(&node, &bearer, Request::get("/routes?limit=200")).await.expect(200).json();
    let count = all(&whole, "routes").len();
    assert_eq!((json!(count), whole.get("continue")), (whole["count"].clone(), None), "{whole}");
    let (mut lines, mut next) = (Vec::new(), String::new());
    loop {
        let page = ask(&node, &bearer, Request::get(format!("/routes?limit=3{next}"))).await.expect(200).json();
        lines.extend(all(&page, "routes").to_vec());
        let Some(more) = page["continue"].as_str() else { break };
        next = format!("&continue={more}");
    }
    assert_eq!(json!(lines), whole["routes"]);
    assert!(lines.iter().any(|line| line.as_str().is_some_and(|line| line.contains("org:{"))), "{lines:?}");
    for (query, said) in [("limit=0", "1 to 200"), ("continue=x", "`continue`"), ("limt=3", "did you mean `limit`?")] {
        let error = ask(&node, &bearer, Request::get(format!("/routes?{query}"))).await.expect(400).json();
        assert!(error["error"].as_str().is_some_and(|error| error.contains(said)), "{error}");
    }

    let all_of_them = ask(&node, &bearer, Request::get("/connections")).await.expect(200).json();
    for one in all(&all_of_them, "connections") {
        let id = one["id"].as_str().expect("an id");
        let found = ask(&node, &bearer, Request::get(format!("/connections?id={id}"))).await.expect(200).json();
        let mut found = found["connections"].clone();
        // Of one connection alone its timeline is given as well.
        let timeline = found[0].as_object_mut().and_then(|one| one.remove("timeline")).expect("a timeline");
        assert_eq!(found, json!([one]));
        assert_eq!((&timeline[0]["what"], &timeline[1]["what"]), (&json!("opened"), &json!("admitted")), "{timeline}");
        assert_eq!(timeline[0]["at"], one["since"], "{timeline}");
    }
    let wrong = ask(&node, &bearer, Request::get("/connections?id=alice")).await.expect(400).json();
    assert!(wrong["error"].as_str().is_some_and(|error| error.contains("`id`")), "{wrong}");
}
