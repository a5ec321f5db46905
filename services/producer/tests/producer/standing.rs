//! A privileged call is checked against auth's current state.

use crate::{CurrentSwitch, SERVICE, routes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use fanfare_event::Id;
use fanfare_producer::standing::KEPT;
use fanfare_producer::testing::{Client, Harness, signing_key, token};
use fanfare_producer::{Authenticator, Standing, Standings, VerifiedTokens};
use fanfare_token::Keys;
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;

/// Auth's answer, and the number of requests.
#[derive(Clone, Default)]
struct Auth(Arc<Mutex<(Option<Standing>, u32)>>);

impl Auth {
    /// Answers this from now on; without an answer it is out of order.
    fn says(&self, roles: Option<&[&str]>, signed_out_at: i64) {
        let id = |text| Id::parse(text).expect("an id");
        let standing = |roles: &[&str]| Standing {
            user: id("bob"),
            org: id("acme"),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            signed_out_at,
            session_lasts: true,
        };
        self.0.lock().expect("a lock").0 = roles.map(standing);
    }

    fn asked(&self) -> u32 {
        self.0.lock().expect("a lock").1
    }

    async fn answer(State(auth): State<Self>, Path(user): Path<String>) -> Result<Json<Standing>, StatusCode> {
        assert_eq!(user, "bob");
        let mut held = auth.0.lock().expect("a lock");
        held.1 += 1;
        held.0.clone().map(Json).ok_or(StatusCode::BAD_GATEWAY)
    }
}

struct Scene {
    auth: Auth,
    client: Client,
    bob: String,
    _harness: Harness,
}

async fn open() -> Scene {
    let auth = Auth::default();
    auth.says(Some(&["admin"]), 0);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("address"));
    let router = Router::new().route("/standing/{user}", get(Auth::answer)).with_state(auth.clone());
    tokio::spawn(async move { axum_serve(listener, router).await });
    let harness = Harness::open(SERVICE).await;
    let tokens = VerifiedTokens::with_keys("http://127.0.0.1:8081", Keys::Static(vec![signing_key().jwk()]));
    let tokens = tokens.expect("keys").asking(Standings::new(&url).expect("a client"));
    let client = harness.client(routes(harness.producer.clone(), Authenticator::new(tokens)));
    Scene { auth, client, bob: token("bob", "acme", &["admin"]), _harness: harness }
}

async fn axum_serve(listener: TcpListener, router: Router) {
    fanfare_producer::serve::serve(listener, router, tokio_util::sync::CancellationToken::new()).await;
}

impl Scene {
    async fn switches(&self) -> u16 {
        self.client.post(CurrentSwitch::PATH, &self.bob, json!({"enabled": true})).await.status.as_u16()
    }
}

#[tokio::test]
async fn a_withdrawn_role_and_a_logout_count_within_a_second() {
    let s = open().await;
    assert_eq!(s.switches().await, 202);
    s.auth.says(Some(&["user"]), 0);
    tokio::time::sleep(KEPT).await;
    assert_eq!(s.switches().await, 403, "the token says admin, auth does not");
    s.auth.says(Some(&["admin"]), i64::MAX);
    tokio::time::sleep(KEPT).await;
    assert_eq!(s.switches().await, 401);
    assert_eq!(s.client.get("/readyz", "").await.status, 200);
}

#[tokio::test]
async fn one_answer_does_for_a_second_and_for_all_that_wait() {
    let s = open().await;
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (client, bob) = (s.client.clone(), s.bob.clone());
        all.spawn(async move { client.post(CurrentSwitch::PATH, &bob, json!({"enabled": true})).await.status });
    }
    while let Some(status) = all.join_next().await {
        assert_eq!(status.expect("no panic"), 202);
    }
    assert_eq!(s.switches().await, 202);
    assert!(s.auth.asked() <= 2, "asked {} times", s.auth.asked());
}

#[tokio::test]
async fn without_auth_a_privileged_call_waits_and_reading_continues() {
    let s = open().await;
    s.auth.says(None, 0);
    let refused = s.client.post(CurrentSwitch::PATH, &s.bob, json!({"enabled": true})).await;
    assert_eq!(refused.status, 503);
    assert!(refused.headers.contains_key("retry-after"));
    assert_eq!(s.client.post("/orgs/acme/switch", &s.bob, json!({"enabled": true})).await.status, 202);
    s.auth.says(Some(&["admin"]), 0);
    assert_eq!(s.switches().await, 202, "a failure is not kept");
}
