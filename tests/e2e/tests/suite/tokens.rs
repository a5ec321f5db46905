//! Trust in tokens: forged ones, rotated keys, and foreign orgs.

use std::time::Duration;

use fanfare_e2e_tests::client::{Connect, Message};
use fanfare_e2e_tests::forgery::{self, CANARY, Forgery};
use fanfare_e2e_tests::stub::Stub;
use fanfare_e2e_tests::token::now;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Platform, Request, Response, Settings, Token};
use fanfare_token::SigningKey;
use serde_json::json;

/// A part of a token that is long enough to be unique in a log.
const PIECE: usize = 16;

fn expect_nothing_of(token: &str, log: &str) {
    let pieces = token.as_bytes().windows(PIECE).map(|piece| str::from_utf8(piece).expect("ASCII"));
    for piece in pieces.step_by(PIECE / 2) {
        assert!(!log.contains(piece), "{piece} of a token is in the log");
    }
}

/// The ways to present a token, and the answer for each.
async fn knock(node: &Node, token: &str) -> [Response; 4] {
    let header = Connect::new(HUB, token);
    let query = header.clone().as_browser();
    let in_query = Request::post(format!("{HUB}/negotiate?negotiateVersion=1&access_token={token}"));
    let refused =
        async |connect: &Connect| connect.open(node.address(), None).await.expect("an answer").expect_err("refused");
    [
        header.negotiate(node.address()).await.expect("an answer"),
        in_query.send(node.address()).await.expect("an answer"),
        refused(&header).await,
        refused(&query).await,
    ]
}

#[tokio::test]
async fn a_forged_token_is_refused_with_one_line_that_holds_nothing_of_it() {
    let node = Node::start_default().await;
    for Forgery { what, token } in forgery::all() {
        for answer in knock(&node, &token).await {
            assert_eq!((answer.status, answer.text().as_str()), (401, ""), "{what}");
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"), "{what}");
        }
        // A user's token is refused here because it is one; that is not a forged producer's token.
        let posted = node.post(&token, &NewEvent::alert("acme", "forged")).await;
        assert!(posted.status == 401 || what == "a producer's audience", "{what}: {} {}", posted.status, posted.text());
        expect_nothing_of(&token, &node.log());
    }
    assert!(!node.log().contains(CANARY), "{}", node.log());
    // One line for each refusal, up to ten a minute of each reason.
    let reasons = node.lines("token refused");
    assert!(reasons.iter().all(|line| line["reason"].is_string() && line["client"] == "127.0.0.1"), "{reasons:?}");
    for reason in ["wrong_algorithm", "unknown_key", "bad_signature", "expired", "not_yet_valid", "wrong_audience"] {
        let lines = reasons.iter().filter(|line| line["reason"] == reason).count();
        let refused = node.metric("fanfare_tokens_refused_total", &format!("reason=\"{reason}\"")).await;
        assert!(refused > 0.0, "nothing was refused as {reason}");
        // A user's token without the right is no refused token for `/events`.
        let told_elsewhere = reason == "wrong_audience" && lines > 0;
        assert!(lines == (refused as usize).min(10) || told_elsewhere, "{reason}: {lines} lines of {refused}");
    }
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    node.publish(&[NewEvent::alert("acme", "for real")]).await;
    assert_eq!(tab.expect("toast").await["title"], "for real");
}

#[tokio::test]
async fn no_token_is_no_entry() {
    let node = Node::start_default().await;
    let negotiate = Request::post(format!("{HUB}/negotiate?negotiateVersion=1"));
    for request in [negotiate.clone(), negotiate.header("authorization", "Basic YWxpY2U6ZGVtbw==")] {
        assert_eq!(request.send(node.address()).await.expect("an answer").status, 401);
    }
    // The header takes precedence: a good token in the query does not help.
    let good = Token::user("alice", "acme").sign();
    let both = Request::post(format!("{HUB}/negotiate?access_token={good}"));
    assert_eq!(both.clone().bearer("bad").send(node.address()).await.expect("an answer").status, 401);
    assert_eq!(both.send(node.address()).await.expect("an answer").status, 200);
}

#[tokio::test]
async fn keys_rotate_while_tokens_of_both_are_good() {
    let [old, new, foreign] = [(); 3].map(|()| SigningKey::generate().expect("a key"));
    let stub = Stub::with_keys(vec![old.jwk()]).await;
    let settings =
        Settings::default().issuer("https://issuer.example", &format!("{}/keys", stub.url()), "users = true");
    let node = Node::start_with(settings).await;
    let token = |key| Token::user("alice", "acme").claim("iss", "https://issuer.example").sign_with(key);
    assert_eq!(node.negotiate(token(&old)).await, 200);
    let fetched = stub.requests().len();
    stub.publish_keys(vec![old.jwk(), new.jwk()]);
    // An unknown key causes one fetch; both keys are valid from then on.
    assert_eq!(node.negotiate(token(&new)).await, 200);
    assert_eq!(node.negotiate(token(&old)).await, 200);
    assert_eq!(stub.requests().len(), fetched + 1);
    for _ in 0..20 {
        assert_eq!(node.negotiate(token(&foreign)).await, 401);
    }
    assert_eq!(stub.requests().len(), fetched + 1, "unknown keys cause one fetch in half a minute");
    // The last good keys are used while the issuer is down.
    drop(stub);
    for key in [&old, &new] {
        assert_eq!(node.negotiate(token(key)).await, 200);
    }
}

