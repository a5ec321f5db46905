//! Settings that change while the node runs, without closing a tab; and those that need a restart.

use std::fs;

use fanfare_e2e_tests::client::{Connect, Message};
use fanfare_e2e_tests::wait::at_most;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Request, Settings, Tab, Token};
use fanfare_token::{Jwks, SigningKey};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const OTHER_PAGE: &str = "https://app.example.com";

/// Replaces a part of the configuration, and waits until the node has reloaded it.
async fn change(node: &Node, from: &str, to: &str, outcome: &str) {
    node.edit_config(from, to);
    reload(node, outcome).await;
}

async fn reload(node: &Node, outcome: &str) {
    node.reload(outcome).await;
    let refused = f64::from(u8::from(matches!(outcome, "faulty" | "needs_start")));
    assert_eq!(node.metric("fanfare_config_refused", "").await, refused, "{outcome}");
}

/// The status with which a page of another origin is refused; none if it is accepted.
async fn page(node: &Node) -> Option<u16> {
    let connect = Connect::new(HUB, Token::user("bob", "acme").sign()).header("origin", OTHER_PAGE);
    connect.try_connect(node.address()).await.expect("an answer").err().map(|refused| refused.status)
}

/// What the operator is shown.
async fn configuration(node: &Node) -> Value {
    let bearer = node.fanfare(&["token", "--operator", "--read-only"]).await.stdout;
    let request = Request::get("/config").bearer(bearer.trim());
    request.send(node.admin_address()).await.expect("an answer").expect(200).json()
}

async fn still_hears(node: &Node, tab: &mut Tab, title: &str) {
    node.publish(&[NewEvent::alert("acme", title)]).await;
    assert_eq!(tab.expect("toast").await["title"], title);
}

#[tokio::test]
async fn other_origins_and_limits_hold_at_once_and_move_no_tab() {
    let settings = Settings::default().section("[cors]\norigins = []\n[limits]\nconnections_per_user = 2");
    let node = Node::start_with(settings).await;
    let mut first = node.tab(&Token::user("alice", "acme")).await;
    first.cursor().await;
    let _second = node.tab(&Token::user("alice", "acme")).await;
    assert_eq!(node.negotiate(Token::user("alice", "acme").sign()).await, 429);
    assert!(page(&node).await.is_some());

    change(&node, "connections_per_user = 2", "connections_per_user = 3", "applied").await;
    let _third = node.tab(&Token::user("alice", "acme")).await;
    assert_eq!(node.negotiate(Token::user("alice", "acme").sign()).await, 429);
    change(&node, "origins = []", &format!("origins = [\"{OTHER_PAGE}\"]"), "applied").await;
    assert_eq!(page(&node).await, None);
    // Below the current number: no connection is closed for that.
    change(&node, "connections_per_user = 3", "connections_per_user = 1", "applied").await;
    still_hears(&node, &mut first, "news 1").await;
    assert_eq!(node.negotiate(Token::user("alice", "acme").sign()).await, 429);
    reload(&node, "unchanged").await;
}

#[tokio::test]
async fn settings_that_need_a_restart_are_named_and_the_rest_applies() {
    let settings = Settings::default().section("[cors]\norigins = []\n[limits]\ngrants = 4096");
    let node = Node::start_with(settings).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.cursor().await;
    let both = format!("origins = [\"{OTHER_PAGE}\"]\n[limits]\ngrants = 8192");
    change(&node, "origins = []\n[limits]\ngrants = 4096", &both, "needs_start").await;
    let named = "restart needed: [limits] grants changed";
    assert_eq!(node.lines(named).len(), 1, "{}", node.log());
    assert_eq!(node.log().matches("restart needed").count(), 1, "{}", node.log());
    assert_eq!(page(&node).await, None);
    let shown = configuration(&node).await;
    assert_eq!(shown["restart_needed"], json!(["[limits] grants"]));
    let text = shown["text"].as_str().expect("a text");
    assert!(text.contains("grants = 4096") && text.contains(OTHER_PAGE), "{text}");
    // Reported again for as long as the file differs, and no longer.
    reload(&node, "needs_start").await;
    assert_eq!(node.lines(named).len(), 2);
    change(&node, "grants = 8192", "grants = 4096", "unchanged").await;
    still_hears(&node, &mut tab, "news 2").await;
}

