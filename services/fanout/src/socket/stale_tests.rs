//! What a node takes that has not read the log for too long, or has very little memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use super::{App, operator, public};
use crate::command::node::Node;
use crate::config::Loaded;
use crate::limit::Pressure;
use crate::method::Methods;

const CONFIG: &str = "[node]\nlisten = \"127.0.0.1:1\"\nadmin_listen = \"127.0.0.1:2\"\ndata = \"data\"\n\
    [broker]\nurl = \"embedded:log\"\nmax_stale_seconds = 1\n[routes]\npath = \"routes.toml\"\n[hub.\"/hub\"]\npublic = true\n";

const ROUTES: &str = "hub = \"/hub\"\n[[route]]\nname = \"alert\"\nevent = \"system.Alert\"\ngroups = [\"org:{org}\"]\n\
    toast = { severity = \"info\", title = \"{title}\", message = \"{message}\" }\n";

async fn ask(router: &Router, method: Method, uri: &str, body: &'static str) -> (StatusCode, Vec<u8>) {
    let request = Request::builder().method(method).uri(uri).body(Body::from(body)).expect("a request");
    let response = router.clone().oneshot(request).await.expect("an answer");
    let status = response.status();
    // A stream of events has no end, and its status is all that is asked for.
    let body = match status {
        StatusCode::OK => response.into_body().collect().await.expect("a body").to_bytes().to_vec(),
        _ => Vec::new(),
    };
    (status, body)
}

async fn negotiate(router: &Router) -> (StatusCode, String) {
    let (status, body) = ask(router, Method::POST, "/hub/negotiate?negotiateVersion=1", "").await;
    let answer: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    (status, answer["connectionToken"].as_str().unwrap_or_default().to_owned())
}

async fn until(what: &str, holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(10), "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn is_ready(app: &App) -> bool {
    app.status.not_ready().is_none()
}

/// A node on an embedded log, in a folder that must outlive it.
fn start() -> (tempfile::TempDir, Node) {
    start_with(CONFIG)
}

fn start_with(config: &str) -> (tempfile::TempDir, Node) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("fanfare.toml"), config).expect("written");
    std::fs::write(folder.path().join("routes.toml"), ROUTES).expect("written");
    let loaded = Loaded::load(&folder.path().join("fanfare.toml"));
    let loaded = loaded.unwrap_or_else(|faults| panic!("{faults:?}"));
    let node = Node::start(loaded, Methods::default()).expect("starts");
    (folder, node)
}

#[tokio::test]
async fn a_node_that_has_not_read_for_too_long_keeps_its_tabs_and_accepts_no_others() {
    let (_folder, node) = start();
    let (app, router) = (Arc::clone(&node.app), public(Arc::clone(&node.app)));
    assert_eq!(negotiate(&router).await.0, StatusCode::SERVICE_UNAVAILABLE, "nothing is read yet");
    let pipeline = tokio::spawn(node.pipeline.run());
    until("ready", || is_ready(&app)).await;
    let (_, token) = negotiate(&router).await;
    let connection = format!("/hub?id={token}");
    assert_eq!(ask(&router, Method::GET, &connection, "").await.0, StatusCode::OK, "a poll opens it");
    let handshake = "{\"protocol\":\"json\",\"version\":1}\u{1e}";
    assert_eq!(ask(&router, Method::POST, &connection, handshake).await.0, StatusCode::OK);
    let (_, late) = negotiate(&router).await;

    app.status.set_reads(Some("the broker is away".to_owned()));
    assert_eq!(negotiate(&router).await.0, StatusCode::OK, "for a while it is ready all the same");
    until("stale", || !is_ready(&app)).await;
    assert_eq!(negotiate(&router).await.0, StatusCode::SERVICE_UNAVAILABLE);
    let late = format!("/hub?id={late}");
    for method in [Method::GET, Method::POST] {
        let (status, _) = ask(&router, method, &late, "").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "a token from before opens nothing");
    }
    let (status, body) = ask(&router, Method::GET, &connection, "").await;
    assert_eq!((status, body.as_slice()), (StatusCode::OK, "{}\u{1e}".as_bytes()), "the open tab polls on");

    app.status.set_reads(None);
    assert_eq!(negotiate(&router).await.0, StatusCode::OK);
    pipeline.abort();
    node.broker.close().await;
}

#[tokio::test]
async fn a_node_with_very_little_memory_keeps_its_tabs_and_accepts_no_others() {
    let (_folder, node) = start();
    let (app, router, admin) = (Arc::clone(&node.app), public(Arc::clone(&node.app)), operator(Arc::clone(&node.app)));
    let pipeline = tokio::spawn(node.pipeline.run());
    until("ready", || is_ready(&app)).await;
    let (_, token) = negotiate(&router).await;
    let connection = format!("/hub?id={token}");
    assert_eq!(ask(&router, Method::GET, &connection, "").await.0, StatusCode::OK, "a poll opens it");
    let handshake = "{\"protocol\":\"json\",\"version\":1}\u{1e}";
    assert_eq!(ask(&router, Method::POST, &connection, handshake).await.0, StatusCode::OK);

    app.set_pressure(Pressure::High);
    assert_eq!(negotiate(&router).await.0, StatusCode::OK, "first it sheds what it can read again");
    let (_, health) = ask(&admin, Method::GET, "/healthz", "").await;
    assert!(String::from_utf8_lossy(&health).contains("little memory: resumes read the broker"));
    app.set_pressure(Pressure::Critical);
    assert_eq!(negotiate(&router).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ask(&admin, Method::GET, "/readyz", "").await.0, StatusCode::SERVICE_UNAVAILABLE);
    let told = super::nodes::state(&app);
    assert_eq!((told.ready, told.reason.as_deref()), (false, Some("memory")), "and the console says so");
    assert_eq!(told.degraded, ["very little memory: no further connection is taken"]);
    let (status, body) = ask(&router, Method::GET, &connection, "").await;
    assert_eq!((status, body.as_slice()), (StatusCode::OK, "{}\u{1e}".as_bytes()), "the open tab polls on");
    app.set_pressure(Pressure::None);
    assert_eq!(negotiate(&router).await.0, StatusCode::OK);
    assert_eq!(ask(&admin, Method::GET, "/readyz", "").await.0, StatusCode::OK);
    pipeline.abort();
    node.broker.close().await;
}

/// Alerts compare with them, so that another limit needs no other alert.
#[tokio::test]
async fn the_limits_of_a_node_are_metrics() {
    let limits = "[limits]\nretained_values = 5000\nretained_bytes = 2000000\nrevocations = 6000\ngrants = 7000\n";
    let (_folder, node) = start_with(
        &CONFIG.replace("data = ", "max_connections = 77\ndata = ").replace("[hub", &format!("{limits}[hub")),
    );
    let (_, metrics) = ask(&operator(Arc::clone(&node.app)), Method::GET, "/metrics", "").await;
    let metrics = String::from_utf8_lossy(&metrics);
    for (name, limit) in [
        ("connections_limit", 77),
        ("retained_values_limit", 5000),
        ("retained_limit_bytes", 2_000_000),
        ("revocations_limit", 6000),
        ("grants_limit", 7000),
    ] {
        assert!(metrics.contains(&format!("\nfanfare_{name} {limit}\n")), "{name}: {metrics}");
    }
    node.broker.close().await;
}