#[tokio::test]
async fn an_unreachable_issuer_is_not_the_tokens_fault() {
    let settings = Settings::default().issuer("https://issuer.example", "http://127.0.0.1:9/keys", "users = true");
    let node = Node::start_with(settings).await;
    let key = SigningKey::generate().expect("a key");
    let token = Token::user("alice", "acme").claim("iss", "https://issuer.example").sign_with(&key);
    let answer = Connect::new(HUB, token).negotiate(node.address()).await.expect("an answer").expect(503);
    assert!(answer.header("retry-after").is_some());
    assert_eq!(node.negotiate(Token::user("alice", "acme").sign()).await, 200, "another issuer is not concerned");
}

#[tokio::test]
async fn auth_rotates_its_keys_and_nobody_is_signed_out() {
    let platform = Platform::start().await;
    let (alice, root) = (platform.login("alice").await, platform.login("root").await);
    let mut tab = platform.node.tab_with(&alice).await;
    let rotated = platform.auth.send(&Request::post("/keys/rotate").bearer(&root)).await.expect(200).json();
    let published = Request::get("/.well-known/jwks.json");
    let keys = platform.auth.send(&published).await.expect(200).json();
    assert!(keys["keys"].as_array().expect("a list").iter().any(|key| key["kid"] == rotated["kid"]), "{keys}");
    let newer = platform.login("alice").await;
    assert_ne!(alice.split('.').next(), newer.split('.').next(), "another key signs");
    for token in [&alice, &newer] {
        assert_eq!(platform.node.negotiate(token).await, 200);
        platform.flags(token, "acme").await;
    }
    platform.node.publish(&[NewEvent::alert("acme", "still here")]).await;
    assert_eq!(tab.expect("toast").await["title"], "still here");
}

#[tokio::test]
async fn naming_another_org_is_forbidden() {
    let node = Node::start_default().await;
    let alice = || Connect::new(HUB, Token::user("alice", "acme").sign());
    let homeless = || Connect::new(HUB, Token::user("alice", "unused").without("org").sign());
    for (connect, status) in [
        (alice().header("x-organization-id", "acme"), 200),
        (alice().query("org", "acme"), 200),
        (alice().query("ORG", "acme"), 200),
        (alice().header("x-organization-id", "globex"), 403),
        (alice().query("org", "globex"), 403),
        (alice().query("Org", "globex"), 403),
        (alice().header("x-organization-id", "acme").query("org", "globex"), 403),
        (alice().header("x-organization-id", "globex").query("org", "acme"), 403),
        (alice().query("org", "acme%2Frole%3Aadmin"), 403),
        (alice().query("org", ""), 403),
        (homeless(), 200),
        (homeless().query("org", "acme"), 403),
    ] {
        let negotiated = connect.negotiate(node.address()).await.expect("an answer");
        assert_eq!(negotiated.status, status, "{connect:?}: {}", negotiated.text());
        let opened = connect.open(node.address(), None).await.expect("an answer");
        let opened = opened.map_or_else(|refused| refused.status, |_| 200);
        assert_eq!(opened, status, "{connect:?}");
    }
}