#[tokio::test]
async fn other_bounds_of_queues_resumes_and_groups_hold_for_open_tabs() {
    let limits = "[limits]\nresume_notifications = 3\njoined_groups = 1";
    let hubs = format!(
        "[hub.\"{HUB}\"]\nmethod.Watch = {{ arguments = [\"list\"], allow = true, join = \"list:{{list}}\" }}\n"
    );
    let node = Node::start_with(Settings { hubs, ..Settings::default() }.section(limits)).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let cursor = tab.cursor().await;
    for number in 0..5 {
        still_hears(&node, &mut tab, &format!("news {number}")).await;
    }
    let mut returning = node.tab(&Token::user("alice", "acme")).await;
    let told =
        node.tab(&Token::user("alice", "acme")).await.invoke("Resume", json!([cursor])).await.expect("an answer");
    assert_eq!((&told["replayed"], &told["more"]), (&json!(3), &json!(true)), "{told}");
    tab.invoke("Watch", json!(["1"])).await.expect("joined");
    let refused = tab.invoke("Watch", json!(["2"])).await.expect_err("one is enough");
    assert!(refused.contains('1'), "{refused}");

    let more = "resume_notifications = 100\njoined_groups = 2";
    change(&node, "resume_notifications = 3\njoined_groups = 1", more, "applied").await;
    let told = returning.invoke("Resume", json!([cursor])).await.expect("an answer");
    assert_eq!((&told["replayed"], &told["complete"]), (&json!(5), &json!(true)), "{told}");
    tab.invoke("Watch", json!(["2"])).await.expect("joined");
    // Below the current number: no group is removed.
    change(&node, "joined_groups = 2", "joined_groups = 1", "applied").await;
    tab.invoke("Watch", json!(["3"])).await.expect_err("no more");
    // A queue holds two events.
    change(&node, "[limits]", "[limits]\nevent_bytes = 65536\nqueue_bytes = 65536", "faulty").await;
    let told = node.lines("the changed configuration has a fault: the one before stays in use");
    assert!(told[0]["fault"].as_str().is_some_and(|fault| fault.contains("twice `event_bytes`")), "{}", told[0]);
    change(&node, "event_bytes = 65536\nqueue_bytes = 65536", "queue_bytes = 524288", "applied").await;
    still_hears(&node, &mut tab, "last").await;
}

#[tokio::test]
async fn events_may_be_larger_or_must_be_smaller_at_once() {
    let node = Node::start_with(Settings::default().section("[limits]\nevent_bytes = 4096")).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let cursor = tab.cursor().await;
    let (long, token) = (NewEvent::burst(2), Token::producer().sign());
    node.post(&token, &long[0]).await.expect(413);
    change(&node, "event_bytes = 4096", "event_bytes = 16384", "applied").await;
    node.post(&token, &long[0]).await.expect(202);
    assert_eq!(tab.expect("toast").await["title"], "0");
    let mut returning = node.tab(&Token::user("alice", "acme")).await;
    let told = returning.invoke("Resume", json!([cursor])).await.expect("an answer");
    assert_eq!((&told["replayed"], &told["complete"]), (&json!(1), &json!(true)), "{told}");
    change(&node, "event_bytes = 16384", "event_bytes = 4096", "applied").await;
    node.post(&token, &long[1]).await.expect(413);
    still_hears(&node, &mut tab, "short").await;
}

#[tokio::test]
async fn addresses_count_only_once_it_is_known_whose_they_are() {
    let node = Node::start_with(Settings::default().section("[limits]\nconnections_per_user = 100")).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.cursor().await;
    let text = fs::read_to_string(node.config()).expect("a configuration");
    let behind = text.replace("[node]\n", "[node]\ntrusted_proxies = []\n");
    fs::write(node.config(), behind).expect("written");
    let limits = "connections_per_user = 100\nconnections_per_address = 1\nbody_seconds = 7";
    change(&node, "connections_per_user = 100", limits, "needs_start").await;
    for key in ["[node] trusted_proxies", "[limits] connections_per_address"] {
        assert_eq!(node.lines(&format!("restart needed: {key} changed")).len(), 1, "{}", node.log());
    }
    assert_eq!(node.log().matches("restart needed").count(), 2, "{}", node.log());
    let _second = node.tab(&Token::user("bob", "acme")).await;
    still_hears(&node, &mut tab, "news 7").await;
}

