//! The demo platform's notifications: their audience and shape.

use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Platform, Request, Settings, Tab, Token};
use serde_json::{Value, json};

async fn start_export(platform: &Platform, token: &str, kind: &str) -> String {
    let request = Request::post("/exports").bearer(token).json(&json!({ "kind": kind }));
    let answer = platform.export.send(&request).await.expect(202).json();
    answer["job_id"].as_str().expect("a job").to_owned()
}

/// The toast at the end of an export, after its progress.
async fn follow_export(tab: &mut Tab, job: &str) -> Value {
    let mut percent = -1;
    loop {
        let (target, argument) = tab.notification().await;
        if target == "toast" {
            return argument;
        }
        assert_eq!((target.as_str(), argument["job_id"].as_str()), ("exportProgress", Some(job)), "{argument}");
        let now = argument["percent"].as_i64().expect("a number");
        assert!(now >= percent && argument["stage"].is_string(), "{percent} then {argument}");
        percent = now;
    }
}

#[tokio::test]
async fn an_export_reaches_every_tab_of_its_user_and_no_other() {
    let mut platform = Platform::start().await;
    platform.export.start().await;
    let (alice, bob) = (platform.login("alice").await, platform.login("bob").await);
    let mut tabs = [platform.node.tab_with(&alice).await, platform.node.tab_with(&alice).await];
    let mut other = platform.node.tab_with(&bob).await;

    let job = start_export(&platform, &alice, "usage-report").await;
    let mut links = Vec::new();
    for tab in &mut tabs {
        let toast = follow_export(tab, &job).await;
        assert_eq!(toast["severity"], "success", "{toast}");
        links.push(toast["link"].as_str().expect("a link").to_owned());
    }
    assert_eq!(links[0], links[1]);
    let path = format!("/exports/{job}/download");
    assert!(links[0].ends_with(&path), "{links:?}");
    let file = platform.export.send(&Request::get(&path).bearer(&alice)).await.expect(200);
    assert!(file.header("content-type").is_some_and(|kind| kind.starts_with("text/csv")) && !file.body.is_empty());
    assert_eq!(platform.export.send(&Request::get(&path).bearer(&bob)).await.status, 404);

    let job = start_export(&platform, &alice, "broken").await;
    for tab in &mut tabs {
        let toast = follow_export(tab, &job).await;
        assert_eq!((toast["severity"].as_str(), toast.get("link")), (Some("error"), None), "{toast}");
    }
    other.expect_silence().await;
}

#[tokio::test]
async fn an_alert_reaches_whom_it_names() {
    let platform = Platform::start().await;
    let mut tabs = Vec::new();
    for user in ["alice", "bob", "carol", "root"] {
        let token = platform.login(user).await;
        tabs.push((user, platform.node.tab_with(&token).await));
    }
    let (bob, root) = (platform.login("bob").await, platform.login("root").await);
    let raise = async |token: &str, title: &str, more: Value| {
        let mut alert = json!({ "severity": "warning", "title": title, "message": "m" });
        alert.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        platform.auth.send(&Request::post("/alerts").bearer(token).json(&alert)).await.status
    };
    for (token, title, more) in [
        (&bob, "to acme", json!({ "org": "acme" })),
        (&root, "to globex", json!({ "org": "globex" })),
        (&root, "to alice", json!({ "user": "alice" })),
        (&root, "to admins", json!({})),
        (&root, "to all of acme", json!({ "org": "acme" })),
        (&root, "to all of globex", json!({ "org": "globex" })),
        (&root, "to the platform", json!({ "org": "platform" })),
    ] {
        assert_eq!(raise(token, title, more).await, 202, "{title}");
    }
    assert_eq!(raise(&bob, "no", json!({ "org": "globex" })).await, 403);
    assert_eq!(raise(&bob, "no", json!({})).await, 403);
    for (user, tab) in &mut tabs {
        let expected: &[&str] = match *user {
            "alice" => &["to acme", "to alice", "to all of acme"],
            "bob" => &["to acme", "to admins", "to all of acme"],
            "carol" => &["to globex", "to all of globex"],
            _ => &["to admins", "to the platform"],
        };
        // Events about different things are relayed concurrently, so their order is not guaranteed.
        let mut heard = Vec::new();
        for _ in expected {
            let toast = tab.expect("toast").await;
            assert_eq!(toast["severity"], "warning");
            heard.push(toast["title"].as_str().expect("a title").to_owned());
        }
        let mut expected = expected.to_vec();
        heard.sort();
        expected.sort_unstable();
        assert_eq!(heard, expected, "{user}");
        tab.expect_silence().await;
    }
}

