//! The operator's connections: listed over all nodes, closed through the log, and queried with bad input.

use std::time::Duration;

use fanfare_e2e_tests::client::{Connect, Message};
use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::process::{self, Outcome};
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Request, Settings, Tab, Token};
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{StartError, skip};
use serde_json::{Value, json};

const CLOSED: &str = "An operator has closed this connection.";

/// Queries a node as its operator.
async fn ask(node: &Node, request: Request) -> fanfare_e2e_tests::http::Response {
    let bearer = node.fanfare(&["token", "--operator"]).await;
    assert_eq!(bearer.code, Some(0), "{bearer:?}");
    request.bearer(bearer.stdout.trim()).send(node.admin_address()).await.expect("an answer")
}

async fn list(node: &Node, query: &str) -> Value {
    ask(node, Request::get(format!("/connections?{query}"))).await.expect(200).json()
}

/// The sorted values of one field of the connections on a page.
fn each(page: &Value, field: &str) -> Vec<String> {
    let connections = page["connections"].as_array().expect("connections");
    let mut values: Vec<_> = connections.iter().map(|one| one[field].as_str().unwrap_or("-").to_owned()).collect();
    values.sort();
    values
}

async fn connections(node: &Node, arguments: &[&str]) -> Outcome {
    let (first, rest) = arguments.split_first().expect("a subcommand");
    let mut command = process::command("fanfare");
    command.args(["connections", first, "--config"]).arg(node.config()).args(rest);
    process::run(command).await
}

async fn expect_closed(tab: &mut Tab) {
    assert_eq!(tab.next().await, Message::Close(Some(CLOSED.to_owned()), false));
    assert_eq!(tab.next().await, Message::SocketClosed(Some(1000)));
}

/// A tab receives new events, which the number identifies.
async fn expect_alive(node: &Node, tab: &mut Tab, number: u32) {
    let title = format!("still here {number}");
    node.publish(&[NewEvent::alert("acme", &title)]).await;
    assert_eq!(tab.expect("toast").await["title"], title);
}

/// Three nodes on one NATS server.
pub(crate) async fn three(test: &str) -> Option<(NatsServer, Vec<Node>)> {
    let server = match NatsServer::start(Version::Current).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => {
            skip(test, &why);
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let mut nodes = Vec::new();
    for _ in 0..3 {
        let broker = format!("url = \"nats://{}\"", server.address());
        nodes.push(Node::prepare(Settings::default().broker(&broker).secret(SECRET)));
    }
    nodes.iter_mut().for_each(Node::launch);
    for node in &mut nodes {
        node.ready().await;
    }
    // Nodes know another once they have read its lease.
    for node in &nodes {
        until("nodes that know each other", async || (node.lines("a node has joined").len() >= 2).then_some(())).await;
    }
    Some((server, nodes))
}

/// Requests pages from each node in turn: all connections, each once.
async fn every_page_is_of_all(nodes: &[Node]) {
    let (mut ids, mut next) = (Vec::new(), String::new());
    loop {
        let page = list(&nodes[ids.len() % 3], &format!("limit=2{next}")).await;
        let connections = page["connections"].as_array().expect("connections");
        assert!(connections.len() <= 2);
        ids.extend(connections.iter().map(|one| one["id"].as_str().expect("an id").to_owned()));
        let Some(more) = page["continue"].as_str() else { break };
        next = format!("&continue={more}");
    }
    assert_eq!(ids.len(), 5);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5, "each once");
}

