//! No token, payload or personal address is in a log line, a trace or the reason of a dead letter.

use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::stub::Stub;
use fanfare_e2e_tests::websocket::{TEXT, frame};
use fanfare_e2e_tests::{HUB, NewEvent, Platform, Request, Settings, Token, forgery};
use serde_json::json;

/// A part of everything that must stay secret.
const CANARY: &str = "canary-9d41";
/// A personal address, as somebody may type it into a login form.
const ADDRESS: &str = "canary-9d41.person@example.com";

const PIECE: usize = 16;

/// Tokens that were sent to the services.
#[derive(Default)]
struct Secrets(Vec<String>);

impl Secrets {
    fn keep(&mut self, secret: impl Into<String>) -> String {
        let secret = secret.into();
        self.0.push(secret.clone());
        secret
    }

    /// Fails if any of them, or a part of one, is in a text.
    fn expect_none_in(&self, what: &str, text: &str) {
        let quote = |at: usize| {
            let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
            text[start..].lines().next().unwrap_or_default().to_owned()
        };
        if let Some(at) = text.find(CANARY) {
            panic!("{what} holds the canary: {}", quote(at));
        }
        for secret in &self.0 {
            for piece in secret.as_bytes().windows(PIECE).step_by(PIECE / 2) {
                let piece = str::from_utf8(piece).expect("ASCII");
                if let Some(at) = text.find(piece) {
                    panic!("{what} holds {piece} of a token: {}", quote(at));
                }
            }
        }
    }
}

async fn log_in(platform: &Platform, secrets: &mut Secrets) {
    assert_eq!(platform.try_login("alice", &format!("{CANARY} password")).await.status, 401);
    assert_eq!(platform.try_login(&format!("{CANARY}/nobody"), "x").await.status, 401);
    for user in ["alice", "bob", "root"] {
        secrets.keep(platform.login(user).await);
    }
}

/// Connects in every possible way, with good and bad tokens.
async fn connect(platform: &Platform, secrets: &mut Secrets) {
    let node = platform.node.address();
    let good = secrets.keep(Token::user("alice", "acme").claim("note", CANARY).sign());
    for connect in [Connect::new(HUB, &good), Connect::new(HUB, &good).as_browser()] {
        let negotiated = connect.negotiate(node).await.expect("an answer").expect(200).json();
        secrets.keep(negotiated["connectionToken"].as_str().expect("a token"));
        let mut tab = connect.connect(node).await;
        let cursor = tab.cursor().await;
        let mut tab = connect.clone().query("cursor", &cursor).connect(node).await;
        for (method, arguments) in
            [(CANARY, json!([])), ("Resume", json!([CANARY])), ("Resume", json!([{ CANARY: 1 }]))]
        {
            assert!(tab.invoke(method, arguments).await.is_err());
        }
        tab.socket().send(&format!("{{\"type\":1,\"target\":\"{CANARY}\u{1e}")).await.expect("open");
        tab.next().await;
        let mut tab = connect.connect(node).await;
        tab.socket().write(&frame(TEXT, false, CANARY.as_bytes())).await.expect("open");
        tab.socket().write(&frame(7, true, CANARY.as_bytes())).await.expect("open");
        tab.next().await;
    }
    let forged = Token::user(CANARY, "acme").claim("iss", CANARY);
    for bad in [forged.sign(), format!("{good}x"), CANARY.to_owned(), forgery::all().swap_remove(0).token] {
        let bad = secrets.keep(bad);
        let connect = Connect::new(HUB, &bad);
        assert_eq!(connect.negotiate(node).await.expect("an answer").status, 401);
        for connect in [connect.clone(), connect.as_browser()] {
            assert_eq!(connect.open(node, None).await.expect("an answer").expect_err("refused").status, 401);
        }
        let flags = Request::get("/orgs/acme/flags").bearer(&bad);
        assert_eq!(platform.license.send(&flags).await.status, 401);
    }
    let elsewhere = Connect::new(HUB, &good).query("org", CANARY).negotiate(node).await;
    assert_eq!(elsewhere.expect("an answer").status, 403);
}

/// Changes state through the producers, with payloads only for the tabs.
async fn change(platform: &Platform, secrets: &mut Secrets) {
    let root = secrets.keep(platform.login("root").await);
    let mut tab = platform.node.tab_with(&secrets.keep(platform.login("alice").await)).await;
    let alert =
        json!({ "severity": "info", "title": CANARY, "message": CANARY, "org": "acme", "link": format!("/{CANARY}") });
    platform.auth.send(&Request::post("/alerts").bearer(&root).json(&alert)).await.expect(202);
    assert_eq!(tab.expect("toast").await["title"], CANARY);
    let license = json!({ "plan": CANARY, "seats": 5, "expires_at": "2099-01-01T00:00:00Z" });
    let put = Request::new("PUT", "/orgs/acme/license").bearer(&root);
    platform.license.send(&put.clone().json(&license)).await.expect(202);
    tab.expect("toast").await;
    // A fault is reported only to its sender.
    for wrong in [json!({ "plan": [CANARY] }), json!({ CANARY: CANARY }), json!(CANARY)] {
        assert_eq!(platform.license.send(&put.clone().json(&wrong)).await.status, 400);
        assert_eq!(platform.auth.send(&Request::post("/alerts").bearer(&root).json(&wrong)).await.status, 400);
        assert_eq!(platform.auth.send(&Request::post("/login").json(&wrong)).await.status, 400);
    }
    platform.logout(&secrets.keep(platform.login("alice").await), "everywhere").await.expect(202);
    tab.expect("logout").await;
}

