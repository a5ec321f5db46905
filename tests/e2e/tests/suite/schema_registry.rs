//! Bodies in Confluent's wire format, with schemas in a schema registry.

use bytes::Bytes;
use fanfare_broker::kafka::{Kafka, Options};
use fanfare_broker::{Broker as _, Message, Stream};
use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::process;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, SchemaRegistry, Settings, Token};
use fanfare_event::Registry;
use fanfare_event::confluent::join;
use fanfare_test_servers::kafka::KafkaServer;
use fanfare_test_servers::{StartError, skip};
use serde_json::json;

use crate::publish::expect_next;

/// As another producer would write it: another namespace, an additional field, a wider number type.
const FOREIGN: &str = r#"{ "type": "record", "name": "LicenseUpdated", "namespace": "com.example.license", "fields": [
    { "name": "org_id", "type": "string" }, { "name": "plan", "type": "string" }, { "name": "seats", "type": "int" },
    { "name": "comment", "type": ["null", "string"], "default": null } ] }"#;

/// A record of [`FOREIGN`], or a truncated one.
fn body(schema: u32, plan: &str) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len() * 2).expect("short")], text.as_bytes()].concat();
    join(schema, &[text("acme"), text(plan), vec![10], vec![0]].concat())
}

fn headers(id: &'static str) -> [(&'static str, &'static str); 6] {
    [
        ("ce-specversion", "1.0"),
        ("ce-id", id),
        ("ce-source", "/tests"),
        ("ce-type", "license.LicenseUpdated"),
        ("ce-time", "2026-01-02T03:04:05Z"),
        ("ce-org", "acme"),
    ]
}

#[tokio::test]
async fn events_of_a_schema_registry_are_delivered_and_unknown_schemas_become_dead_letters() {
    let registry = SchemaRegistry::start().await;
    registry.register(7, FOREIGN);
    registry.answer(9, 200, "<html>sign in</html>");
    let password = "let me in";
    let settings = Settings::default().section(&format!("[schema_registry]\nurl = \"{}\"", registry.url()));
    let mut node = Node::start_with(settings).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    node.publish(&[NewEvent::alert("acme", "before")]).await;
    let cursor = tab.expect("toast").await["cursor"].as_str().expect("a cursor").to_owned();
    node.kill();
    let log = node.open_log();
    for (id, schema) in [("known", 7), ("unknown", 8), ("rubbish", 9), ("again", 7)] {
        log.append("license.LicenseUpdated", Some("acme"), id, &headers(id), &body(schema, password)).await;
    }
    let cut = [&body(7, "x")[..9], &[0x80][..]].concat();
    log.append("license.LicenseUpdated", Some("acme"), "cut", &headers("cut"), &cut).await;
    log.close().await;
    node.start().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    expect_next(&node, &mut tab, "after").await;
    let resumed = tab.invoke("Resume", json!([cursor])).await.expect("resumes");
    assert_eq!(resumed["replayed"], 2, "the two that can be read");
    assert_eq!(tab.expect("toast").await["title"], "License updated");
    assert_eq!(registry.requests().len(), 3, "each schema is asked for once");
    assert!((node.metric("fanfare_schema_registry_answers", "outcome=\"schema\"").await - 1.0).abs() < 0.1);
    node.stop().await;
    let letters = node.open_log().dead_letters().await;
    let reasons: Vec<_> = letters.iter().map(|letter| (letter.message.id.as_str(), letter.reason.as_str())).collect();
    let [unknown, rubbish, cut] = reasons[..] else { panic!("{reasons:?}") };
    assert_eq!(unknown, ("unknown", "schema: the schema registry has no schema 8"));
    assert!(rubbish.0 == "rubbish" && rubbish.1.contains("not JSON with a `schema`"), "{rubbish:?}");
    assert!(cut.0 == "cut" && cut.1.starts_with("body: ") && cut.1.contains("schema 7"), "{cut:?}");
    assert!(!node.log().contains(password) && !reasons.iter().any(|(_, reason)| reason.contains(password)));
}

