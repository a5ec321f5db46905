//! CloudEvents over HTTP: modes, encodings, and answers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::stub::Stub;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, Request, Response, Settings, Token};
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{StartError, skip};
use serde_json::{Value, json};

use crate::publish::expect_next;

const STRUCTURED: &str = "application/cloudevents+json";
const BATCH: &str = "application/cloudevents-batch+json";
/// A toast called `packed` in structured mode, as gzip in base64.
const PACKED: &str = concat!(
    "H4sIAAAAAAACA02MwQqEMBBD/2XOi7pXb37K0AYpWlua2QUR/93pzVveS8glrAh/NKZyyCzfYZKPpOixatgQnVh+LcDNaKDRjZ21",
    "M08a8rDsaOY2qqnMl5S2eqkho0+T7Xi/ZZC6dpXlvh9IUGzvgAAAAA==",
);

/// 200,000 blanks, in the same encoding.
const BOMB: &str = concat!(
    "H4sIAAAAAAACA+3BMQEAAADCoCrrn9IM/kABAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAK8BMWFi",
    "EEANAwA=",
);

/// A toast in structured mode.
fn alert(id: &str, title: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/tests", "type": "system.Alert", "org": "acme",
        "datacontenttype": "application/json", "data": { "org": "acme", "title": title, "message": "m" },
    })
}

async fn post(node: &Node, content_type: &str, body: impl Into<Vec<u8>>) -> Response {
    let request = Request::post("/events").bearer(Token::producer().sign()).body(content_type, body);
    request.send(node.address()).await.expect("an answer")
}

#[tokio::test]
async fn structured_mode_is_the_same_event_as_binary_mode() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let event = alert("order 17", "structured");
    let answer = post(&node, STRUCTURED, event.to_string()).await.expect(202).json();
    assert_eq!(answer["id"], "order 17");
    assert_eq!(tab.expect("toast").await["title"], "structured");
    let body = json!({ "org": "acme", "title": "structured", "message": "m" });
    let binary = NewEvent::new("system.Alert", "order%2017", &body);
    let again = node.post(Token::producer().sign(), &binary).await.expect(202).json();
    assert_eq!((&again["id"], &again["duplicate"]), (&json!("order 17"), &json!(true)), "{again}");

    for (change, field) in [
        (json!({ "specversion": null }), "specversion"),
        (json!({ "id": 7 }), "id"),
        (json!({ "data": null }), ""),
        (json!({ "data": { "org": "acme", "title": "t" } }), "message"),
        (json!({ "datacontenttype": "text/xml" }), "datacontenttype"),
    ] {
        let mut wrong = alert("wrong", "wrong");
        for (name, value) in change.as_object().expect("an object") {
            wrong[name] = value.clone();
        }
        let refused = post(&node, STRUCTURED, wrong.to_string()).await.expect(400).json();
        assert_eq!(refused["field"], field, "{refused}");
    }
    expect_next(&node, &mut tab, "after-all-that").await;
}

#[tokio::test]
async fn a_batch_is_stored_whole_or_not_at_all() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let batch = |events: Vec<Value>| Value::Array(events).to_string();
    let mut wrong = alert("2", "two");
    wrong["data"]["title"] = json!(2);
    let refused = post(&node, BATCH, batch(vec![alert("1", "one"), wrong])).await.expect(400).json();
    assert_eq!((&refused["index"], &refused["field"]), (&json!(1), &json!("title")), "{refused}");
    let twice = vec![alert("1", "one"), alert("1", "other")];
    assert_eq!(post(&node, BATCH, batch(twice)).await.expect(409).json()["index"], 1);
    let many = (0..101).map(|n| alert(&n.to_string(), "many")).collect();
    post(&node, BATCH, batch(many)).await.expect(413);
    let limited = Token::producer().claim("publish_sources", ["/others"]).sign();
    let request = Request::post("/events").bearer(limited).body(BATCH, batch(vec![alert("1", "one")]));
    request.send(node.address()).await.expect("an answer").expect(403);

    let events = (0..20).map(|n| alert(&format!("good-{n}"), &format!("good {n}"))).collect();
    let answer = post(&node, BATCH, batch(events)).await.expect(202).json();
    assert_eq!(answer["events"].as_array().map(Vec::len), Some(20), "{answer}");
    for n in 0..20 {
        assert_eq!(tab.expect("toast").await["title"], format!("good {n}"));
    }
    assert_eq!(post(&node, BATCH, "[]").await.expect(202).json(), json!({ "events": [] }));
}