#[tokio::test]
async fn a_flag_is_sent_to_its_org_and_to_later_tabs() {
    let platform = Platform::start().await;
    let (alice, bob, carol) =
        (platform.login("alice").await, platform.login("bob").await, platform.login("carol").await);
    let mut open = [platform.node.tab_with(&alice).await, platform.node.tab_with(&bob).await];
    let mut foreign = platform.node.tab_with(&carol).await;
    let switch = async |enabled| {
        platform.license.send(&Platform::switch(&bob, "acme", "beta", enabled)).await.expect(202).json()
    };
    assert!(switch(true).await["id"].is_string());
    assert!(switch(true).await.get("id").is_none_or(Value::is_null), "a PUT that changes nothing publishes nothing");
    switch(false).await;
    let expected = |enabled: bool| (json!("beta"), json!(enabled));
    let mut last = Value::Null;
    for tab in &mut open {
        for enabled in [true, false] {
            last = tab.expect("featureFlag").await;
            assert_eq!((last["flag"].clone(), last["enabled"].clone()), expected(enabled));
        }
    }
    let mut late = platform.node.tab_with(&alice).await;
    let told = late.expect("featureFlag").await;
    assert_eq!((&told["id"], &told["enabled"]), (&last["id"], &json!(false)), "the same notification");
    // A tab that returns with an older cursor receives them once.
    let cursor = told["cursor"].as_str().expect("a cursor");
    let mut back = Connect::new(HUB, &alice).query("cursor", cursor).connect(platform.node.address()).await;
    assert_eq!(back.expect("featureFlag").await["id"], last["id"]);

    let remove = Request::new("DELETE", "/orgs/acme/flags/beta").bearer(&bob);
    platform.license.send(&remove).await.expect(202);
    for tab in open.iter_mut().chain([&mut late, &mut back]) {
        let removed = tab.expect("featureFlag").await;
        assert_eq!((&removed["enabled"], &removed["removed"]), (&json!(false), &json!(true)));
    }
    assert_eq!(platform.license.send(&remove).await.status, 404);
    assert_eq!(platform.license.send(&Platform::switch(&alice, "acme", "beta", true)).await.status, 403);
    assert_eq!(platform.license.send(&Platform::switch(&bob, "globex", "beta", true)).await.status, 403);
    foreign.expect_silence().await;
    platform.node.tab_with(&alice).await.expect_silence().await;
}

#[tokio::test]
async fn a_license_is_published_when_it_changes_and_when_it_ends() {
    let platform = Platform::start().await;
    let bob = platform.login("bob").await;
    let mut tab = platform.node.tab_with(&bob).await;
    let soon = fanfare_event::Timestamp((fanfare_e2e_tests::token::now() + 2) * 1000).to_rfc3339();
    let license = json!({ "plan": "pro", "seats": 5, "expires_at": soon });
    let put = Request::new("PUT", "/orgs/acme/license").bearer(&bob).json(&license);
    platform.license.send(&put).await.expect(202);
    let toast = tab.expect("toast").await;
    assert_eq!(toast["message"], "License updated, refresh your browser");
    let toast = tab.expect("toast").await;
    assert_eq!((&toast["severity"], &toast["title"]), (&json!("warning"), &json!("License expired: pro")));
    // The operator can read the node's metrics.
    until("counted deliveries", async || (platform.node.metric("fanfare_deliveries", "").await >= 2.0).then_some(()))
        .await;
}

#[tokio::test]
async fn a_node_without_the_demo_has_neither_its_page_nor_its_events() {
    let schema =
        r#"{"type":"record","name":"Alert","fields":[{"name":"org","type":"string"},{"name":"siren","type":"int"}]}"#;
    let routes = format!(
        "hub = \"{HUB}\"\n[[route]]\nname = \"siren\"\nevent = \"system.Alert\"\ngroups = [\"org:{{org}}\"]\n\
         send = {{ target = \"siren\", arguments = [\"{{siren}}\"] }}\n"
    );
    let schemas = vec![("system/Alert.v1.avsc".to_owned(), schema.to_owned())];
    let settings = Settings { schemas, routes, ..Settings::default() }.section("[page]\ndemo = false");
    let mut node = Node::prepare(settings);
    let text = std::fs::read_to_string(node.config()).expect("a configuration");
    let without = text.replace("[schemas]\n", "[schemas]\ndemo = false\n");
    std::fs::write(node.config(), without).expect("written");
    node.start().await;
    assert_eq!(Request::get("/").send(node.address()).await.expect("an answer").status, 404);
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    tab.cursor().await;
    // The demo's own alert type differs, and its flags are unknown.
    let token = Token::producer().sign();
    assert_eq!(node.post(&token, &NewEvent::alert("acme", "news")).await.status, 400);
    assert_eq!(node.post(&token, &NewEvent::flag("acme", "beta", true, "1")).await.status, 400);
    node.post(&token, &NewEvent::new("system.Alert", "2", &json!({ "org": "acme", "siren": 3 }))).await.expect(202);
    assert_eq!(tab.expect("siren").await, json!(3));
}
