//! A new token for an open connection: who may send it, what it changes, and the node's answers.

use fanfare_e2e_tests::client::{Connect, Message};
use fanfare_e2e_tests::token::now;
use fanfare_e2e_tests::transport::{Transport, Wire};
use fanfare_e2e_tests::wait::at_most;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Request, Response, Settings, Token};
use serde_json::{Value, json};

const ROUTES: &str = r#"
hub = "/hubs/notifications"
[[route]]
name = "roles"
event = "auth.RolesChanged"
groups = ["user:{user}"]
roles = { user = "{user}", org = "{org}", roles = "{roles}" }
toast = { severity = "info", title = "roles", message = "m" }
[[route]]
name = "to-editors"
event = "system.Alert"
when = { user = { present = false } }
groups = ["org:{org}/role:editor"]
toast = { severity = "info", title = "{title}", message = "m" }
[[route]]
name = "to-user"
event = "system.Alert"
when = { user = { present = true } }
groups = ["user:{user}"]
toast = { severity = "info", title = "{title}", message = "m" }
[[route]]
name = "out"
event = "auth.UserLoggedOut"
groups = ["user:{user}"]
cross_org = true
logout = { user = "{user}", reason = "{reason}" }
"#;

async fn node() -> Node {
    Node::start_with(Settings { routes: ROUTES.to_owned(), ..Settings::default() }).await
}

/// Alice's token from this many seconds ago.
fn alice(age: i64, roles: &[&str]) -> Token {
    Token::user("alice", "acme").roles(roles).claim("iat", now() - age)
}

fn for_alice(title: &str) -> NewEvent {
    NewEvent::new("system.Alert", title, &json!({ "org": "acme", "user": "alice", "title": title, "message": "m" }))
}

async fn refresh(node: &Node, connection: &str, token: &Token) -> Response {
    request(connection).bearer(token.sign()).send(node.address()).await.expect("an answer")
}

fn request(connection: &str) -> Request {
    Request::post(format!("{HUB}/refresh")).header("x-signalr-connection-token", connection)
}

#[tokio::test]
async fn a_tab_with_another_token_outlives_the_one_that_opened_it() {
    let node = node().await;
    for transport in Transport::ALL {
        let short = alice(10, &["user"]).claim("exp", now() + 4);
        let open = async || {
            let connect = Connect::new(HUB, short.sign());
            Wire::connect(&connect, transport, node.address()).await.expect("connects").expect("let in")
        };
        let (mut tab, mut left) = (open().await, open().await);
        let longer = alice(0, &["user"]);
        let answer = refresh(&node, tab.connection_token(), &longer).await.expect(200);
        let lifetime = answer.json()["tokenLifetimeSeconds"].as_i64().expect("a number");
        assert!((3590..=3600).contains(&lifetime), "{transport:?}: {lifetime}");
        tab.go_on_as(Connect::new(HUB, longer.sign()));
        let ended = async {
            loop {
                match left.receive().await {
                    Message::Close(..) | Message::Gone | Message::SocketClosed(_) => break,
                    _ => {}
                }
            }
        };
        at_most("the end of the other tab", ended).await;
        assert!(now() >= short.claims()["exp"].as_i64().expect("a number"), "{transport:?}");
        node.publish(&[for_alice(&format!("late {transport:?}"))]).await;
        assert_eq!(tab.title().await, format!("late {transport:?}"));
    }
}