#[tokio::test]
async fn a_stream_waits_for_its_schema_registry() {
    let registry = SchemaRegistry::start().await;
    registry.register(7, FOREIGN);
    registry.set_away(true);
    let settings = Settings::default().section(&format!("[schema_registry]\nurl = \"{}\"", registry.url()));
    let mut node = Node::prepare(settings);
    let log = node.open_log();
    log.append("license.LicenseUpdated", Some("acme"), "waits", &headers("waits"), &body(7, "pro")).await;
    log.close().await;
    let back = async {
        while registry.requests().len() < 2 {
            tokio::task::yield_now().await;
        }
        registry.set_away(false);
    };
    // Ready once the log is read back, for which the schema is needed.
    tokio::join!(node.start(), back);
    assert!(!node.lines("the schema registry gives no answer: the stream waits").is_empty());
    node.stop().await;
    assert!(node.open_log().dead_letters().await.is_empty(), "nothing was given up");
}

#[tokio::test]
async fn ingest_accepts_only_our_own_encoding() {
    let registry = SchemaRegistry::start().await;
    registry.register(7, FOREIGN);
    let settings = Settings::default().section(&format!("[schema_registry]\nurl = \"{}\"", registry.url()));
    let node = Node::start_with(settings).await;
    let event = NewEvent::avro("license.LicenseUpdated", "foreign", body(7, "pro"));
    let answer = node.post(Token::producer().sign(), &event).await.expect(400);
    assert!(answer.text().contains("single-object"), "{}", answer.text());
    let schema = Registry::builtin().event_type("license.LicenseUpdated").expect("known").clone();
    let own = schema.encode_json(None, &json!({ "org": "acme", "plan": "pro", "seats": 5 })).expect("fits");
    node.post(Token::producer().sign(), &NewEvent::avro("license.LicenseUpdated", "own", own)).await.expect(202);
    assert!(registry.requests().is_empty());
}

/// The body that Confluent's serializers produce.
fn message(id: &'static str, schema: u32) -> Message {
    Message {
        stream: Stream::Events,
        org: Some("acme".to_owned()),
        topic: "license.LicenseUpdated".to_owned(),
        key: None,
        id: id.to_owned(),
        headers: headers(id).map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
        body: Bytes::from(body(schema, "pro")),
    }
}

#[tokio::test]
async fn on_kafka_the_stream_continues_once_the_registry_is_back() {
    let server = match KafkaServer::start().await {
        Err(StartError::Missing(reason)) => return skip("a schema registry beside Kafka", &reason),
        server => server.expect("a server"),
    };
    let registry = SchemaRegistry::start().await;
    registry.register(7, FOREIGN);
    registry.set_away(true);
    let settings = Settings::default().secret(SECRET).broker(&format!("url = \"kafka://{}\"", server.address()));
    let node = Node::start_with(settings.section(&format!("[schema_registry]\nurl = \"{}\"", registry.url()))).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let options = Options::new(vec![server.address()], vec!["license".to_owned()]);
    let producer = Kafka::open(Options { publish_only: true, ..options }).expect("good options");
    for (id, schema) in [("known", 7), ("unknown", 8)] {
        producer.publish(message(id, schema)).await.expect("stored");
    }
    until("a question to the registry", async || (!registry.requests().is_empty()).then_some(())).await;
    tab.expect_silence().await;
    registry.set_away(false);
    assert_eq!(tab.expect("toast").await["title"], "License updated");
    let letter = until("a dead letter", async || {
        let mut command = process::command("fanfare");
        command.args(["deadletters", "list", "--json", "--config"]).arg(node.config());
        let listed = process::run(command).await;
        assert_eq!(listed.code, Some(0), "{listed:?}");
        listed.stdout.lines().next().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
    })
    .await;
    assert_eq!((&letter["kind"], &letter["org"]), (&json!("schema"), &json!("acme")));
    assert_eq!(letter["reason"], "schema: the schema registry has no schema 8");
    producer.close().await;
}
