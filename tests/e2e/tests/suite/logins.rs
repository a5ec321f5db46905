//! When a token was issued: what a logout refuses, and how a new login is told from it although its issuer dates tokens
//! back, or does not date them at all.

use std::time::Duration;

use fanfare_e2e_tests::client::Message;
use fanfare_e2e_tests::stub::Stub;
use fanfare_e2e_tests::token::now;
use fanfare_e2e_tests::{NewEvent, Node, Settings, Tab, Token};
use fanfare_token::SigningKey;
use serde_json::json;

const ISSUER: &str = "https://login.example";

/// A node, and the key of an issuer of users with further lines.
async fn node_and_key(more: &str) -> (Node, Stub, SigningKey) {
    let key = SigningKey::generate().expect("a key");
    let stub = Stub::with_keys(vec![key.jwk()]).await;
    let settings =
        Settings::default().issuer(ISSUER, &format!("{}/keys", stub.url()), &format!("users = true\n{more}"));
    (Node::start_with(settings).await, stub, key)
}

/// Logs alice out and waits until a tab of hers has been told, and is closed.
async fn log_out(node: &Node, session: Option<&str>, tab: &mut Tab) {
    let body = json!({ "user": "alice", "org": "acme", "session": session, "reason": "bye" });
    node.publish(&[NewEvent::new("auth.UserLoggedOut", session.unwrap_or("all"), &body)]).await;
    assert_eq!(tab.expect("logout").await["reason"], "bye");
    assert_eq!(tab.next().await, Message::Close(None, false));
}

async fn hears(node: &Node, tab: &mut Tab, title: &str) {
    node.publish(&[NewEvent::alert("acme", title)]).await;
    assert_eq!(tab.expect("toast").await["title"], title);
}

#[tokio::test]
async fn after_a_logout_tokens_without_a_date_are_refused_and_dated_ones_are_not() {
    let node = Node::start_default().await;
    let undated = |user: &str, session: &str| Token::user(user, "acme").without("iat").session(session);
    let (mut first, mut second) = (node.tab(&undated("alice", "s-1")).await, node.tab(&undated("alice", "s-2")).await);
    log_out(&node, Some("s-1"), &mut first).await;
    assert_eq!(node.negotiate(undated("alice", "s-1").sign()).await, 401);
    assert_eq!(node.negotiate(undated("alice", "s-3").sign()).await, 200, "a session ends alone, whatever the dates");
    hears(&node, &mut second, "the other session").await;

    log_out(&node, None, &mut second).await;
    // In the logout's own second no token counts, whatever date it is given.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(node.negotiate(undated("alice", "s-4").sign()).await, 401, "it may be from before the logout");
    assert_eq!(node.lines("token refused").last().expect("a line")["reason"], "logged_out");
    assert_eq!(node.negotiate(undated("bob", "s-1").sign()).await, 200);
    let dated = Token::user("alice", "acme").claim("iat", now());
    hears(&node, &mut node.tab(&dated).await, "a login with a date").await;
}

#[tokio::test]
async fn a_login_that_is_dated_back_counts_after_a_logout_if_the_issuer_is_known_to_do_so() {
    let (node, _stub, key) = node_and_key("issued_behind_seconds = 300").await;
    let dated = |age: i64| Token::user("alice", "acme").claim("iat", now() - age);
    let of_issuer = |age: i64| dated(age).claim("iss", ISSUER).sign_with(&key);
    let mut tab = node.tab_with(of_issuer(200)).await;
    log_out(&node, None, &mut tab).await;
    // A token is never from later than now, and the logout is of this second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(node.negotiate(of_issuer(400)).await, 401, "it was issued 100 s ago or earlier");
    assert_eq!(node.negotiate(dated(200).sign()).await, 401, "of an issuer that dates its tokens well");
    hears(&node, &mut node.tab_with(of_issuer(200)).await, "back").await;
}

#[tokio::test]
async fn a_session_may_be_the_id_of_a_token() {
    let (node, _stub, key) = node_and_key("claims = { session = \"jti\" }").await;
    let login = |jti: &str| {
        let token = Token::user("alice", "acme").without("sid").claim("jti", jti).claim("iat", now() - 600);
        token.claim("iss", ISSUER).sign_with(&key)
    };
    let (mut ended, mut stays) = (node.tab_with(login("j-1")).await, node.tab_with(login("j-2")).await);
    log_out(&node, Some("j-1"), &mut ended).await;
    assert_eq!((node.negotiate(login("j-1")).await, node.negotiate(login("j-3")).await), (401, 200));
    hears(&node, &mut stays, "another token").await;
}
