//! Identities in the forms that issuers use: ids, roles, shapes of claims, several issuers, origins, cookies, late
//! tabs.

use std::time::Duration;

use fanfare_e2e_tests::client::{Connect, Message};
use fanfare_e2e_tests::stub::Stub;
use fanfare_e2e_tests::token::now;
use fanfare_e2e_tests::transport::{Transport, Wire};
use fanfare_e2e_tests::wait::at_most;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Request, Settings, Token};
use fanfare_token::SigningKey;
use serde_json::{Value, json};

const ODD_USERS: [&str; 6] =
    ["auth0|64f0c2", "_eNtra", "urn:acme:user:17", "anna+test@example.org", "j\u{fc}rgen", "a b/c.*>"];

fn logout(user: &str, org: &str, session: Option<&str>) -> NewEvent {
    let body = json!({ "user": user, "org": org, "session": session, "reason": "bye" });
    NewEvent::new("auth.UserLoggedOut", &format!("out-{}-{}", user.len(), org.len()), &body)
}

/// The tab gets its logout and is closed; nothing else arrives before that.
async fn expect_logout(tab: &mut fanfare_e2e_tests::Tab) {
    assert_eq!(tab.expect("logout").await["reason"], "bye");
    assert_eq!(tab.next().await, Message::Close(None, false));
}

#[tokio::test]
async fn users_and_orgs_of_any_alphabet_receive_their_own_and_are_logged_out() {
    let node = Node::start_default().await;
    for user in ODD_USERS {
        let org = format!("org of {user}");
        let token = Token::user(user, &org);
        let mut tab = node.tab(&token).await;
        let alert = json!({ "org": org, "user": user, "title": user, "message": "m" });
        node.publish(&[NewEvent::new("system.Alert", &format!("alert-{}", user.len()), &alert)]).await;
        assert_eq!(tab.expect("toast").await["title"], user);
        node.publish(&[logout(user, &org, None)]).await;
        expect_logout(&mut tab).await;
        assert_eq!(node.negotiate(token.sign()).await, 401);
    }
    assert!(node.lines("dead letter").is_empty(), "{}", node.log());
}

#[tokio::test]
async fn the_org_of_a_header_is_percent_encoded() {
    let node = Node::start_default().await;
    let org = "j\u{fc}rgens org";
    let mut tab = node.tab(&Token::user("alice", org)).await;
    node.publish(&[NewEvent::alert(org, "here").header("ce-org", "j%C3%BCrgens%20org")]).await;
    assert_eq!(tab.expect("toast").await["title"], "here");
    let producer = Token::producer().sign();
    node.post(&producer, &NewEvent::alert(org, "other").header("ce-org", "jurgens%20org")).await.expect(400);
}

const ROLE_ROUTES: &str = r#"
hub = "/hubs/notifications"
[[route]]
name = "roles"
event = "auth.RolesChanged"
groups = ["user:{user}"]
roles = { user = "{user}", org = "{org}", roles = "{roles}" }
toast = { severity = "info", title = "roles", message = "m" }
[[route]]
name = "to-role"
event = "system.Alert"
when = { user = { present = false } }
groups = ["org:{org}/role:tickets/approve"]
toast = { severity = "info", title = "{title}", message = "m" }
[[route]]
name = "out"
event = "auth.UserLoggedOut"
groups = ["user:{user}"]
cross_org = true
logout = { user = "{user}", reason = "{reason}" }
"#;

#[tokio::test]
async fn roles_of_any_alphabet_are_given_and_taken_in_open_tabs() {
    let settings = Settings { routes: ROLE_ROUTES.to_owned(), ..Settings::default() };
    let node = Node::start_with(settings).await;
    let token = Token::user("alice", "acme").claim("iat", now() - 60);
    let mut tab = node.tab(&token).await;
    let roles = |id: &str, roles: &[&str]| {
        NewEvent::new("auth.RolesChanged", id, &json!({ "user": "alice", "org": "acme", "roles": roles }))
    };
    node.publish(&[roles("given", &["tickets/approve", "Super Admin", "read:alerts"])]).await;
    assert_eq!(tab.expect("toast").await["title"], "roles");
    node.publish(&[NewEvent::alert("acme", "for approvers")]).await;
    assert_eq!(tab.expect("toast").await["title"], "for approvers");
    node.publish(&[roles("taken", &["Super Admin"]), NewEvent::alert("acme", "unheard")]).await;
    assert_eq!(tab.expect("toast").await["title"], "roles");
    tab.expect_silence().await;
    let mut by_token = node.tab(&Token::user("bob", "acme").roles(&["tickets/approve"])).await;
    node.publish(&[NewEvent::alert("acme", "by token")]).await;
    assert_eq!(by_token.expect("toast").await["title"], "by token");
}

