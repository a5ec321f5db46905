//! Claims that a token must have to connect.

use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::token::now;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Request, Settings, Token};
use serde_json::json;

async fn node() -> Node {
    let hubs = format!(
        "[hub.\"{HUB}\"]\nrequire_claims = {{ subscription = \"active\", plan = [\"pro\", \"team\"] }}\n\
         [hub.\"/hubs/open\"]\n"
    );
    Node::start_with(Settings { hubs, ..Settings::default() }).await
}

fn token(subscription: &str) -> Token {
    Token::user("alice", "acme").claim("subscription", subscription)
}

fn refusal(claim: &str) -> String {
    format!("Your token's claim `{claim}` does not allow the hub {HUB}.")
}

#[tokio::test]
async fn a_missing_claim_is_named_at_negotiate_and_at_connect() {
    let node = node().await;
    let refused = [
        (Token::user("alice", "acme").claim("plan", "pro"), "subscription"),
        (token("lapsed").claim("plan", "pro"), "subscription"),
        (token("active"), "plan"),
        (token("active").claim("plan", json!(["free", "trial"])), "plan"),
    ];
    for (token, claim) in &refused {
        let connect = Connect::new(HUB, token.sign());
        let answer = connect.negotiate(node.address()).await.expect("an answer").expect(403);
        assert_eq!(answer.text(), refusal(claim));
        let opened = connect.open(node.address(), None).await.expect("an answer");
        assert_eq!(opened.expect_err("refused").expect(403).text(), refusal(claim));
        let elsewhere = Connect::new("/hubs/open", token.sign()).negotiate(node.address()).await;
        elsewhere.expect("an answer").expect(200);
    }
    assert!(node.metric("fanfare_connects_refused_total", "reason=\"claim\"").await >= 8.0);
    for plan in [json!("team"), json!(["free", "pro"])] {
        node.tab(&token("active").claim("plan", plan)).await;
    }
}

#[tokio::test]
async fn another_token_for_an_open_connection_needs_the_claims_too() {
    let node = node().await;
    let of_age = |subscription, plan: &str, age| token(subscription).claim("plan", plan).claim("iat", now() - age);
    let mut tab = node.tab(&of_age("active", "pro", 60)).await;
    let request = Request::post(format!("{HUB}/refresh")).header("x-signalr-connection-token", tab.connection_token());
    for (subscription, plan, status) in [("lapsed", "pro", 403), ("active", "free", 403), ("active", "team", 200)] {
        let token = of_age(subscription, plan, 10).sign();
        let answer = request.clone().bearer(token).send(node.address()).await.expect("an answer").expect(status);
        if status == 403 {
            assert_eq!(answer.json(), json!({ "error": "permission_change_rejected" }));
        }
        node.publish(&[NewEvent::alert("acme", plan)]).await;
        assert_eq!(tab.expect("toast").await["title"], plan, "the connection goes on");
    }
}