/// Publishes directly to the node: good, bad and unreadable events.
async fn publish(platform: &Platform, secrets: &mut Secrets) {
    let token = secrets.keep(Token::producer().claim("note", CANARY).sign());
    let post = async |event: NewEvent| platform.node.post(&token, &event).await.status;
    let body = |extra: serde_json::Value| json!({ "org": "acme", "title": CANARY, "message": ADDRESS, "link": extra });
    assert_eq!(post(NewEvent::new("system.Alert", "1", &body(json!(null)))).await, 202);
    assert_eq!(post(NewEvent::new("system.Alert", "1", &body(json!("/other")))).await, 409);
    assert_eq!(post(NewEvent::new("system.Alert", "2", &body(json!([CANARY])))).await, 400);
    assert_eq!(post(NewEvent::new("system.Alert", "3", &json!({ CANARY: CANARY }))).await, 400);
    assert_eq!(post(NewEvent::raw("system.Alert", "4", "application/json", format!("{{\"{CANARY}"))).await, 400);
    assert_eq!(post(NewEvent::avro("system.Alert", "5", CANARY.as_bytes().to_vec())).await, 400);
    let user = json!({ "org": "acme", "user": format!("{CANARY}\n"), "title": "t", "message": "m" });
    assert_eq!(post(NewEvent::new("system.Alert", "6", &user)).await, 400);
}

/// Writes records to the log that become dead letters.
async fn poison(platform: &mut Platform) {
    platform.node.kill();
    let log = platform.node.open_log();
    let headers = |event_type| {
        [
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "/tests"),
            ("ce-type", event_type),
            ("ce-time", "2026-01-02T03:04:05Z"),
            ("ce-org", "acme"),
        ]
    };
    let encode = |event_type: &str, body: &serde_json::Value| {
        let event_type = fanfare_event::Registry::builtin().event_type(event_type).expect("known").clone();
        event_type.encode_json(None, body).expect("encoded")
    };
    let alert = encode("system.Alert", &json!({ "org": "acme", "title": CANARY, "message": CANARY }));
    let user = json!({ "org": "acme", "user": format!("{CANARY}\n"), "title": CANARY, "message": CANARY });
    let unroutable = encode("system.Alert", &user);
    let mut unknown = alert.clone();
    unknown[5] ^= 1;
    for (id, event_type, body) in [
        ("garbage", "system.Alert", CANARY.as_bytes()),
        ("cut", "system.Alert", &alert[..alert.len() - 2]),
        ("unknown", "system.Alert", &unknown),
        ("another", "license.FlagToggled", &alert),
        ("unroutable", "system.Alert", &unroutable),
    ] {
        log.append(event_type, Some("acme"), id, &headers(event_type), body).await;
    }
    log.close().await;
    platform.node.start().await;
}

#[tokio::test]
async fn an_address_typed_into_a_login_is_in_no_log() {
    let platform = Platform::start().await;
    assert_eq!(platform.try_login(ADDRESS, "x").await.status, 401);
    Secrets::default().expect_none_in("a log", &platform.logs());
}

#[tokio::test]
async fn secrets_are_in_no_log_no_trace_and_no_reason() {
    let collector = Stub::start("{}").await;
    let settings = Settings::default()
        .environment("FANFARE_LOG", "debug")
        .environment("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .environment("OTEL_BSP_SCHEDULE_DELAY", "200");
    let mut platform = Platform::start_with(settings).await;
    let mut secrets = Secrets::default();
    log_in(&platform, &mut secrets).await;
    connect(&platform, &mut secrets).await;
    change(&platform, &mut secrets).await;
    publish(&platform, &mut secrets).await;
    poison(&mut platform).await;

    platform.node.stop().await;
    platform.auth.stop().await;
    platform.license.stop().await;
    let log = platform.node.open_log();
    let letters = log.dead_letters().await;
    log.close().await;
    assert_eq!(letters.len(), 5, "{:?}", letters.iter().map(|letter| &letter.reason).collect::<Vec<_>>());
    for letter in &letters {
        secrets.expect_none_in("the reason of a dead letter", &letter.reason);
    }
    let logs = platform.logs();
    assert!(logs.len() > 5000 && logs.contains("token refused"), "there are hardly any logs");
    secrets.expect_none_in("a log", &logs);
    let spans: Vec<u8> = collector.requests().concat();
    let spans = String::from_utf8_lossy(&spans);
    for name in ["fanout", "auth", "license", "publish"] {
        assert!(spans.contains(name), "no spans of {name} were exported");
    }
    secrets.expect_none_in("a trace", &spans);
}