#[tokio::test]
async fn the_answer_names_the_outcome_of_an_event() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let token = Token::producer().sign();
    let flag = |id: &str, enabled: bool, revision: i64| {
        let body = json!({ "org": "acme", "flag": "f", "enabled": enabled, "revision": revision });
        NewEvent::new("license.FlagToggled", id, &body)
    };
    let mut answers = Vec::new();
    for event in [flag("1", true, 7), flag("1", true, 7), flag("2", false, 6)] {
        answers.push(node.post(&token, &event).await.expect(202).json());
        if answers.len() == 1 {
            tab.expect("featureFlag").await;
        }
    }
    let said = |name: &str| answers.iter().map(|answer| answer[name].clone()).collect::<Vec<_>>();
    assert_eq!(said("duplicate"), [json!(false), json!(true), json!(false)]);
    assert_eq!(said("stale"), [json!(false), json!(false), json!(true)]);
    assert!(answers[0]["routes"].as_array().is_some_and(|routes| !routes.is_empty()), "{answers:?}");
    let login = json!({ "user": "alice", "org": "acme", "session": "s" });
    let unheard = node.post(&token, &NewEvent::new("auth.UserLoggedIn", "3", &login)).await.expect(202).json();
    assert_eq!(unheard, json!({ "id": "3", "duplicate": false, "stale": false, "routes": [] }));
}

#[tokio::test]
async fn other_encodings_are_named() {
    let node = Node::start_default().await;
    let request = async |content_type: &str, coding: &str, body: &[u8]| {
        let request = Request::post("/events").bearer(Token::producer().sign()).header("content-encoding", coding);
        request.body(content_type, body).send(node.address()).await
    };
    let text = alert("1", "t").to_string();
    let refused = request(STRUCTURED, "br", text.as_bytes()).await.expect("an answer").expect(415);
    assert_eq!(refused.header("accept-encoding"), Some("gzip"));
    assert!(refused.json()["error"].as_str().is_some_and(|told| told.contains("`br`")));
    let utf16: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_be_bytes).collect();
    let refused = request(STRUCTURED, "identity", &utf16).await.expect("an answer").expect(415).json();
    assert!(refused["error"].as_str().is_some_and(|told| told.contains("UTF-16")), "{refused}");
    let marked = [b"\xEF\xBB\xBF", text.as_bytes()].concat();
    request(STRUCTURED, "identity", &marked).await.expect("an answer").expect(202);
    request("application/cloudevents+avro", "identity", b"").await.expect("an answer").expect(415);
    let packed = STANDARD.decode(PACKED).expect("base64");
    assert_eq!(request(STRUCTURED, "gzip", &packed).await.expect("an answer").expect(202).json()["id"], "packed");
    request(STRUCTURED, "gzip", &packed[..packed.len() - 9]).await.expect("an answer").expect(400);
    let bomb = STANDARD.decode(BOMB).expect("base64");
    request(STRUCTURED, "gzip", &bomb).await.expect("an answer").expect(413);
}

