//! A new token for a connection on another node than the one that receives it.

use fanfare_e2e_tests::backplane::{Backplane, Kind};
use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::token::now;
use fanfare_e2e_tests::transport::{Transport, Wire};
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Request, Response, Settings, Token};
use serde_json::json;

async fn refresh(node: &Node, connection: &str, token: &Token) -> Response {
    let request = Request::post(format!("{HUB}/refresh")).header("x-signalr-connection-token", connection);
    request.bearer(token.sign()).send(node.address()).await.expect("an answer")
}

#[tokio::test]
async fn any_node_accepts_a_new_token_for_a_connection() {
    let Some(backplane) = Backplane::start(Kind::Nats).await else { return };
    let settings = |node| Settings::default().broker(&backplane.config(node)).secret(SECRET);
    let [mut here, mut there] = [0, 1].map(|node| Node::prepare(settings(node)));
    for node in [&mut here, &mut there] {
        node.start().await;
    }
    let alice = |age: i64| Token::user("alice", "acme").claim("iat", now() - age);
    for transport in Transport::ALL {
        let short = alice(60).claim("exp", now() + 12);
        let connect = Connect::new(HUB, short.sign());
        let mut tab = Wire::connect(&connect, transport, here.address()).await.expect("connects").expect("let in");
        let connection = tab.connection_token().to_owned();
        // Nodes know each other within seconds of their start.
        let answer = until("a node that knows the other", async || {
            Some(refresh(&there, &connection, &alice(0)).await).filter(|answer| answer.status == 200)
        });
        let lifetime = answer.await.json()["tokenLifetimeSeconds"].as_i64().expect("a number");
        assert!((3580..=3600).contains(&lifetime), "{transport:?}: {lifetime}");
        tab.go_on_as(Connect::new(HUB, alice(0).sign()));
        let bob = refresh(&there, &connection, &Token::user("bob", "acme")).await;
        assert_eq!((bob.status, bob.json()), (403, json!({ "error": "permission_change_rejected" })));
        let forged = Request::post(format!("{HUB}/refresh")).header("x-signalr-connection-token", &connection);
        let forged = forged.bearer("no.token.at-all").send(there.address()).await.expect("an answer");
        assert_eq!((forged.status, forged.json()), (401, json!({ "error": "invalid_token" })));
        let late = short.claims()["exp"].as_i64().expect("a number") + 2 - now();
        tokio::time::sleep(std::time::Duration::from_secs(late.max(0).unsigned_abs())).await;
        let name = format!("late {transport:?}");
        there.publish(&[NewEvent::alert("acme", &name)]).await;
        assert_eq!(tab.title().await, name, "it outlives the token that opened it");
    }
    // Negotiated, but not connected anywhere.
    let unused = Connect::new(HUB, alice(0).sign()).negotiate(here.address()).await.expect("an answer").json();
    let unknown = refresh(&there, unused["connectionToken"].as_str().expect("a token"), &alice(0)).await;
    assert_eq!((unknown.status, unknown.json()), (404, json!({ "error": "connection_not_found" })));
    let passed = Request::post("/connections/refresh").json(&json!({ "hub": HUB, "connection": "x", "token": "x" }));
    assert_eq!(passed.send(here.admin_address()).await.expect("an answer").status, 401, "nodes alone pass on");
    here.kill();
    let lost = refresh(&there, unused["connectionToken"].as_str().expect("a token"), &alice(0)).await;
    assert_eq!(
        (lost.status, lost.json()),
        (503, json!({ "error": "node_unavailable" })),
        "until its lease has run out"
    );
}