#[tokio::test]
async fn role_groups_are_left_and_joined_with_another_token() {
    let node = node().await;
    let mut tab = node.tab(&alice(60, &["user"])).await;
    let connection = tab.connection_token().to_owned();
    node.publish(&[NewEvent::alert("acme", "unheard")]).await;
    tab.expect_silence().await;
    refresh(&node, &connection, &alice(50, &["editor"])).await.expect(200);
    node.publish(&[NewEvent::alert("acme", "for editors")]).await;
    assert_eq!(tab.expect("toast").await["title"], "for editors");
    refresh(&node, &connection, &alice(40, &["user"])).await.expect(200);
    node.publish(&[NewEvent::alert("acme", "unheard again"), for_alice("still alice's")]).await;
    assert_eq!(tab.expect("toast").await["title"], "still alice's");
    // Roles of an event override those of an older token, even one that arrives after the event.
    let roles = json!({ "user": "alice", "org": "acme", "roles": ["editor"] });
    node.publish(&[NewEvent::new("auth.RolesChanged", "given", &roles)]).await;
    assert_eq!(tab.expect("toast").await["title"], "roles");
    refresh(&node, &connection, &alice(30, &["user"])).await.expect(200);
    node.publish(&[NewEvent::alert("acme", "by the event")]).await;
    assert_eq!(tab.expect("toast").await["title"], "by the event");
    // A token issued after the event has its own roles.
    refresh(&node, &connection, &alice(-2, &["user"])).await.expect(200);
    node.publish(&[NewEvent::alert("acme", "not any more"), for_alice("the end")]).await;
    assert_eq!(tab.expect("toast").await["title"], "the end");
}

#[tokio::test]
async fn a_connection_stays_what_it_was_opened_as() {
    let hubs = format!("[hub.\"{HUB}\"]\nrequire_roles = [\"user\", \"superadmin\"]\n");
    let node = Node::start_with(Settings { hubs, routes: ROUTES.to_owned(), ..Settings::default() }).await;
    let mut tab = node.tab(&alice(60, &["user"])).await;
    let connection = tab.connection_token().to_owned();
    let session = |session: &str| alice(0, &["user"]).session(session);
    for (what, token) in [
        ("another user", Token::user("bob", "acme").session("session-of-alice")),
        ("another org", alice(0, &["user"]).claim("org", "globex")),
        ("another session", session("another")),
        ("no session", alice(0, &["user"]).without("sid")),
        ("no role that the hub asks for", alice(0, &["guest"])),
    ] {
        let answer = refresh(&node, &connection, &token).await;
        assert_eq!((answer.status, answer.json()), (403, json!({ "error": "permission_change_rejected" })), "{what}");
    }
    // An additional org in the token does not help either, even if a role would allow it.
    let root = alice(0, &["superadmin"]);
    let named = request(&connection).bearer(root.sign()).header("x-organization-id", "globex");
    assert_eq!(named.send(node.address()).await.expect("an answer").status, 403);
    let forged = request(&connection).bearer("no.token.at-all").send(node.address()).await.expect("an answer");
    assert_eq!((forged.status, forged.json()), (401, json!({ "error": "invalid_token" })));
    node.publish(&[for_alice("as before")]).await;
    assert_eq!(tab.expect("toast").await["title"], "as before");
    assert_eq!(node.metric("fanfare_token_refreshes_total", "permission_change_rejected").await, 6.0);
}

#[tokio::test]
async fn an_older_token_never_takes_the_place_of_a_newer_one() {
    let node = node().await;
    let connect = |token: &Token| Connect::new(HUB, token.sign());
    let first = alice(60, &["user"]);
    let opened = Wire::connect(&connect(&first), Transport::LongPolling, node.address()).await;
    let mut tab = opened.expect("connects").expect("let in");
    let connection = tab.connection_token().to_owned();
    let newest = alice(10, &["editor"]).claim("exp", now() + 1800);
    refresh(&node, &connection, &newest).await.expect(200);
    // It crossed the logout on the way.
    let answer = refresh(&node, &connection, &alice(30, &["user"])).await.expect(200);
    assert!(answer.json()["tokenLifetimeSeconds"].as_i64().expect("a number") <= 1800, "{}", answer.text());
    let poll = |token: &Token| Request::get(format!("{HUB}?id={connection}")).bearer(token.sign());
    let replaced = poll(&first).send(node.address()).await.expect("an answer").expect(409);
    assert_eq!(replaced.json(), json!({ "error": "authentication_refresh_required" }));
    assert_eq!(replaced.header("content-type"), Some("application/json"));
    tab.go_on_as(connect(&newest));
    node.publish(&[NewEvent::alert("acme", "for editors")]).await;
    assert_eq!(tab.title().await, "for editors");
}