#[tokio::test]
async fn a_session_of_one_user_is_not_anothers() {
    let node = Node::start_default().await;
    let (alice, bob) = (Token::user("alice", "acme").session("1"), Token::user("bob", "globex").session("1"));
    let (mut of_alice, mut of_bob) = (node.tab(&alice).await, node.tab(&bob).await);
    node.publish(&[logout("alice", "acme", Some("1"))]).await;
    expect_logout(&mut of_alice).await;
    assert_eq!((node.negotiate(alice.sign()).await, node.negotiate(bob.sign()).await), (401, 200));
    node.publish(&[NewEvent::alert("globex", "bob stays")]).await;
    assert_eq!(of_bob.expect("toast").await["title"], "bob stays");
}

/// A platform with its own issuer and a partner's, which may name only acme and no superadmin.
async fn two_issuers() -> (Node, Stub, [SigningKey; 2]) {
    let keys = [(); 2].map(|()| SigningKey::generate().expect("a key"));
    let stub = Stub::with_keys(keys.iter().map(SigningKey::jwk).collect()).await;
    let jwks = format!("{}/keys", stub.url());
    let own = "users = true\nrealm = \"own\"\norgs = [\"*\"]\nroles = [\"*\", \"superadmin\"]";
    let partner = "users = true\nrealm = \"partner\"\norgs = [\"acme\"]\nroles = [\"*\"]";
    let settings = Settings::default().issuer("https://own", &jwks, own).issuer("https://partner", &jwks, partner);
    (Node::start_with(settings).await, stub, keys)
}

