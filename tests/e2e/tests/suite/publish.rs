//! Two ways to publish: `fanfare publish` and `POST /events`.

use fanfare_e2e_tests::{NewEvent, Node, Request, Response, Settings, Tab, Token};
use fanfare_event::vocabulary::system::{Alert, Severity};
use fanfare_event::{Attributes, Id, Timestamp, TypeName, encode};
use serde_json::{Value, json};

pub(crate) fn avro_alert(org: &str, title: &str) -> Vec<u8> {
    let attributes = Attributes {
        id: "unused".to_owned(),
        source: "unused".to_owned(),
        event_type: TypeName::parse("system.Alert").expect("a type"),
        time: Timestamp(0),
        subject: None,
        org: None,
        data_version: None,
        traceparent: None,
    };
    let alert = Alert {
        org: Some(Id::parse(org).expect("an id")),
        user: None,
        severity: Severity::Success,
        title: title.to_owned(),
        message: "m".to_owned(),
        raised_by: String::new(),
        link: Some("/somewhere".to_owned()),
    };
    encode(attributes, &alert).expect("encoded").body
}

/// Fails unless this is the tab's next notification: nothing refused came before it.
pub(crate) async fn expect_next(node: &Node, tab: &mut Tab, title: &str) {
    node.publish(&[NewEvent::alert("acme", title)]).await;
    assert_eq!(tab.expect("toast").await["title"], title);
}