#[tokio::test]
async fn a_logout_ends_tabs_whatever_token_they_have_now() {
    let node = node().await;
    let mut tab = node.tab(&alice(60, &["user"])).await;
    let connection = tab.connection_token().to_owned();
    refresh(&node, &connection, &alice(30, &["user"])).await.expect(200);
    let body = json!({ "user": "alice", "org": "acme", "session": null, "reason": "bye" });
    node.publish(&[NewEvent::new("auth.UserLoggedOut", "out", &body)]).await;
    assert_eq!(tab.expect("logout").await["reason"], "bye");
    assert_eq!(tab.next().await, Message::Close(None, false));
    // A later login is for other tabs.
    let later = alice(-2, &["user"]);
    let answer = refresh(&node, &connection, &later).await;
    assert_eq!((answer.status, answer.json()), (404, json!({ "error": "connection_not_found" })));
    let mut again = node.tab(&later).await;
    let answer = refresh(&node, again.connection_token(), &alice(20, &["user"])).await;
    assert_eq!((answer.status, answer.json()), (401, json!({ "error": "invalid_token" })));
    node.publish(&[for_alice("here")]).await;
    assert_eq!(again.expect("toast").await["title"], "here");
}

#[tokio::test]
async fn refreshes_are_answered_as_clients_expect() {
    let hubs =
        format!("[hub.\"{HUB}\"]\n[hub.\"/hubs/fixed\"]\ntoken_refresh = false\n[hub.\"/hubs/open\"]\npublic = true\n");
    let node = Node::start_with(Settings { hubs, ..Settings::default() }).await;
    let token = alice(0, &["user"]);
    let negotiate =
        async |hub: &str| Connect::new(hub, token.sign()).negotiate(node.address()).await.expect("an answer");
    let offered = negotiate(HUB).await.json();
    assert!((3590..=3600).contains(&offered["tokenLifetimeSeconds"].as_i64().expect("a number")), "{offered}");
    assert_eq!(negotiate("/hubs/fixed").await.json().get("tokenLifetimeSeconds"), None);
    let tab = node.tab(&token).await;
    let connection = tab.connection_token();
    let send = async |request: Request| {
        let answer = request.bearer(token.sign()).send(node.address()).await.expect("an answer");
        assert!(answer.header("content-length").is_some() && answer.header("cache-control") == Some("no-store"));
        (answer.status, answer.text())
    };
    let refused = |status: u16, code: &str| (status, json!({ "error": code }).to_string());
    assert_eq!(send(Request::get(format!("{HUB}/refresh"))).await, (405, String::new()));
    assert_eq!(send(Request::post("/hubs/fixed/refresh")).await, refused(404, "refresh_disabled"));
    assert_eq!(send(Request::post(format!("{HUB}/refresh"))).await, refused(400, "missing_connection_token"));
    assert_eq!(send(request("forged")).await, refused(404, "connection_not_found"));
    // Negotiated, but never connected.
    let unused = offered["connectionToken"].as_str().expect("a token");
    assert_eq!(send(request(unused)).await, refused(404, "connection_not_found"));
    // A connection of the old form, whose id is its token.
    let old = Request::post(format!("{HUB}/negotiate")).bearer(token.sign()).send(node.address()).await;
    let old = old.expect("an answer").json()["connectionId"].as_str().expect("an id").to_owned();
    let _socket =
        Connect::new(HUB, token.sign()).open(node.address(), Some(&old)).await.expect("open").expect("let in");
    assert_eq!(send(request(&old)).await, refused(400, "unsupported_negotiate_version"));
    let anonymous = request(connection).send(node.address()).await.expect("an answer");
    assert_eq!((anonymous.status, anonymous.text()), refused(401, "invalid_token"));
    assert_eq!(anonymous.header("www-authenticate"), Some("Bearer"));
    for by in [request(connection), Request::post(format!("{HUB}/refresh?id={connection}"))] {
        let (status, body) = send(by).await;
        assert_eq!(status, 200, "{body}");
        let body: Value = serde_json::from_str(&body).expect("JSON");
        assert!(body["tokenLifetimeSeconds"].as_i64().is_some_and(|left| left > 3500), "{body}");
    }
    let open = Connect::new("/hubs/open", "").connect(node.address()).await;
    let nobody = Request::post("/hubs/open/refresh").header("x-signalr-connection-token", open.connection_token());
    let answer = nobody.send(node.address()).await.expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
}
