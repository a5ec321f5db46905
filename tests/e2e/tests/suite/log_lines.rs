//! Log lines about a connection: each names its user and the client's correlation id, and none is a flood.

use fanfare_e2e_tests::client::{Connect, Message};
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Settings, Token};
use serde_json::{Value, json};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn hub() -> Settings {
    let hubs = format!(
        "[hub.\"{HUB}\"]\n\
         [hub.\"{HUB}\".method.JoinTeam]\narguments = [\"team\"]\nallow = {{ roles = [\"member\"] }}\njoin = \"team:{{team}}\"\n\
         [hub.\"{HUB}\".method.LeaveTeam]\narguments = [\"team\"]\nleave = \"team:{{team}}\"\n\
         [hub.\"{HUB}\".method.Shout]\narguments = [\"title\"]\nallow = {{ roles = [\"member\"] }}\n\
         publish = {{ event = \"system.Alert\", fields = {{ org = \"{{org}}\", title = \"{{title}}\", message = \"m\" }} }}\n"
    );
    Settings { hubs, ..Settings::default() }
}

/// The only line with this message, once it exists.
async fn line(node: &Node, message: &str) -> Value {
    let lines = until(message, async || Some(node.lines(message)).filter(|lines| !lines.is_empty())).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    lines[0].clone()
}

#[tokio::test]
async fn each_line_names_its_connection_and_the_clients_own_id() {
    let node = Node::start_with(hub().environment("FANFARE_LOG", "info,fanfare_fanout::shard=debug")).await;
    let token = Token::user("alice", "acme").roles(&["member"]);
    // As browsers do: the headers are those of the negotiation, because a WebSocket cannot have any.
    let connect = Connect::new(HUB, token.sign()).header("x-correlation-id", "req-7").header("traceparent", PARENT);
    let mut tab = connect.connect(node.address()).await;
    tab.invoke("JoinTeam", json!(["red"])).await.expect("joined");
    tab.invoke("LeaveTeam", json!(["red"])).await.expect("left");
    tab.invoke("NoSuchMethod", json!([])).await.expect_err("unknown");
    tab.invoke("Shout", json!(["the secret plan"])).await.expect("published");
    assert_eq!(tab.expect("toast").await["title"], "the secret plan");
    // A call may be part of another trace than its connection.
    let other = PARENT.replace("4bf9", "aaaa");
    let call = json!({ "type": 1, "invocationId": "x", "target": "Shout", "arguments": ["again"],
                       "headers": { "traceparent": other } });
    tab.send(&call).await;
    let heard = loop {
        match tab.next().await {
            Message::Notification(_, argument) => break argument,
            other => assert!(matches!(other, Message::Completion(..)), "{other:?}"),
        }
    };
    assert_eq!(heard["title"], "again");
    let mut stranger = node.tab(&Token::user("bob", "acme")).await;
    stranger.invoke("JoinTeam", json!(["red"])).await.expect_err("no member");
    let id = line(&node, "joined").await["connection"].as_str().expect("an id").to_owned();
    drop(tab);

    let closed =
        until("the end", async || node.lines("closed").into_iter().find(|line| line["connection"] == id.as_str()))
            .await;
    let connected = node.lines("connected").into_iter().find(|line| line["connection"] == id.as_str()).expect("a line");
    let (joined, left) = (line(&node, "joined").await, line(&node, "left").await);
    let refused = line(&node, "call refused").await;
    let published = until("two lines", async || Some(node.lines("published")).filter(|lines| lines.len() == 2)).await;
    for line in [&connected, &joined, &left, &refused, &published[0], &closed] {
        for (field, value) in
            [("connection", &*id), ("user", "alice"), ("org", "acme"), ("hub", HUB), ("correlation_id", "req-7")]
        {
            assert_eq!(line[field], value, "{line}");
        }
        assert_eq!(line["trace_id"], TRACE, "{line}");
        assert_eq!(line["level"], "INFO", "{line}");
    }
    assert_eq!(published[1]["trace_id"], TRACE.replace("4bf9", "aaaa"));
    assert_eq!((&joined["group"], &joined["method"]), (&json!("team:red"), &json!("JoinTeam")));
    assert_eq!(left["group"], "team:red");
    assert_eq!((&refused["reason"], &refused["method"]), (&json!("unknown_method"), &Value::Null));
    assert!(published[0]["event_id"].is_string(), "{}", published[0]);
    assert_eq!((&closed["reason"], &closed["transport"]), (&json!("client_gone"), &json!("WebSockets")));
    assert!(closed["duration_ms"].is_u64(), "{closed}");
    let denied = line(&node, "join refused").await;
    assert_eq!((&denied["user"], &denied["reason"]), (&json!("bob"), &json!("unauthorized")));
    let pushed = node.lines("pushed").into_iter().find(|line| line["connection"] == id.as_str()).expect("a line");
    assert_eq!((&pushed["level"], &pushed["group"]), (&json!("DEBUG"), &json!("org:acme")), "{pushed}");
    assert_eq!(pushed["trace_id"], TRACE, "the event that a call publishes is part of its trace");
    let log = node.log();
    assert!(!log.contains("secret plan") && !log.contains(&token.sign()), "no payload, no token");

    // The connection's duration, and who reconnected.
    assert!(node.metric("fanfare_connection_seconds_count", "").await >= 1.0);
    let cursor = stranger.cursor().await;
    let mut back = node.tab(&Token::user("bob", "acme")).await;
    back.invoke("Resume", json!([cursor])).await.expect("resumed");
    let returned = node.metric("fanfare_reconnects_total", "cursor").await;
    assert!((returned - 1.0).abs() < f64::EPSILON, "{returned}");
}

#[tokio::test]
async fn a_client_that_calls_without_end_fills_no_log() {
    let node = Node::start_with(hub()).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    for _ in 0..200 {
        tab.invoke("NoSuchMethod", json!([])).await.expect_err("unknown");
    }
    let id = node.lines("connected")[0]["connection"].clone();
    drop(tab);
    let closed =
        until("the end", async || node.lines("closed").into_iter().find(|line| line["connection"] == id)).await;
    let written = node.lines("call refused").len();
    assert!((20..60).contains(&written), "{written}");
    assert_eq!(closed["lines_left_out"], 200 - written, "{closed}");
    node.publish(&[NewEvent::alert("acme", "on")]).await;
}