/// JSON parsers do not agree on which of two values counts, and some never stop.
#[tokio::test]
async fn a_key_that_is_there_twice_and_nesting_without_end_are_refused_by_name() {
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let data = r#"{"org": "acme", "title": "one", "title": "two", "message": "m"}"#;
    let envelope = |data: &str| {
        format!(r#"{{"specversion": "1.0", "id": "1", "source": "/tests", "type": "system.Alert", "data": {data}}}"#)
    };
    let twice_named = envelope("{}").replace(r#""id": "1""#, r#""id": "1", "id": "2""#);
    for (content_type, body, field) in [
        (STRUCTURED, envelope(data), "data.title"),
        (STRUCTURED, twice_named, "id"),
        (BATCH, format!("[{}]", envelope(data)), "[0].data.title"),
    ] {
        let refused = post(&node, content_type, body).await.expect(400).json();
        assert_eq!(refused["field"], field, "{refused}");
        assert!(refused["error"].as_str().is_some_and(|told| told.contains("is duplicated")), "{refused}");
    }
    let binary = NewEvent::raw("system.Alert", "binary", "application/json", data);
    let refused = node.post(Token::producer().sign(), &binary).await.expect(400).json();
    assert_eq!(refused["field"], "title", "{refused}");
    for levels in [101, 128, 10_000] {
        let deep = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let refused = post(&node, STRUCTURED, envelope(&deep)).await.expect(400).json();
        let told = refused["error"].as_str().expect("an error");
        assert!(told.contains("nested deeper than 100 levels"), "{told}");
    }
    expect_next(&node, &mut tab, "after-all-that").await;
}

#[tokio::test]
async fn a_caller_without_rights_learns_nothing_of_schemas() {
    let node = Node::start_default().await;
    let narrow = Token::producer().claim("publish", ["license.*"]).claim("publish_orgs", ["acme"]).sign();
    for (event_type, body, status) in [
        ("system.Alert", json!({ "nonsense": 1 }), 403),
        ("auth.Nothing", json!({}), 403),
        ("license.FlagToggled", json!({ "org": "globex", "nonsense": 1 }), 403),
        ("license.FlagToggled", json!({ "org": "acme", "nonsense": 1 }), 400),
    ] {
        let refused = node.post(&narrow, &NewEvent::new(event_type, "1", &body)).await.expect(status).json();
        let told = refused["error"].as_str().expect("an error");
        assert_eq!(status == 403, refused.get("field").is_none(), "{refused}");
        assert!(status == 400 || (!told.contains("expected") && !told.contains("v1")), "{told}");
    }
}

#[tokio::test]
async fn a_trace_is_followed_behind_a_good_token_alone() {
    let collector = Stub::start("{}").await;
    let settings = Settings::default()
        .environment("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .environment("OTEL_BSP_SCHEDULE_DELAY", "200");
    let mut node = Node::start_with(settings).await;
    let traced = |trace: &str| {
        let traceparent = format!("00-{}-00f067aa0ba902b7-01", trace.repeat(16));
        NewEvent::alert("acme", trace).header("traceparent", &traceparent)
    };
    node.post(Token::producer().claim("aud", "other").sign(), &traced("aa")).await.expect(401);
    node.post(Token::producer().sign(), &traced("bb")).await.expect(202);
    node.stop().await;
    let spans = collector.requests().concat();
    let holds = |byte: u8| spans.windows(16).any(|window| window == [byte; 16]);
    assert_eq!((holds(0xaa), holds(0xbb)), (false, true));
}

/// An event that is certainly not stored may be sent again, and the answer says when.
#[tokio::test]
async fn an_unreachable_broker_is_answered_with_503_and_retry_after_and_the_same_id_is_accepted_later() {
    let mut server = match NatsServer::start(Version::Current).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("publishing while NATS is away", &why),
        Err(error) => panic!("{error}"),
    };
    let broker = format!("url = \"nats://{}\"", server.address());
    let node = Node::start_with(Settings::default().broker(&broker).secret(SECRET)).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    server.kill();
    let event = alert("once", "once").to_string();
    // The outcome of an event in flight when the server died is unknown; the same id may be sent again.
    let refused = until("an answer that says when", async || {
        let answer = post(&node, STRUCTURED, event.clone()).await;
        assert!(matches!(answer.status, 503 | 504), "{}", answer.text());
        (answer.status == 503).then_some(answer)
    })
    .await;
    let seconds: u64 = refused.header("retry-after").expect("a hint").parse().expect("seconds");
    assert!((1..=60).contains(&seconds), "{seconds}");
    server.start_again().await.expect("started");
    until("a broker that takes it", async || {
        let answer = post(&node, STRUCTURED, event.clone()).await;
        (answer.status == 202).then_some(())
    })
    .await;
    assert_eq!(tab.expect("toast").await["title"], "once");
    expect_next(&node, &mut tab, "behind").await;
}
