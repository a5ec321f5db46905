//! The layers around every route.

use crate::{SERVICE, routes};
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use fanfare_producer::testing::{Answer, Client, Harness, token};
use fanfare_producer::{Authenticator, VerifiedTokens};
use fanfare_token::Keys;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::ServiceExt as _;

async fn open() -> (Harness, Client) {
    let harness = Harness::open(SERVICE).await;
    let client = harness.client(routes(harness.producer.clone(), harness.authenticator()));
    (harness, client)
}

#[tokio::test]
async fn the_operators_questions_are_answered() {
    let (_harness, client) = open().await;
    assert_eq!(client.get("/healthz", "").await.status, 200);
    assert_eq!(client.get("/readyz", "").await.status, 200);
    assert_eq!(client.get("/nowhere/secret", "").await.error(), "there is nothing at this path");
    let metrics = String::from_utf8(client.get("/metrics", "").await.body).expect("text");
    assert!(metrics.contains(r#"fanfare_requests_total{route="/readyz",status="200"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"route="unmatched",status="404""#), "{metrics}");
    assert!(!metrics.contains("secret"), "paths of clients are no labels");
}

#[tokio::test]
async fn it_is_not_ready_before_it_can_check_tokens() {
    let harness = Harness::open(SERVICE).await;
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = nobody.local_addr().expect("address");
    // No server listens there, so no keys ever arrive.
    let keys = Keys::Jwks(format!("http://{address}/jwks.json"));
    let tokens = VerifiedTokens::with_keys("http://127.0.0.1:8081", keys).expect("tokens");
    let router = harness.producer.router(Router::new(), Authenticator::new(tokens));
    let request = Request::get("/readyz").body(Body::empty()).expect("request");
    assert_eq!(router.oneshot(request).await.expect("an answer").status(), 503);
}

#[tokio::test]
async fn its_key_is_published() {
    let (harness, client) = open().await;
    let answer = client.get("/.well-known/jwks.json", "").await;
    assert_eq!(answer.json()["keys"][0]["kid"], harness.producer.identity().public_key().kid);
    assert!(answer.json()["keys"][0].get("d").is_none(), "no private parts");
}

#[tokio::test]
async fn errors_are_json_whatever_they_are() {
    let (_harness, client) = open().await;
    let bob = token("bob", "acme", &["admin"]);
    let cases = [
        (client.get("/orgs/acme/switch", &bob).await, 405),
        (client.post("/orgs/acme/switch", "", json!({})).await, 401),
        (client.post("/orgs/acme/switch", "nonsense", json!({})).await, 401),
        (client.post("/orgs/a%2Fb/switch", &bob, json!({})).await, 400),
        (client.post("/orgs/a%FFb/switch", &bob, json!({})).await, 400),
        (client.post("/orgs/acme/switch", &bob, json!({"enabled": 1})).await, 400),
        (client.post("/orgs/acme/switch", &bob, Value::Null).await, 400),
        (client.post("/orgs/globex/switch", &bob, json!({"enabled": true})).await, 403),
        (client.post("/orgs/acme/switch", &bob, json!({"enabled": " ".repeat(70_000)})).await, 413),
    ];
    for (answer, status) in cases {
        assert_eq!(answer.status, status, "{}", answer.error());
        assert!(!answer.error().is_empty());
    }
    assert_eq!(client.post("/orgs/acme/switch", &bob, json!({"enabled": true})).await.status, 202);
}

#[tokio::test]
async fn the_org_a_client_names_must_be_its_own() {
    let (_harness, client) = open().await;
    let switch = async |token: &str, query: &str, header: &str| {
        let request = Request::post(format!("/orgs/acme/switch{query}"))
            .header("authorization", format!("Bearer {token}"))
            .header("x-organization-id", header)
            .body(Body::from(r#"{"enabled":true}"#))
            .expect("request");
        client.send(request).await.status
    };
    let bob = token("bob", "acme", &["admin"]);
    let root = token("root", "platform", &["superadmin"]);
    assert_eq!(switch(&bob, "?org=acme", "acme").await, 202);
    assert_eq!(switch(&bob, "", "globex").await, 403);
    assert_eq!(switch(&bob, "?org=globex", "acme").await, 403);
    assert_eq!(switch(&root, "", "acme").await, 202);
}

async fn preflight(client: &Client, origin: &str) -> Answer {
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri("/orgs/acme/switch")
        .header("origin", origin)
        .header("access-control-request-method", "PUT")
        .header("access-control-request-headers", "authorization,content-type,x-organization-id")
        .body(Body::empty())
        .expect("request");
    client.send(request).await
}

#[tokio::test]
async fn pages_of_the_allowed_origins_may_call() {
    let (_harness, client) = open().await;
    for origin in ["http://127.0.0.1:8080", "http://localhost:8080"] {
        let answer = preflight(&client, origin).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["access-control-allow-origin"], origin);
        let listed = |name: &str| answer.headers[name].to_str().expect("text").to_ascii_lowercase();
        for header in ["authorization", "content-type", "x-organization-id"] {
            assert!(listed("access-control-allow-headers").contains(header), "{header}");
        }
        for method in ["get", "post", "put", "delete"] {
            assert!(listed("access-control-allow-methods").contains(method), "{method}");
        }
    }
    let stranger = preflight(&client, "https://evil.example").await;
    assert!(!stranger.headers.contains_key("access-control-allow-origin"));
}

#[tokio::test]
async fn a_page_can_read_why_it_was_refused() {
    let (_harness, client) = open().await;
    let request = Request::post("/orgs/acme/switch").header("origin", "http://127.0.0.1:8080");
    let answer = client.send(request.body(Body::empty()).expect("request")).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.headers["access-control-allow-origin"], "http://127.0.0.1:8080");
    assert_eq!(answer.headers["www-authenticate"], "Bearer");
}
