//! The HTTP side of a node and clients that hold connections, or send ambiguous requests.

use std::time::{Duration, Instant};

use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::process;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, Node, Raw, Request, Settings, Token};

fn negotiate() -> Request {
    Request::post(format!("{HUB}/negotiate?negotiateVersion=1")).bearer(Token::user("alice", "acme").sign())
}

#[tokio::test]
async fn a_client_that_holds_all_connections_locks_out_neither_operators_nor_users() {
    const FILES: u32 = 400;
    let mut node = Node::prepare(Settings::default());
    node.launch_with_files(100, FILES);
    node.ready().await;
    assert_eq!(node.lines("limit of open files raised").len(), 1, "{}", node.log());
    let room = node.lines("the limit of open files allows few connections; raise it (nofile)");
    assert_eq!((&room[0]["files"], &room[0]["connections"], &room[0]["http"]), (&400.into(), &118.into(), &64.into()));

    let mut held = Vec::new();
    for number in 0..FILES * 2 {
        let text = if number % 2 == 0 { "" } else { "POST /hubs/notifications HTTP/1.1\r\nhost: no" };
        held.push(Raw::connect(node.address(), text).await.expect("connects"));
        if number % 100 == 0 {
            let begun = Instant::now();
            assert_eq!(node.readiness().await.expect("an answer").status, 200);
            assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
            negotiate().send(node.address()).await.expect("an answer").expect(200);
            let mut tab = node.tab(&Token::user(&format!("user-{number}"), "acme")).await;
            tab.invoke("Cursor", serde_json::json!([])).await.expect("an answer");
        }
    }
    assert!(node.metric("fanfare_http_refused_total", "http_gave_way").await > 0.0);
    assert!(node.metric("fanfare_tcp_connections", "").await <= 182.0);
}

#[tokio::test]
async fn more_connections_than_there_can_be_files_stop_the_start() {
    let node = Node::prepare(Settings::default().node("max_connections = 20000"));
    let outcome = process::run(node.serve_with_files(300, 1000)).await;
    assert_eq!(outcome.code, Some(1));
    let told = "20000 connections need 20256 open files, and this process may have 1000";
    assert!(outcome.stderr.contains(told) && outcome.stderr.contains("744 or less"), "{}", outcome.stderr);
}

#[tokio::test]
async fn idle_connections_and_half_heads_are_closed_after_a_while() {
    let node = Node::start_with(Settings::default().section("[limits]\nhead_seconds = 1")).await;
    let mut used = Raw::connect(node.address(), "GET / HTTP/1.1\r\nhost: node\r\n\r\n").await.expect("connects");
    used.answer().await.expect("an answer").expect(200);
    let mut half = Raw::connect(node.address(), "GET / HTTP/1.1\r\nhost: no").await.expect("connects");
    let mut idle = Raw::connect(node.address(), "").await.expect("connects");
    for (name, raw) in [("used", &mut used), ("half", &mut half), ("idle", &mut idle)] {
        assert!(raw.closes_within(Duration::from_secs(10)).await, "{name}");
    }
}

/// A token with 200 groups has 11 KB, and a browser sends it in the query together with its cookies.
#[tokio::test]
async fn heads_of_32_kib_pass() {
    let node = Node::start_default().await;
    let long = "x".repeat(31 * 1024);
    negotiate().header("cookie", &long).send(node.address()).await.expect("an answer").expect(200);
    let query = format!("{HUB}/negotiate?negotiateVersion=1&more={long}");
    let in_query = Request::post(query).bearer(Token::user("alice", "acme").sign());
    in_query.send(node.address()).await.expect("an answer").expect(200);
    let many = (0..64).fold(negotiate(), |request, at| request.header(&format!("x-group-{at}"), "y".repeat(480)));
    many.send(node.address()).await.expect("an answer").expect(200);
    let endless = negotiate().header("cookie", "x".repeat(256 * 1024)).send(node.address()).await.expect("an answer");
    endless.expect(431);
}