#[tokio::test]
async fn a_superadmin_looks_into_any_org_but_only_one_that_is_named() {
    let node = Node::start_default().await;
    // Older than the change of roles below, which applies to it.
    let token = Token::user("root", "platform").roles(&["superadmin"]).claim("iat", now() - 60).sign();
    let root = || Connect::new(HUB, &token);
    let mut at_home = root().connect(node.address()).await;
    let mut visiting = root().query("org", "globex").connect(node.address()).await;
    let mut by_header = root().header("x-organization-id", "globex").connect(node.address()).await;
    node.publish(&[NewEvent::alert("acme", "of acme"), NewEvent::alert("globex", "of globex")]).await;
    node.publish(&[NewEvent::alert("platform", "of platform")]).await;
    for tab in [&mut visiting, &mut by_header] {
        assert_eq!(tab.expect("toast").await["title"], "of globex");
        assert_eq!(tab.expect("toast").await["title"], "of platform");
    }
    assert_eq!(at_home.expect("toast").await["title"], "of platform");
    // Without the role the right is gone, in an open tab and in a new one.
    let taken = json!({ "user": "root", "org": "platform", "roles": ["user"] });
    node.publish(&[NewEvent::new("auth.RolesChanged", "taken", &taken)]).await;
    assert_eq!(at_home.expect("toast").await["title"], "Your roles changed");
    assert_eq!(root().query("org", "globex").negotiate(node.address()).await.expect("an answer").status, 403);
    node.publish(&[NewEvent::alert("globex", "secret"), NewEvent::alert("platform", "common")]).await;
    assert_eq!(at_home.expect("toast").await["title"], "common");
    for mut tab in [visiting, by_header] {
        loop {
            match tab.next().await {
                Message::Notification(_, toast) if toast["title"] == "common" => break,
                Message::Notification(_, toast) => assert_eq!(toast["title"], "Your roles changed"),
                // Closing the connection counts as well as leaving the org.
                Message::Close(_, allow_reconnect) => {
                    assert!(!allow_reconnect, "it would be refused");
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn the_tokens_of_users_and_producers_are_no_substitute_for_each_other() {
    let node = Node::start_default().await;
    let alert = NewEvent::alert("acme", "t");
    let post = async |token: Token| node.post(token.sign(), &alert).await.status;
    // A user's token stays one, whatever it says about publishing.
    assert_eq!(post(Token::user("alice", "acme")).await, 403);
    assert_eq!(
        post(Token::user("alice", "acme").roles(&["superadmin", "producer"]).claim("publish", ["*"])).await,
        403
    );
    assert_eq!(post(Token::producer().roles(&["user"])).await, 403);
    assert_eq!(post(Token::producer().without("publish")).await, 403);
    assert_eq!(post(Token::producer().claim("publish", json!([]))).await, 403);
    assert_eq!(post(Token::producer().claim("publish", ["license.*", "auth.UserLoggedOut"])).await, 403);
    assert_eq!(post(Token::producer().claim("publish", "not a pattern")).await, 401);
    assert_eq!(post(Token::producer().claim("publish", ["system.*"])).await, 202);
    assert_eq!(node.negotiate(Token::producer().sign()).await, 401);
    let token = Token::producer().claim("aud", ["fanfare", "fanfare-publish"]).sign();
    assert_eq!((node.negotiate(&token).await, node.post(&token, &alert).await.status), (200, 202));
}

#[tokio::test]
async fn an_issuer_publishes_no_more_than_it_may() {
    let key = SigningKey::generate().expect("a key");
    let stub = Stub::with_keys(vec![key.jwk()]).await;
    let more = "users = false\npublish = [\"license.*\"]";
    let settings = Settings::default().issuer("https://license.example", &format!("{}/keys", stub.url()), more);
    let node = Node::start_with(settings).await;
    let producer = Token::producer().claim("iss", "https://license.example").sign_with(&key);
    node.post(&producer, &NewEvent::flag("acme", "f", true, "1")).await.expect(202);
    node.post(&producer, &NewEvent::alert("acme", "not mine")).await.expect(403);
    let user = Token::user("alice", "acme").claim("iss", "https://license.example").sign_with(&key);
    assert_eq!(node.negotiate(user).await, 401, "it is no issuer of users");
}

#[tokio::test]
async fn a_connection_ends_with_its_token_and_may_come_back() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme").claim("exp", now() + 1)).await;
    let mut longer = node.tab(&Token::user("alice", "acme")).await;
    let end = tokio::time::timeout(Duration::from_secs(5), tab.next()).await.expect("within seconds");
    assert_eq!(end, Message::Close(None, true), "with a fresh token");
    longer.cursor().await;
}

#[tokio::test]
async fn a_change_of_roles_counts_at_once_and_for_older_tokens() {
    let platform = Platform::start().await;
    let (alice, bob) = (platform.login("alice").await, platform.login("bob").await);
    let mut tab = platform.node.tab_with(&alice).await;
    let change =
        |roles: &[&str]| Request::new("PUT", "/users/alice/roles").bearer(&bob).json(&json!({ "roles": roles }));
    platform.auth.send(&change(&["user", "admin"])).await.expect(202);
    assert_eq!(tab.expect("toast").await["title"], "Your roles changed");
    let to_admins = |title: &str| NewEvent::new("system.Alert", title, &json!({ "title": title, "message": "m" }));
    platform.node.publish(&[to_admins("first")]).await;
    assert_eq!(tab.expect("toast").await["title"], "first");
    let mut later = platform.node.tab_with(&alice).await;
    platform.node.publish(&[to_admins("second")]).await;
    for tab in [&mut tab, &mut later] {
        assert_eq!(tab.expect("toast").await["title"], "second");
    }
    platform.auth.send(&change(&["user"])).await.expect(202);
    // Once the toast is there, the role is gone.
    for tab in [&mut tab, &mut later] {
        assert_eq!(tab.expect("toast").await["title"], "Your roles changed");
    }
    platform.node.publish(&[to_admins("third"), NewEvent::alert("acme", "to all")]).await;
    for tab in [&mut tab, &mut later] {
        assert_eq!(tab.expect("toast").await["title"], "to all");
    }
    until("a node that has counted", async || {
        (platform.node.metric("fanfare_role_overrides", "").await > 0.5).then_some(())
    })
    .await;
}