#[tokio::test]
async fn bodies_have_other_limits_at_once() {
    let node = Node::start_with(Settings::default().section("[limits]\nbody_seconds = 600")).await;
    let half = b"POST /events HTTP/1.1\r\nhost: node\r\ncontent-type: application/json\r\ncontent-length: 9\r\n";
    let authorized = format!("authorization: Bearer {}\r\n", Token::producer().sign());
    let event =
        "ce-specversion: 1.0\r\nce-id: 1\r\nce-source: /tests\r\nce-type: system.Alert\r\nce-org: acme\r\n\r\n{";
    change(&node, "body_seconds = 600", "body_seconds = 1", "applied").await;
    let mut slow = TcpStream::connect(node.address()).await.expect("connects");
    let request = [half.as_slice(), authorized.as_bytes(), event.as_bytes()].concat();
    slow.write_all(&request).await.expect("written");
    let mut answer = [0; 12];
    at_most("an answer", slow.read_exact(&mut answer)).await.expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn a_fault_changes_nothing_and_is_reported_with_its_place() {
    let mut node = Node::start_with(Settings::default().section("[cors]\norigins = []")).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.cursor().await;
    let routes = node.folder().join("routes.toml");
    let other = Settings::default().routes.replace("title = \"{title}\"", "title = \"New: {title}\"");
    fs::write(&routes, other).expect("written");
    let broken = format!("origins = [\"{OTHER_PAGE}\"]\nheader = []");
    change(&node, "origins = []", &broken, "faulty").await;
    let told = node.lines("the changed configuration has a fault: the one before stays in use");
    let fault = told[0]["fault"].as_str().expect("a text");
    assert!(fault.contains("fanfare.toml:") && fault.contains("did you mean `headers`?"), "{fault}");
    assert!(page(&node).await.is_some(), "nothing of a faulty file holds");
    still_hears(&node, &mut tab, "news 3").await;
    change(&node, "\nheader = []", "", "applied").await;
    assert_eq!(page(&node).await, None);
    node.publish(&[NewEvent::alert("acme", "news 4")]).await;
    assert_eq!(tab.expect("toast").await["title"], "New: news 4", "the routes come with the mended file");
    node.expect_running();
}

#[tokio::test]
async fn a_secret_is_exchanged_and_no_cursor_is_lost() {
    let [old, new] = [1, 2].map(|which| format!("{which} is the secret of this node, and long enough"));
    let node = Node::start_with(Settings::default().secret(&old)).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let cursor = tab.cursor().await;
    let complete = async |cursor: &str| {
        let mut back = node.tab(&Token::user("alice", "acme")).await;
        back.invoke("Resume", json!([cursor])).await.map(|resumed| resumed["complete"] == json!(true))
    };

    // The wrong order is refused, without any loss.
    change(&node, &format!("secret = \"{old}\""), &format!("secret = \"{new}\""), "faulty").await;
    assert!(node.log().contains("name it as `previous_secret`"), "{}", node.log());
    assert_eq!(complete(&cursor).await, Ok(true));

    let both = format!("secret = \"{new}\"\nprevious_secret = \"{old}\"");
    change(&node, &format!("secret = \"{new}\""), &both, "applied").await;
    assert_eq!(complete(&cursor).await, Ok(true), "what the old one sealed is opened");
    let resealed = tab.cursor().await;
    assert_ne!(resealed, cursor);
    still_hears(&node, &mut tab, "news 5").await;

    change(&node, &format!("\nprevious_secret = \"{old}\""), "", "applied").await;
    assert_eq!(complete(&resealed).await, Ok(true));
    assert_ne!(complete(&cursor).await, Ok(true), "the old one opens nothing any more");
    assert!(!node.log().contains("long enough"), "no secret is in the log");
}

#[tokio::test]
async fn other_keys_of_an_issuer_hold_at_once_and_open_tabs_stay() {
    let keys = [(); 2].map(|()| SigningKey::generate().expect("a key"));
    let written = |node: &Node, key: &SigningKey| {
        let jwks = serde_json::to_string(&Jwks { keys: vec![key.jwk()] }).expect("JSON");
        fs::write(node.folder().join("issuer.json"), jwks).expect("written");
    };
    let issuer = "[[issuer]]\nissuer = \"https://id.example.com\"\njwks_file = \"issuer.json\"\nusers = true";
    let mut node = Node::prepare(Settings::default().section(issuer));
    written(&node, &keys[0]);
    node.start().await;
    let token = |key: &SigningKey| Token::user("alice", "acme").claim("iss", "https://id.example.com").sign_with(key);
    let mut tab = node.tab_with(token(&keys[0])).await;
    tab.cursor().await;
    assert_eq!(node.negotiate(token(&keys[1])).await, 401);

    written(&node, &keys[1]);
    reload(&node, "applied").await;
    assert_eq!(node.negotiate(token(&keys[1])).await, 200);
    assert_eq!(node.negotiate(token(&keys[0])).await, 401, "although this very token was verified before");
    still_hears(&node, &mut tab, "news 6").await;
    fs::write(node.folder().join("issuer.json"), "no keys").expect("written");
    reload(&node, "faulty").await;
    assert_eq!(node.negotiate(token(&keys[1])).await, 200);
    assert_ne!(tab.kept().first(), Some(&Message::Gone));
}