#[tokio::test]
async fn the_command_publishes_and_prints_the_id() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let flag = r#"{"org_id":"acme","flag":"beta","enabled":true}"#;
    let outcome = node.fanfare(&["publish", "license.FlagToggled", flag]).await;
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{outcome:?}");
    assert_eq!(outcome.stdout.lines().count(), 1, "{outcome:?}");
    let flag = tab.expect("featureFlag").await;
    assert_eq!((&flag["flag"], &flag["enabled"]), (&json!("beta"), &json!(true)));

    let old = r#"{"org":"acme","plan":"pro","seats":5}"#;
    let outcome = node.fanfare(&["publish", "license.LicenseUpdated", old, "--version", "1"]).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(tab.expect("toast").await["title"], "License updated");

    // A producer's token from `fanfare token`.
    let token = node.fanfare(&["token", "--user", "p", "--org", "acme", "--role", "producer"]).await;
    assert_eq!(token.code, Some(0), "{token:?}");
    let mut command = node.command(&["publish", "system.Alert", r#"{"org":"acme","title":"t","message":"m"}"#]);
    command.env("FANFARE_TOKEN", token.stdout.trim());
    assert_eq!(fanfare_e2e_tests::process::run(command).await.code, Some(0));
    assert_eq!(tab.expect("toast").await["title"], "t");

    let mut stopped = node;
    stopped.kill();
    let records = stopped.open_log().records().await;
    let ids: Vec<_> = records.iter().map(|record| record.message.id.as_str()).collect();
    assert_eq!(ids.len(), 3);
    assert!(ids[0].ends_with(&format!(":{}", outcome_id(&records[0]))), "{ids:?}");
}

fn outcome_id(record: &fanfare_broker::Record) -> String {
    let header = record.message.headers.iter().find(|(name, _)| name == "ce-id");
    header.expect("an id").1.clone()
}

#[tokio::test]
async fn the_command_reports_what_is_wrong() {
    let node = Node::start_default().await;
    let user = Token::user("alice", "acme").sign();
    let narrow = Token::producer().claim("publish", ["auth.*"]).sign();
    let forged = Token::producer().claim("aud", "other").sign();
    let flag = r#"{"org":"acme","flag":"f","enabled":true}"#;
    let alert = r#"{"org":"acme","title":"t","message":"m"}"#;
    for (arguments, code, told) in [
        (
            vec!["license.FlagTogled", flag],
            1,
            "unknown event type `license.FlagTogled`, did you mean `license.FlagToggled`?",
        ),
        (vec!["license.FlagToggled", "{"], 1, "not JSON"),
        (vec!["license.FlagToggled", "[]"], 1, "license.FlagToggled v1: expected"),
        (
            vec!["license.FlagToggled", r#"{"org":"acme","flag":"f"}"#],
            1,
            "`enabled` of license.FlagToggled v1: expected boolean",
        ),
        (
            vec!["license.FlagToggled", r#"{"org":"acme","flag":"f","enabled":"yes"}"#],
            1,
            "`enabled` of license.FlagToggled v1: expected boolean, found a string",
        ),
        (vec!["license.FlagToggled", r#"{"org":"acme","flg":"f","enabled":true}"#], 1, "did you mean `flag`?"),
        (
            vec!["system.Alert", r#"{"title":"t","message":"m","severity":"loud"}"#],
            1,
            "`severity` of system.Alert v2: expected",
        ),
        (
            vec!["system.Alert", r#"{"title":"t","message":"m","severity":"success"}"#, "--version", "1"],
            1,
            "`severity` of system.Alert v1: expected",
        ),
        (vec!["system.Alert", alert, "--version", "9"], 1, "expected a version from 1 to 2, found version 9"),
        (vec!["license.FlagToggled", r#"{"org":"a\nb","flag":"f","enabled":true}"#], 1, "field `org` is not an id"),
        (vec!["system.Alert", alert, "--token", &user], 1, "the node answers 403"),
        (
            vec!["system.Alert", alert, "--token", &narrow],
            1,
            "the token does not allow to publish events of type system.Alert",
        ),
        (vec!["system.Alert", alert, "--token", &forged], 1, "the node answers 401"),
        (vec!["system.Alert", alert, "--version", "one"], 2, "Usage:"),
    ] {
        let outcome = node.fanfare(&[&["publish"][..], &arguments].concat()).await;
        // clap writes its usage in its own colours and words.
        let told = if code == 2 { "--version" } else { told };
        assert_eq!((outcome.code, outcome.stderr.contains(told)), (Some(code), true), "{told}\n{outcome:?}");
        assert!(outcome.stdout.is_empty(), "{outcome:?}");
        assert!(code == 2 || outcome.stderr.lines().count() == 1, "{outcome:?}");
    }
}

#[tokio::test]
async fn the_command_needs_a_node_and_a_token() {
    let node = Node::prepare(Settings::default());
    let alert = r#"{"title":"t","message":"m"}"#;
    let outcome = node.fanfare(&["publish", "system.Alert", alert]).await;
    assert_eq!(outcome.code, Some(3), "{outcome:?}");
    let told = format!("fanfare: no node answers at {}/events: ", node.url());
    assert!(outcome.stderr.starts_with(&told) && outcome.stderr.lines().count() == 1, "{outcome:?}");

    let text = std::fs::read_to_string(node.config()).expect("a config");
    let issuer = "[[issuer]]\nissuer = \"i\"\njwks = \"http://127.0.0.1:9/\"\nusers = true";
    let text = text.replace("[development]\nsigning_key = \"key.pem\"", issuer);
    std::fs::write(node.config(), text).expect("written");
    for arguments in [&["publish", "system.Alert", alert][..], &["token", "--user", "u", "--org", "o"]] {
        let outcome = node.fanfare(arguments).await;
        assert_eq!(outcome.code, Some(1), "{outcome:?}");
        assert!(outcome.stderr.contains("no [development] signing_key"), "{outcome:?}");
    }
}

#[tokio::test]
async fn an_event_that_does_not_fit_is_refused_by_field() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let token = Token::producer().sign();
    let flag = |body: Value| NewEvent::new("license.FlagToggled", "1", &body);
    for (event, field, expected, version) in [
        (flag(json!({ "org": "acme", "flag": "f" })), "enabled", "boolean", 1),
        (flag(json!({ "org": "acme", "flag": 7, "enabled": true })), "flag", "string", 1),
        (flag(json!({ "org": "acme", "flag": "f", "enabled": true, "more": 1 })), "more", "", 1),
        (flag(json!("text")), "", "", 1),
        (NewEvent::new("system.Alert", "1", &json!({ "org": "acme", "title": "t" })), "message", "string", 2),
        (
            NewEvent::new("system.Alert", "1", &json!({ "title": "t", "message": "m", "severity": "success" }))
                .header("ce-dataversion", "1"),
            "severity",
            "",
            1,
        ),
        (
            NewEvent::new(
                "license.LicenseUpdated",
                "1",
                &json!({ "org": "acme", "plan": "p", "seats": 1, "expires_at": "soon" }),
            ),
            "expires_at",
            "",
            2,
        ),
    ] {
        let refused = node.post(&token, &event).await.expect(400).json();
        assert_eq!((&refused["field"], &refused["version"]), (&json!(field), &json!(version)), "{refused}");
        assert!(
            refused["expected"].as_str().is_some_and(|text| text.contains(expected) && !text.is_empty()),
            "{refused}"
        );
        assert!(refused["error"].as_str().is_some_and(|text| !text.is_empty()), "{refused}");
    }
    expect_next(&node, &mut tab, "after-all-that").await;
}

/// A faulty request, its status and a part of the error.
fn refused_requests() -> Vec<(Request, u16, &'static str)> {
    let token = Token::producer().sign();
    let limited = Token::producer().claim("publish_sources", ["/tests"]).claim("publish_orgs", ["acme"]).sign();
    let alert = |id: &str| NewEvent::new("system.Alert", id, &json!({ "org": "acme", "title": "t", "message": "m" }));
    let body = json!({ "org": "acme", "title": "t", "message": "m" }).to_string();
    let bare = Request::post("/events").bearer(&token).header("ce-type", "system.Alert").header("ce-source", "/s");
    let no_id = bare.clone().header("ce-specversion", "1.0");
    let in_query = Request::post(format!("/events?access_token={token}"));
    let typed = |event_type: &str| NewEvent::new(event_type, "1", &json!({})).request(&token);
    let avro = |body: Vec<u8>| NewEvent::avro("system.Alert", "1", body).request(&token);
    let good = avro_alert("acme", "t");
    let unknown_schema = [&[0xc3, 1][..], &[7; 8], &good[10..]].concat();
    vec![
        (alert("1").header("ce-org", "globex").request(&token), 400, "globex"),
        (alert("1").header("ce-org", "a%0Ab").request(&token), 400, "ce-org"),
        (NewEvent::alert("a\nb", "1").request(&token), 400, "field `org` is not an id"),
        (typed("license.FlagTogled"), 400, "did you mean `license.FlagToggled`?"),
        (typed("nothing.Known"), 400, "unknown event type `nothing.Known`"),
        (typed("nothing"), 400, "ce-type"),
        (no_id.clone().json(&json!({})), 400, "ce-id is missing"),
        (bare.header("ce-id", "1").json(&json!({})), 400, "ce-specversion: it is missing"),
        (in_query.header("ce-id", "1").json(&json!({})), 401, "a bearer token is needed"),
        (alert("a%0Ab").request(&token), 400, "ce-id"),
        (alert(&"x".repeat(257)).request(&token), 400, "ce-id"),
        (alert("1").header("ce-time", "yesterday").request(&token), 400, "ce-time"),
        (alert("1").header("ce-specversion", "0.3").request(&token), 400, "ce-specversion"),
        (alert("1").header("ce-dataversion", "9").request(&token), 400, "version"),
        (NewEvent::raw("system.Alert", "1", "application/json", "{").request(&token), 400, "not JSON"),
        (NewEvent::raw("system.Alert", "1", "text/plain", body.clone()).request(&token), 415, "application/avro"),
        (avro(good[..good.len() - 1].to_vec()), 400, "the body is not a record of a known schema"),
        (avro([&good[..], b"more"].concat()), 400, "the body is not a record of a known schema"),
        (avro(unknown_schema), 400, "the body is not a record of a known schema"),
        (avro(Vec::new()), 400, "the body is not a record of a known schema"),
        (avro(body.into_bytes()), 400, "the body is not a record of a known schema"),
        (NewEvent::avro("license.FlagToggled", "1", good).request(&token), 400, "the headers say license.FlagToggled"),
        (NewEvent::alert("acme", "1").request(Token::user("alice", "acme").sign()), 403, "does not allow publishing"),
        (NewEvent::alert("acme", "1").request(Token::producer().without("publish").sign()), 403, "does not allow"),
        (
            NewEvent::alert("acme", "1").request(Token::producer().claim("publish", ["auth.*"]).sign()),
            403,
            "type system.Alert",
        ),
        (alert("1").source("/other").request(&limited), 403, "events of source /other"),
        (NewEvent::alert("globex", "1").request(&limited), 403, "events of org globex"),
        (NewEvent::new("system.Alert", "1", &json!({ "title": "t", "message": "m" })).request(&limited), 403, "no org"),
        (NewEvent::alert("acme", "1").request("nonsense"), 401, "this is not a JSON Web Token"),
        (Request::post("/events").header("ce-id", "1").json(&json!({})), 401, "a bearer token is needed"),
        (Request::get("/events").bearer(&token), 405, ""),
    ]
}

#[tokio::test]
async fn a_bad_request_is_refused_with_its_reason() {
    let node = Node::start_default().await;
    let mut tabs = [node.tab(&Token::user("alice", "acme")).await, node.tab(&Token::user("carol", "globex")).await];
    for (request, status, told) in refused_requests() {
        let answer: Response = request.send(node.address()).await.expect("an answer");
        let text = answer.text();
        assert_eq!(
            (answer.status, text.contains(told) || told_in_json(&answer, told)),
            (status, true),
            "{told}: {text}"
        );
    }
    expect_next(&node, &mut tabs[0], "after-all-that").await;
    tabs[1].expect_silence().await;
}

fn told_in_json(answer: &Response, told: &str) -> bool {
    serde_json::from_slice::<Value>(&answer.body).is_ok_and(|json| json["error"].as_str().unwrap_or("").contains(told))
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused() {
    let node = Node::start_with(Settings::default().section("[limits]\nevent_bytes = 16384")).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let token = Token::producer().sign();
    let event = |length: usize| {
        let body = json!({ "org": "acme", "title": "large", "message": "m".repeat(length) });
        NewEvent::new("system.Alert", &length.to_string(), &body)
    };
    for length in [17_000, 200_000, 5_000_000] {
        let refused = node.post(&token, &event(length)).await.expect(413).json();
        assert!(refused["error"].as_str().expect("an error").contains("16384"), "{refused}");
    }
    node.post(&token, &event(16_000)).await.expect(202);
    assert_eq!(tab.expect("toast").await["message"].as_str().expect("a text").len(), 16_000);
}

#[tokio::test]
async fn avro_and_json_are_the_same_event() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let token = Token::producer().sign();
    let answer = node.post(&token, &NewEvent::avro("system.Alert", "avro", avro_alert("acme", "t"))).await.expect(202);
    assert_eq!(answer.json()["id"], "avro");
    let body = json!({ "org_id": "acme", "title": "t", "message": "m", "severity": "success", "link": "/somewhere" });
    node.post(&token, &NewEvent::new("system.Alert", "json", &body)).await.expect(202);
    let (mut first, mut second) = (tab.expect("toast").await, tab.expect("toast").await);
    assert_eq!((&first["severity"], &first["link"]), (&json!("success"), &json!("/somewhere")));
    for own in ["id", "cursor", "at"] {
        assert_ne!(first[own].take(), Value::Null);
        second[own].take();
    }
    assert_eq!(first, second);
}

#[tokio::test]
async fn an_event_published_twice_is_delivered_once() {
    let mut node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let event = NewEvent::alert("acme", "same");
    node.publish(&[event.clone(), event.clone()]).await;
    // Another source may have used the same id for something else.
    node.publish(&[event.clone().source("/others")]).await;
    let first = tab.expect("toast").await;
    let second = tab.expect("toast").await;
    assert_eq!((&first["title"], &second["title"]), (&json!("same"), &json!("same")));
    assert_ne!(first["id"], second["id"]);
    // Also after a restart, for a tab that comes back.
    let cursor = second["cursor"].as_str().expect("a cursor").to_owned();
    node.kill();
    node.start().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    node.publish(&[event]).await;
    let resumed = tab.invoke("Resume", json!([cursor])).await.expect("resumes");
    assert_eq!((&resumed["replayed"], &resumed["complete"]), (&json!(0), &json!(true)));
    expect_next(&node, &mut tab, "another").await;
}

#[tokio::test]
async fn an_id_used_twice_for_different_events_leaves_a_trace() {
    let mut node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let token = Token::producer().sign();
    let event =
        |title: &str| NewEvent::new("system.Alert", "same", &json!({ "org": "acme", "title": title, "message": "m" }));
    node.post(&token, &event("first")).await.expect(202);
    assert_eq!(tab.expect("toast").await["title"], "first");
    // One of the two producers is wrong; a silent answer would lose an event that was answered with 202.
    let refused = node.post(&token, &event("second")).await.expect(409).json();
    assert!(refused["error"].as_str().is_some_and(|told| told.contains("used before")), "{refused}");
    expect_next(&node, &mut tab, "another").await;
    node.kill();
    assert_eq!(node.open_log().dead_letters().await.len(), 0);
}

#[tokio::test]
async fn two_routes_that_retain_the_same_flag_lose_nothing_of_it() {
    let mut settings = Settings::default();
    settings.routes.push_str(
        "[[route]]\nname = \"flag-for-admins\"\nevent = \"license.FlagToggled\"\ngroups = [\"org:{org}/role:admin\"]\n\
         featureFlag = { flag = \"{flag}\", enabled = \"{enabled}\" }\nretain = true\n",
    );
    let mut node = Node::prepare(settings);
    let checked = node.fanfare(&["check"]).await;
    if checked.code == Some(1) {
        assert!(checked.stderr.contains("flag-for-admins"), "{checked:?}");
        return;
    }
    node.start().await;
    let alice = Token::user("alice", "acme");
    let mut tab = node.tab(&alice).await;
    node.publish(&[NewEvent::flag("acme", "f", true, "1"), NewEvent::alert("acme", "after")]).await;
    assert_eq!(tab.expect("featureFlag").await["flag"], "f");
    assert_eq!(tab.expect("toast").await["title"], "after");
    for token in [alice, Token::user("bob", "acme").roles(&["admin"])] {
        assert_eq!(node.tab(&token).await.expect("featureFlag").await["flag"], "f");
    }
}