#[tokio::test]
async fn the_users_of_two_issuers_are_apart_and_a_partner_names_its_own_orgs_alone() {
    let (node, _stub, [own, partner]) = two_issuers().await;
    let of_own = |token: Token| token.claim("iss", "https://own").sign_with(&own);
    let of_partner = |token: Token| token.claim("iss", "https://partner").sign_with(&partner);
    let alice = || Token::user("alice", "acme").claim("iat", now() - 60);
    let mut at_home = node.tab_with(of_own(alice())).await;
    let mut abroad = node.tab_with(of_partner(alice())).await;
    // The user of an event belongs to the first issuer.
    let alert = json!({ "org": "acme", "user": "alice", "title": "for alice", "message": "m" });
    node.publish(&[NewEvent::new("system.Alert", "1", &alert), NewEvent::alert("acme", "for acme")]).await;
    assert_eq!(at_home.expect("toast").await["title"], "for alice");
    assert_eq!(at_home.expect("toast").await["title"], "for acme");
    assert_eq!(abroad.expect("toast").await["title"], "for acme", "and nothing that was alice's");
    // So do roles.
    let changed = json!({ "user": "alice", "org": "acme", "roles": ["editor"] });
    node.publish(&[NewEvent::new("auth.RolesChanged", "2", &changed), NewEvent::alert("acme", "later")]).await;
    assert_eq!(at_home.expect("toast").await["title"], "Your roles changed");
    assert_eq!(abroad.expect("toast").await["title"], "later");
    // What the partner may not name is refused or left out, and logged.
    assert_eq!(node.negotiate(of_partner(Token::user("alice", "globex"))).await, 401);
    assert_eq!(node.lines("token refused").last().expect("a line")["claim"], "org");
    let root = of_partner(Token::user("root", "acme").roles(&["superadmin"]));
    let visiting = Connect::new(HUB, &root).query("org", "globex").negotiate(node.address()).await.expect("an answer");
    assert_eq!((node.negotiate(&root).await, visiting.status), (200, 403));
    assert!(node.metric("fanfare_token_values_dropped_total", "not_of_issuer").await >= 1.0);
    // A logout applies to every realm.
    node.publish(&[logout("alice", "acme", None)]).await;
    for tab in [&mut at_home, &mut abroad] {
        loop {
            match tab.next().await {
                Message::Notification(target, _) if target == "toast" => {}
                Message::Notification(target, told) => {
                    assert_eq!((&*target, &told["reason"]), ("logout", &json!("bye")));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(tab.next().await, Message::Close(None, false));
    }
    assert_eq!((node.negotiate(of_own(alice())).await, node.negotiate(of_partner(alice())).await), (401, 401));
}

#[tokio::test]
async fn claims_come_in_the_shapes_of_issuers() {
    let key = SigningKey::generate().expect("a key");
    let stub = Stub::with_keys(vec![key.jwk()]).await;
    let more = "users = true\nclaims = { org = \"organization\", roles = { claim = \"scp\", list = \"words\" } }";
    let settings = Settings::default().issuer("https://keycloak", &format!("{}/keys", stub.url()), more);
    let node = Node::start_with(settings).await;
    let token = |organization: Value| {
        let token = Token::user("unused", "unused").without("iat").without("org").without("roles");
        let token = token.claim("sub", 17).claim("scp", "admin tickets.read").claim("organization", organization);
        token.claim("iss", "https://keycloak").sign_with(&key)
    };
    let mut tab = node.tab_with(token(json!({ "acme": { "id": "1" } }))).await;
    let alert = json!({ "org": "acme", "user": "17", "title": "for 17", "message": "m" });
    node.publish(&[NewEvent::new("system.Alert", "1", &alert)]).await;
    assert_eq!(tab.expect("toast").await["title"], "for 17");
    let several = token(json!(["acme", "globex"]));
    let named = |org: &str| Connect::new(HUB, &several).query("org", org);
    for (connect, status) in [(named("globex"), 200), (named("initech"), 403), (Connect::new(HUB, &several), 403)] {
        assert_eq!(connect.negotiate(node.address()).await.expect("an answer").status, status, "{connect:?}");
    }
    let mut at_globex = named("globex").connect(node.address()).await;
    node.publish(&[NewEvent::alert("acme", "of acme"), NewEvent::alert("globex", "of globex")]).await;
    assert_eq!(at_globex.expect("toast").await["title"], "of globex");
    let unprintable = Token::user("alice", "acme").claim("sid", "a\nb").sign();
    assert_eq!(node.negotiate(unprintable).await, 401, "the hub needs the session");
    assert_eq!(node.negotiate(token(json!(true))).await, 401, "and an org");
    let line = node.lines("token refused").pop().expect("a line");
    assert_eq!((&line["claim"], &line["reason"]), (&json!("organization"), &json!("invalid_claim")), "{line}");
}

#[tokio::test]
async fn claims_may_be_lists_of_words() {
    let key = SigningKey::generate().expect("a key");
    let stub = Stub::with_keys(vec![key.jwk()]).await;
    let more = "users = true\nclaims = { org = { claim = \"orgs\", list = \"words\" }, teams = { claim = \"scp\", list = \"words\" } }";
    let settings = Settings::default().issuer("https://words", &format!("{}/keys", stub.url()), more);
    let hubs = format!("[hub.\"{HUB}\"]\njoin = [\"org:{{org}}\", \"team:{{claim.teams}}\", \"user:{{user}}\"]\n");
    let routes = "hub = \"/hubs/notifications\"\n[event.\"teams.Told\"]\nfields = { org = \"string\", team = \"string\" }\n\
                  [[route]]\nname = \"told\"\nevent = \"teams.Told\"\ngroups = [\"team:{team}\"]\nsend = true\n";
    let node = Node::start_with(Settings { hubs, routes: routes.to_owned(), ..settings }).await;
    let token = Token::user("alice", "unused").without("org").claim("orgs", "acme globex").claim("scp", "red blue");
    let token = token.claim("iss", "https://words").sign_with(&key);
    let named = |org: &str| Connect::new(HUB, &token).query("org", org);
    for (connect, status) in [(named("acme"), 200), (named("acme%20globex"), 403), (Connect::new(HUB, &token), 403)] {
        assert_eq!(connect.negotiate(node.address()).await.expect("an answer").status, status, "{connect:?}");
    }
    let mut tab = named("globex").connect(node.address()).await;
    let told = |id: &str, org: &str, team: &str| NewEvent::new("teams.Told", id, &json!({ "org": org, "team": team }));
    node.publish(&[told("1", "globex", "red blue"), told("2", "acme", "red"), told("3", "globex", "blue")]).await;
    assert_eq!(tab.expect("Told").await["team"], "blue");
    node.publish(&[told("4", "globex", "red")]).await;
    assert_eq!(tab.expect("Told").await["team"], "red");
}

#[tokio::test]
async fn a_token_is_explained_on_the_command_line() {
    let hubs = format!(
        "[hub.\"{HUB}\"]\n[hub.\"/hubs/ops\"]\nrequire_roles = [\"operator\"]\n\
         [hub.\"/hubs/paid\"]\nrequire_claims = {{ plan = [\"pro\"] }}\n"
    );
    let node = Node::start_with(Settings { hubs, ..Settings::default() }).await;
    let explain = async |token: String| node.fanfare(&["token", "--explain", &token]).await;
    let good = explain(Token::user("auth0|1", "acme").roles(&["Super Admin"]).sign()).await;
    for part in
        ["user       auth0|1", "org        acme", "roles      Super Admin", "org:acme/role:Super Admin", "operator"]
    {
        assert!(good.stdout.contains(part), "{part}\n{}{}", good.stdout, good.stderr);
    }
    let partly = Token::user("alice", "acme").claim("plan", json!(["free", " "])).roles(&["a\nb", "admin"]);
    let partly = explain(partly.sign()).await;
    for part in [
        "left out   1 of claim `roles`: it holds a control character",
        "left out   1 of claim `plan`: it is blank",
        "/hubs/paid: refused with 403, since it asks for another value of the claim `plan`",
    ] {
        assert!(partly.stdout.contains(part), "{part}\n{}{}", partly.stdout, partly.stderr);
    }
    let expired = explain(Token::user("alice", "acme").claim("exp", now() - 90).sign()).await;
    assert!(expired.stderr.contains("refused (expired)"), "{}", expired.stderr);
    let faulty = explain(Token::user("alice", "acme").claim("sub", "a\nb").sign()).await;
    assert!(faulty.stderr.contains("claim `sub` is not valid: it holds a control character"), "{}", faulty.stderr);
    let token = node.fanfare(&["token", "--user", "auth0|1", "--org", "acme", "--role", "tickets/approve"]).await;
    assert_eq!(node.negotiate(token.stdout.trim()).await, 200, "{}", token.stderr);
}

#[tokio::test]
async fn pages_of_listed_origins_may_send_what_tracing_adds() {
    let cors =
        "[cors]\norigins = [\"https://*.example.com\", \"capacitor://localhost\", \"null\"]\nheaders = [\"x-own\"]";
    let node = Node::start_with(Settings::default().section(cors)).await;
    let preflight = async |origin: &str, headers: &str| {
        let request = Request::new("OPTIONS", format!("{HUB}/negotiate"))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", headers);
        let answer = request.send(node.address()).await.expect("an answer");
        let allowed = answer.header("access-control-allow-origin").map(str::to_owned);
        (allowed, answer.header("access-control-allow-headers").unwrap_or_default().to_owned())
    };
    for origin in ["https://acme.example.com", "capacitor://localhost", "null"] {
        let (allowed, headers) = preflight(origin, "authorization").await;
        assert_eq!(allowed.as_deref(), Some(origin));
        for header in ["authorization", "traceparent", "request-id", "baggage", "sentry-trace", "x-own"] {
            assert!(headers.split(',').any(|known| known.trim() == header), "{header} of {headers}");
        }
        let token = Token::user("alice", "acme").sign();
        let opened = Connect::new(HUB, token).header("origin", origin).open(node.address(), None).await;
        assert!(opened.expect("an answer").is_ok(), "{origin}");
    }
    assert_eq!(preflight("https://example.com.evil.org", "authorization").await.0, None);
}

#[tokio::test]
async fn a_cookie_is_taken_from_pages_of_ones_own_alone() {
    let hubs = format!("[hub.\"{HUB}\"]\ncookie = \"__Host-session\"\n");
    let node = Node::start_with(Settings { hubs, ..Settings::default() }).await;
    let cookie = format!("theme=dark; __Host-session={}", Token::user("alice", "acme").sign());
    let own = format!("http://{}", node.address());
    let negotiate = async |headers: &[(&str, &str)]| {
        let mut request = Request::post(format!("{HUB}/negotiate?negotiateVersion=1"));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        request.send(node.address()).await.expect("an answer").status
    };
    assert_eq!(negotiate(&[("cookie", &cookie), ("origin", &own)]).await, 200);
    assert_eq!(negotiate(&[("cookie", &cookie), ("sec-fetch-site", "same-origin")]).await, 200);
    assert_eq!(negotiate(&[("cookie", &cookie), ("origin", "https://evil.example")]).await, 403);
    assert_eq!(negotiate(&[("cookie", &cookie), ("origin", "null")]).await, 403);
    assert_eq!(negotiate(&[("cookie", &cookie)]).await, 403, "a form of any page can post so");
    assert_eq!(negotiate(&[("cookie", "__Host-session=no-token"), ("origin", &own)]).await, 401);
    // Another host of the domain may have set one of them, before or after the good one, in one header line or two.
    let planted = format!("__Host-session={}", Token::user("mallory", "acme").sign());
    for lines in [[format!("{planted}; {cookie}"), String::new()], [cookie.clone(), planted]] {
        let mut headers: Vec<_> =
            lines.iter().filter(|line| !line.is_empty()).map(|line| ("cookie", &**line)).collect();
        headers.push(("origin", &own));
        assert_eq!(negotiate(&headers).await, 401, "{headers:?}");
    }
    assert_eq!(negotiate(&[("cookie", &format!("{cookie}; {cookie}")), ("origin", &own)]).await, 200, "the same twice");
    assert_eq!(negotiate(&[("origin", &own)]).await, 401);
    let event = NewEvent::alert("acme", "t").request("").header("cookie", &cookie).header("origin", &own);
    assert_eq!(event.send(node.address()).await.expect("an answer").status, 401, "it publishes nothing");
}

#[tokio::test]
async fn a_connection_may_outlive_its_token_and_a_logout_ends_it_all_the_same() {
    let hubs = format!("[hub.\"{HUB}\"]\nafter_expiry_minutes = 10\n[hub.\"/hubs/strict\"]\n");
    let node = Node::start_with(Settings { hubs, ..Settings::default() }).await;
    let token = Token::user("alice", "acme").claim("exp", now() + 2);
    let mut kept = Vec::new();
    for transport in Transport::ALL {
        let connect = Connect::new(HUB, token.sign());
        kept.push(Wire::connect(&connect, transport, node.address()).await.expect("connects").expect("let in"));
    }
    tokio::time::sleep(Duration::from_secs(4)).await;
    node.publish(&[NewEvent::alert("acme", "still here")]).await;
    assert_eq!(node.negotiate(token.sign()).await, 401, "it opens nothing any more");
    let next = async |tab: &mut Wire| loop {
        match at_most("a message", tab.receive()).await {
            Message::Ping => {}
            other => return other,
        }
    };
    for tab in &mut kept {
        let Message::Notification(target, told) = next(tab).await else { panic!("no notification") };
        assert_eq!((&*target, &told["title"]), ("toast", &json!("still here")));
    }
    node.publish(&[logout("alice", "acme", None)]).await;
    for tab in &mut kept {
        let Message::Notification(target, _) = next(tab).await else { panic!("no notification") };
        assert_eq!(target, "logout");
        assert_eq!(next(tab).await, Message::Close(None, false));
    }
}

#[tokio::test]
async fn a_producers_sources_may_end_in_a_star_and_its_orgs_are_its_issuers() {
    let key = SigningKey::generate().expect("a key");
    let stub = Stub::with_keys(vec![key.jwk()]).await;
    let more = "users = false\norgs = [\"acme\"]\npublish = [\"license.*\"]";
    let settings = Settings::default().issuer("https://license", &format!("{}/keys", stub.url()), more);
    let node = Node::start_with(settings).await;
    let of_issuer = |token: Token| token.claim("iss", "https://license").sign_with(&key);
    let license = of_issuer(Token::producer().claim("publish_sources", ["license/*"]));
    let flag =
        |org: &str, source: &str| NewEvent::flag(org, "f", true, &format!("{org}-{}", source.len())).source(source);
    node.post(&license, &flag("acme", "license/flags")).await.expect(202);
    node.post(&license, &flag("acme", "licenses")).await.expect(403);
    node.post(&license, &flag("globex", "license/flags")).await.expect(403);
}