#[tokio::test]
async fn every_node_lists_the_connections_of_all_and_closes_them_through_the_log() {
    let Some((_server, mut nodes)) = three("connections of three nodes").await else { return };
    let (alice, bob, carol) =
        (Token::user("alice", "acme"), Token::user("bob", "acme"), Token::user("carol", "globex"));
    let mut tabs = Vec::new();
    for node in &nodes {
        tabs.push(node.tab(&alice.clone().session("s1")).await);
    }
    let mut bobs = nodes[1].tab(&bob.clone().session("s1")).await;
    let mut carols = nodes[2].tab(&carol.roles(&["admin"])).await;

    for node in &nodes {
        let page = list(node, "").await;
        assert_eq!(each(&page, "user"), ["alice", "alice", "alice", "bob", "carol"], "{page}");
        assert!(page.get("missing").is_none() && page.get("continue").is_none(), "{page}");
        let mut by_node = each(&page, "node");
        by_node.dedup();
        assert_eq!(by_node.len(), 3, "{page}");
    }
    let page = list(&nodes[0], "user=carol").await;
    let carols_own = &page["connections"][0];
    assert_eq!((&carols_own["hub"], &carols_own["transport"]), (&json!(HUB), &json!("WebSockets")));
    assert_eq!((&carols_own["org"], &carols_own["session"]), (&json!("globex"), &json!("session-of-carol")));
    let groups = carols_own["groups"].as_array().expect("groups");
    assert!(groups.contains(&json!("org:globex")) && groups.contains(&json!("user:carol")), "{groups:?}");
    assert!(carols_own["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{carols_own}");

    for (query, users) in [
        ("org=acme", vec!["alice", "alice", "alice", "bob"]),
        ("org=globex", vec!["carol"]),
        ("group=org%3Aglobex%2Frole%3Aadmin", vec!["carol"]),
        ("group=user%3Aalice&org=acme", vec!["alice", "alice", "alice"]),
        ("group=user%3Aalic", vec![]),
        ("session=s1&user=bob", vec!["bob"]),
        ("hub=/HUBS/notifications/&user=bob", vec!["bob"]),
        ("hub=/hubs/other", vec![]),
        ("user=nobody%0A", vec![]),
    ] {
        assert_eq!(each(&list(&nodes[0], query).await, "user"), users, "{query}");
    }

    every_page_is_of_all(&nodes).await;

    // All tabs of a user, on every node, and of no other user.
    let closing = ask(&nodes[2], Request::new("DELETE", "/users/alice/connections")).await.expect(202).json();
    assert!(closing["id"].is_string(), "{closing}");
    for tab in &mut tabs {
        expect_closed(tab).await;
    }
    expect_alive(&nodes[0], &mut bobs, 1).await;
    let counted = async || nodes[0].metric("fanfare_closes_total", "closed_by_operator").await >= 1.0;
    until("the end is counted", async || counted().await.then_some(())).await;
    // They may reconnect: this is not a logout.
    let mut back = nodes[0].tab(&alice.session("s1")).await;

    // One connection, closed through a node that does not have it.
    let id = list(&nodes[0], "user=bob").await["connections"][0]["id"].as_str().expect("an id").to_owned();
    ask(&nodes[0], Request::new("DELETE", format!("/connections/{id}"))).await.expect(202);
    expect_closed(&mut bobs).await;

    // A killed node is listed as missing, and removed once its lease has expired.
    nodes[2].kill();
    let page = list(&nodes[0], "").await;
    let gone = page["missing"].as_array().expect("a node is missing").clone();
    assert_eq!((gone.len(), each(&page, "user")), (1, vec!["alice".to_owned()]), "{page}");
    until("its lease has run out", async || list(&nodes[0], "").await.get("missing").is_none().then_some(())).await;
    expect_alive(&nodes[0], &mut back, 2).await;
    assert!(!matches!(carols.next().await, Message::Close(..)), "nobody was there to say goodbye");
    // A stopping node removes its lease itself.
    nodes[1].stop().await;
    let told = until("it is gone", async || (nodes[0].lines("a node is gone").len() == 2).then_some(()));
    tokio::time::timeout(Duration::from_secs(5), told).await.expect("at once");
}

#[tokio::test]
async fn the_commands_list_and_close_connections() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme").session("s-1")).await;
    let mut other = node.tab(&Token::user("bob", "acme")).await;
    let listed = connections(&node, &["list", "--json", "--session", "s-1"]).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let line: Value = serde_json::from_str(listed.stdout.trim()).expect("one line of JSON");
    assert_eq!((&line["user"], &line["session"]), (&json!("alice"), &json!("s-1")));
    let table = connections(&node, &["list", "--limit", "1"]).await;
    assert!(table.stdout.contains("USER") && table.stderr.contains("--limit shows more"), "{table:?}");
    let none = connections(&node, &["list", "--group", "org:globex"]).await;
    assert!(none.stdout.contains("no connections"), "{none:?}");

    let closed = connections(&node, &["close", "--session", "s-1", "--user", "bob"]).await;
    assert_eq!(closed.code, Some(0), "bob has no such session: {closed:?}");
    expect_alive(&node, &mut tab, 3).await;
    other.expect("toast").await;
    let id = line["id"].as_str().expect("an id");
    let closed = connections(&node, &["close", id]).await;
    assert!(closed.code == Some(0) && !closed.stdout.trim().is_empty(), "{closed:?}");
    expect_closed(&mut tab).await;
    let closed = connections(&node, &["close", "--user", "bob"]).await;
    assert_eq!(closed.code, Some(0), "{closed:?}");
    expect_closed(&mut other).await;
    let wrong = connections(&node, &["close", "no-such-id"]).await;
    assert!(wrong.code == Some(1) && wrong.stderr.contains("no-such-id"), "{wrong:?}");
    let nobody = connections(&node, &["close"]).await;
    assert_eq!(nobody.code, Some(2), "{nobody:?}");
}

