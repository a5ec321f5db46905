//! A logout is final: every tab gets it and is closed, and older tokens are refused, also by a node that was not
//! running.

use fanfare_e2e_tests::client::{Connect, HANDSHAKE, Message};
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::websocket::Frame;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Platform, Request, Tab, Token, Transport, Wire};
use serde_json::{Value, json};

/// The tab gets the logout and is closed; the Close does not allow a reconnect.
async fn expect_logout(tab: &mut Tab, reason: &str) {
    let told = tab.expect("logout").await;
    assert_eq!(told["reason"], reason);
    for key in ["id", "cursor", "at"] {
        assert!(told[key].is_string(), "{told}");
    }
    assert_eq!(tab.next().await, Message::Close(None, false));
    assert_eq!(tab.next().await, Message::SocketClosed(Some(1000)));
}

async fn expect_alive(node: &Node, tab: &mut Tab, org: &str, title: &str) {
    node.publish(&[NewEvent::alert(org, title)]).await;
    assert_eq!(tab.expect("toast").await["title"], title);
}

#[tokio::test]
async fn a_logout_ends_every_tab_and_every_token_of_the_user() {
    let mut platform = Platform::start().await;
    let (first, second) = (platform.login("alice").await, platform.login("alice").await);
    let bob = platform.login("bob").await;
    let mut tabs = Vec::new();
    for token in [&first, &first, &second] {
        tabs.push(platform.node.tab_with(token).await);
    }
    let mut other = platform.node.tab_with(&bob).await;
    platform.logout(&first, "everywhere").await.expect(202);
    for tab in &mut tabs {
        expect_logout(tab, "signed out").await;
    }
    expect_alive(&platform.node, &mut other, "acme", "bob stays").await;

    // In the same second, and before anything else.
    let fresh = platform.login("alice").await;
    let mut back = platform.node.tab_with(&fresh).await;
    for token in [&first, &second] {
        assert_eq!(platform.node.negotiate(token).await, 401);
        assert_eq!(platform.logout(token, "everywhere").await.status, 401, "auth itself refuses it as well");
    }
    assert_eq!(platform.node.lines("token refused").len(), 2, "one line each: {}", platform.node.log());
    expect_alive(&platform.node, &mut back, "acme", "alice is back").await;

    // A node that was not running then, or was killed, refuses them too.
    platform.node.stop().await;
    platform.node.start().await;
    for killed in [false, true] {
        if killed {
            platform.node.kill();
            platform.node.start().await;
        }
        for token in [&first, &second] {
            assert_eq!(platform.node.negotiate(token).await, 401);
            let opened = Connect::new(HUB, token).as_browser().open(platform.node.address(), None).await;
            assert_eq!(opened.expect("an answer").expect_err("refused").status, 401);
        }
        for token in [&fresh, &bob] {
            assert_eq!(platform.node.negotiate(token).await, 200);
        }
    }
}

#[tokio::test]
async fn logins_and_logouts_within_one_second_are_distinguished() {
    let platform = Platform::start().await;
    let mut last = platform.login("alice").await;
    for _ in 0..3 {
        let mut tab = platform.node.tab_with(&last).await;
        platform.logout(&last, "everywhere").await.expect(202);
        expect_logout(&mut tab, "signed out").await;
        let next = platform.login("alice").await;
        assert_eq!(platform.node.negotiate(&last).await, 401);
        assert_eq!(platform.node.negotiate(&next).await, 200);
        last = next;
    }
}

#[tokio::test]
async fn a_session_ends_alone() {
    let platform = Platform::start().await;
    let (first, second) = (platform.login("alice").await, platform.login("alice").await);
    let (mut ended, mut stays) = (platform.node.tab_with(&first).await, platform.node.tab_with(&second).await);
    platform.logout(&first, "session").await.expect(202);
    expect_logout(&mut ended, "signed out").await;
    expect_alive(&platform.node, &mut stays, "acme", "the other session").await;
    assert_eq!(platform.node.negotiate(&first).await, 401);
    assert_eq!(platform.node.negotiate(&second).await, 200);
}

fn logged_out(user: &str, org: &str, session: Option<&str>, id: &str) -> NewEvent {
    let body = json!({ "user": user, "org": org, "session": session, "reason": "by an admin" });
    NewEvent::new("auth.UserLoggedOut", id, &body)
}