#[tokio::test]
async fn an_answer_to_http_1_0_names_whether_the_connection_closes() {
    let node = Node::start_default().await;
    let token = Token::user("alice", "acme").sign();
    let head = format!(
        "POST {HUB}/negotiate?negotiateVersion=1 HTTP/1.0\r\nauthorization: Bearer {token}\r\ncontent-length: 0\r\n"
    );
    let mut once = Raw::connect(node.address(), &format!("{head}\r\n")).await.expect("connects");
    assert_eq!(once.answer().await.expect("an answer").expect(200).header("connection"), Some("close"));
    assert!(once.closes_within(Duration::from_secs(10)).await);
    let again = format!("{head}connection: keep-alive\r\n\r\n");
    let mut kept = Raw::connect(node.address(), &again).await.expect("connects");
    for _ in 0..2 {
        assert_eq!(kept.answer().await.expect("an answer").expect(200).header("connection"), Some("keep-alive"));
        kept.write(again.as_bytes()).await.expect("written");
    }
}

#[tokio::test]
async fn what_can_be_read_in_two_ways_is_refused_by_name() {
    let node = Node::start_default().await;
    let root = Token::user("root", "platform").roles(&["superadmin"]).sign();
    let org = "x-organization-id";
    let by = |request: Request, told: &'static str| (request, told);
    let asked = |query: &str| Request::post(format!("{HUB}/negotiate?negotiateVersion=1{query}")).bearer(&root);
    for (request, told) in [
        by(
            asked("").header(org, "acme").header(org, "globex"),
            "x-organization-id stands in the request more than once",
        ),
        by(asked("").header(org, "acme").header(org, "acme"), "x-organization-id stands in the request more than once"),
        by(asked("").header(org, "acm\u{e9}"), "x-organization-id holds something other than visible ASCII"),
        by(asked("&org=acme").header(org, "globex"), "name different orgs"),
        by(asked("&org=acme&ORG=globex"), "names `org` more than once"),
        by(asked("&org=%ff"), "`org` in the query is not UTF-8"),
        by(asked("").header("authorization", "Bearer x"), "authorization stands in the request more than once"),
        by(asked("").header("host", "other"), "host stands in the request more than once"),
    ] {
        let answer = request.send(node.address()).await.expect("an answer");
        assert!(answer.status == 400 && answer.text().contains(told), "{told}: {} {}", answer.status, answer.text());
    }
    asked("&org=acme").header(org, "acme").send(node.address()).await.expect("an answer").expect(200);
    asked("").header(org, "acme").send(node.address()).await.expect("an answer").expect(200);
}

#[tokio::test]
async fn a_page_behind_a_proxy_that_replaces_the_host_opens_its_socket() {
    let by_proxy = Node::start_with(Settings::default().node("trusted_proxies = [\"127.0.0.1\"]")).await;
    let by_setting = Node::start_with(Settings::default().node("hosts = [\"app.example.com\"]")).await;
    let page = Connect::new(HUB, Token::user("alice", "acme").sign()).header("origin", "https://app.example.com");
    let told = page.clone().header("x-forwarded-host", "app.example.com");
    assert!(told.open(by_proxy.address(), None).await.expect("an answer").is_ok());
    assert!(page.open(by_setting.address(), None).await.expect("an answer").is_ok());
    page.open(by_proxy.address(), None).await.expect("an answer").expect_err("nobody vouches for it").expect(403);
    let lines = by_proxy.lines("WebSocket refused: the page is of another origin");
    assert_eq!(lines[0]["origin"], "https://app.example.com");
    assert_eq!(lines[0]["host"], by_proxy.address().to_string());
}

#[tokio::test]
async fn the_port_of_the_hubs_answers_a_load_balancers_readiness_probe() {
    let mut node = Node::start_with(Settings::default().section("[health]\npath = \"/health\"").drain_seconds(5)).await;
    let to = node.address();
    let ask = |method: &'static str| async move { Request::new(method, "/health").send(to).await };
    let ready = ask("GET").await.expect("an answer").expect(200);
    assert_eq!(ready.json(), serde_json::json!({ "status": "ready" }));
    assert_eq!(ask("HEAD").await.expect("an answer").expect(200).text(), "");
    assert_eq!(ask("POST").await.expect("an answer").status, 405);
    let plain = Node::start_default().await;
    assert_eq!(Request::get("/health").send(plain.address()).await.expect("an answer").status, 404, "off by default");
    // A tab keeps the node running until it has been closed.
    let _tab = node.tab(&Token::user("alice", "acme")).await;
    node.terminate();
    let draining =
        until("a node that drains", async || ask("GET").await.ok().filter(|answer| answer.status == 503)).await;
    assert_eq!(draining.json(), serde_json::json!({ "status": "not ready", "reason": "draining" }));
    node.expect_running();
}