#[tokio::test]
async fn bad_queries_are_refused_and_only_operators_are_answered() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    for (query, said) in [
        ("limit=0", "1 to 200"),
        ("limit=201", "1 to 200"),
        ("limit=many", "1 to 200"),
        ("continue=%2e%2e%2f", "`continue`"),
        ("continue=AAAAAAAAAAAAAAAAAAAAAAAA", "`continue`"),
        ("usr=alice", "did you mean `user`?"),
        ("user=a&user=b", "more than once"),
        ("org=%ff", "not UTF-8"),
        ("group=", "`group`"),
    ] {
        let answer = ask(&node, Request::get(format!("/connections?{query}"))).await.expect(400);
        let error = answer.json()["error"].as_str().expect("a text").to_owned();
        assert!(error.contains(said), "{query}: {error}");
    }
    let page = list(&node, "continue=_____________________w").await;
    assert_eq!(page, json!({ "connections": [] }), "behind the last id there is nothing");
    for path in ["/connections/x", "/connections/%00", "/users/a%0Ab/connections", "/users/a/connections?relm=b"] {
        ask(&node, Request::new("DELETE", path)).await.expect(400);
    }
    // No node can know whether an id exists anywhere: the event is published, and closes nothing.
    for path in ["/connections/AAAAAAAAAAAAAAAAAAAAAA", "/users/nobody/connections", "/sessions/none/connections"] {
        ask(&node, Request::new("DELETE", path)).await.expect(202);
    }
    expect_alive(&node, &mut tab, 4).await;

    // Only operators, and only at the operator's port.
    for path in ["/connections", "/node/connections"] {
        Request::get(path).send(node.admin_address()).await.expect("an answer").expect(401);
        let user = Request::get(path).bearer(Token::user("alice", "acme").sign());
        user.send(node.admin_address()).await.expect("an answer").expect(401);
    }
    ask(&node, Request::get("/node/connections")).await.expect(401);
    Request::new("DELETE", "/users/alice/connections").send(node.admin_address()).await.expect("an answer").expect(401);
    let document =
        Request::get("/openapi.json").send(node.admin_address()).await.expect("an answer").expect(200).json();
    assert!(document["paths"]["/users/{user}/connections"]["delete"].is_object(), "{document}");

    // Its event belongs to the nodes: no producer may publish it, whatever its token allows.
    let forged = NewEvent::new("system.ConnectionsClosed", "forged", &json!({ "user": "alice" }));
    let refused = node.post(Token::producer().sign(), &forged).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    expect_alive(&node, &mut tab, 5).await;
}

#[tokio::test]
async fn many_connections_come_page_by_page_on_every_transport() {
    let node = Node::start_default().await;
    let mut tabs = Vec::new();
    for n in 0..30 {
        tabs.push(Connect::new(HUB, Token::user(&format!("u{n}"), "acme").sign()).connect(node.address()).await);
    }
    let (mut users, mut next) = (Vec::new(), String::new());
    loop {
        let page = list(&node, &format!("limit=7&org=acme{next}")).await;
        users.extend(each(&page, "user"));
        let Some(more) = page["continue"].as_str() else { break };
        next = format!("&continue={more}");
    }
    users.sort();
    users.dedup();
    assert_eq!(users.len(), 30);
}