#[tokio::test]
async fn a_logout_reaches_the_user_in_every_org_and_nobody_else() {
    let node = Node::start_default().await;
    let mut acme = node.tab(&Token::user("alice", "acme")).await;
    let mut globex = node.tab(&Token::user("alice", "globex").session("another")).await;
    let mut same_session = node.tab(&Token::user("bob", "acme").session("session-of-alice")).await;
    let mut namesake = node.tab(&Token::user("alice2", "acme")).await;
    node.publish(&[logged_out("alice", "acme", None, "1")]).await;
    for tab in [&mut acme, &mut globex] {
        expect_logout(tab, "by an admin").await;
    }
    node.publish(&[NewEvent::alert("acme", "still here")]).await;
    for tab in [&mut same_session, &mut namesake] {
        assert_eq!(tab.expect("toast").await["title"], "still here");
    }
}

#[tokio::test]
async fn a_logout_voids_negotiated_ids() {
    let node = Node::start_default().await;
    let alice = Connect::new(HUB, Token::user("alice", "acme").sign());
    let negotiated = alice.negotiate(node.address()).await.expect("an answer").expect(200).json();
    let id = negotiated["connectionToken"].as_str().expect("a token").to_owned();
    // A connection without a handshake is not a tab yet, and must not become one.
    let mut waiting = alice.open(node.address(), None).await.expect("connects").expect("not refused");
    let mut witness = node.tab(&Token::user("alice", "acme")).await;
    node.publish(&[logged_out("alice", "acme", None, "1")]).await;
    expect_logout(&mut witness, "by an admin").await;

    let refused = alice.open(node.address(), Some(&id)).await.expect("an answer").expect_err("refused");
    assert_eq!(refused.status, 401);
    // Either it has been closed already or the handshake closes it.
    let _ = waiting.send(HANDSHAKE).await;
    let mut seen = String::new();
    while let Ok(Some(frame)) = fanfare_e2e_tests::wait::at_most("the end of a socket", waiting.next()).await {
        match frame {
            Frame::Text(text) => seen.push_str(&text),
            Frame::Close(_) => break,
            _ => {}
        }
    }
    assert!(!seen.contains("\"target\"") && !seen.contains("allowReconnect\":true"), "{seen}");
}

#[tokio::test]
async fn a_logout_from_the_past_ends_nothing_that_came_after_it() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let past = logged_out("alice", "acme", None, "1").header("ce-time", "2026-01-01T00:00:00Z");
    node.publish(&[past]).await;
    expect_alive(&node, &mut tab, "acme", "still here").await;
    // A producer with a wrong clock does not lock users out for as long as it is wrong.
    let future = logged_out("alice", "acme", None, "2").header("ce-time", "2099-01-01T00:00:00Z");
    node.publish(&[future]).await;
    expect_logout(&mut tab, "by an admin").await;
    let token = Token::user("alice", "acme");
    let later = token.claims()["iat"].as_i64().expect("a time") + 25;
    let later = token.claim("iat", later).claim("exp", later + 3600);
    // 25 s is as far ahead as a token may be dated, and 60 s as far as a logout counts.
    assert_eq!(node.negotiate(later.sign()).await, 401);
    let replayed: Value = json!([node.metric("fanfare_revocations", "").await]);
    assert_eq!(replayed, json!([1.0]));
}

#[tokio::test]
async fn a_polling_tab_gets_its_logout_and_its_close_in_whatever_polls_they_come() {
    let node = Node::start_default().await;
    let token = Token::user("alice", "acme");
    let connect = Connect::new(HUB, token.sign());
    let opened = Wire::connect(&connect, Transport::LongPolling, node.address()).await;
    let mut tab = opened.expect("connects").expect("let in");
    assert!(tab.try_invoke("Cursor", json!([])).await.is_some());
    // No poll waits now, and the token of the next one is void.
    let body = json!({ "user": "alice", "org": "acme", "session": null, "reason": "bye" });
    node.publish(&[NewEvent::new("auth.UserLoggedOut", "out", &body)]).await;
    until("the logout", async || Some(node.negotiate(token.sign()).await).filter(|status| *status == 401)).await;
    assert!(matches!(tab.receive().await, Message::Notification(target, _) if target == "logout"));
    assert_eq!(tab.receive().await, Message::Close(None, false));
    // Ended connections are not opened again.
    let poll = Request::get(format!("{HUB}?id={}", tab.connection_token())).bearer(token.sign());
    assert_eq!(poll.send(node.address()).await.expect("an answer").status, 401);
}
