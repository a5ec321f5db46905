//! Producers in other languages that write directly to a broker with its plain client.

use std::time::Duration;

use async_nats::HeaderMap;
use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::process;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{Node, Settings, Tab, Token};
use fanfare_event::Registry;
use fanfare_test_servers::kafka::KafkaServer;
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{StartError, skip};
use rdkafka::ClientConfig;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use serde_json::{Value, json};

const STRUCTURED: &str = "application/cloudevents+json";

fn data(title: &str) -> Value {
    json!({ "org": "acme", "title": title, "message": "m" })
}

/// The body of an event in single-object encoding.
fn avro(title: &str) -> Vec<u8> {
    let registry = Registry::builtin();
    registry.event_type("system.Alert").expect("a schema").encode_json(None, &data(title)).expect("fits")
}

/// The same with a handwritten fingerprint, the highest byte first.
fn reversed(title: &str) -> Vec<u8> {
    let mut body = avro(title);
    body[2..10].reverse();
    body
}

/// An event in structured mode; null attributes are left out.
fn structured(id: &str, change: Value) -> String {
    let mut event = json!({ "specversion": "1.0", "id": id, "source": "/foreign", "type": "system.Alert" });
    event["data"] = data(id);
    for (name, value) in change.as_object().expect("an object") {
        event[name] = value.clone();
    }
    event.to_string()
}

/// The node's dead letters, with the reasons.
async fn letters(node: &Node, count: usize) -> Vec<String> {
    until("a dead letter for each", async || {
        let mut command = process::command("fanfare");
        command.args(["deadletters", "list", "--json", "--config"]).arg(node.config());
        let found: Vec<_> = process::run(command).await.stdout.lines().map(str::to_owned).collect();
        (found.len() >= count).then_some(found)
    })
    .await
}

async fn titles(tab: &mut Tab, expected: &[&str]) {
    let mut told = Vec::new();
    for _ in expected {
        told.push(tab.expect("toast").await["title"].as_str().unwrap_or_default().to_owned());
    }
    told.sort();
    assert_eq!(told, expected);
}

fn expect_reasons(letters: &[String], parts: &[&str]) {
    for part in parts {
        assert!(letters.iter().any(|told| told.contains(part)), "{part}: {letters:?}");
    }
}

#[tokio::test]
async fn a_client_of_nats_publishes_cloud_events_in_both_modes() {
    let server = match NatsServer::start(Version::Current).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("a foreign producer on NATS", &why),
        Err(error) => panic!("{error}"),
    };
    let broker = format!("url = \"nats://{}\"", server.address());
    let node = Node::start_with(Settings::default().broker(&broker).secret(SECRET)).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let client = async_nats::connect(server.address()).await.expect("connects");
    let send = async |headers: &[(&str, &str)], body: Vec<u8>| {
        let mut map = HeaderMap::new();
        headers.iter().for_each(|(name, value)| map.insert(*name, *value));
        client.publish_with_headers("events.acme.system.Alert", map, body.into()).await.expect("sent");
    };
    let binary = |id: &'static str| {
        [("ce-specversion", "1.0"), ("ce-id", id), ("ce-source", "/foreign"), ("ce-type", "system.Alert")]
    };
    send(&binary("binary"), avro("binary")).await;
    let mode = [("content-type", "application/cloudevents+json; charset=utf-8")];
    send(&mode, structured("structured", json!({ "extra": 5 })).into()).await;
    // Text in an envelope is not percent-encoded: decoded, this would be the id of the event before.
    send(&mode, structured("%73tructured", json!({})).into()).await;
    send(&mode, structured("torn", json!({ "data_base64": "AA==" })).into()).await;
    send(&mode, structured("foreign", json!({ "data": { "org": "globex", "title": "t", "message": "m" } })).into())
        .await;
    send(&mode, b"{".to_vec()).await;
    send(&binary("reversed"), reversed("reversed")).await;
    send(&binary("last"), avro("last")).await;
    client.flush().await.expect("flushed");
    titles(&mut tab, &["%73tructured", "binary", "last", "structured"]).await;
    let letters = letters(&node, 4).await;
    let reasons =
        ["exactly one of `data` and `data_base64`", "org `globex`", "these bytes in reverse", "it is not JSON"];
    expect_reasons(&letters, &reasons);
}

#[tokio::test]
async fn a_client_of_kafka_publishes_cloud_events_in_both_modes() {
    let server = match KafkaServer::start().await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("a foreign producer on Kafka", &why),
        Err(error) => panic!("{error}"),
    };
    let broker = format!("url = \"kafka://{}\"\n[broker.kafka]\nreplication = 1", server.address());
    let node = Node::start_with(Settings::default().broker(&broker).secret(SECRET)).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let producer: FutureProducer =
        ClientConfig::new().set("bootstrap.servers", server.address()).create().expect("a producer");
    let send = async |headers: &[(&str, Option<&str>)], key: Option<&str>, body: Vec<u8>| {
        let of = |all: OwnedHeaders, (key, value): &(&str, Option<&str>)| all.insert(Header { key, value: *value });
        let headers = headers.iter().fold(OwnedHeaders::new(), of);
        let record =
            FutureRecord { key, ..FutureRecord::<str, _>::to("events.system").payload(&body).headers(headers) };
        producer.send(record, Duration::from_secs(20)).await.expect("stored");
    };
    let binary = |id: &'static str| {
        let attributes =
            [("ce_specversion", "1.0"), ("ce_id", id), ("ce_source", "/foreign"), ("ce_type", "system.Alert")];
        attributes.map(|(name, value)| (name, Some(value))).to_vec()
    };
    let of_acme = |id: &'static str| [binary(id), vec![("ce_org", Some("acme")), ("x-nothing", None)]].concat();
    send(&of_acme("binary"), Some("order-17"), avro("binary")).await;
    send(&[binary("keyless"), vec![("ce_time", None), ("ce_org", None)]].concat(), None, avro("keyless")).await;
    let mode = [("content-type", Some(STRUCTURED))];
    send(&mode, Some("order-17"), structured("structured", json!({ "org": "acme" })).into()).await;
    send(&mode, None, structured("of no org", json!({ "org": "globex" })).into()).await;
    send(&mode, None, structured("untyped", json!({ "type": null })).into()).await;
    send(&of_acme("reversed"), Some("acme"), reversed("reversed")).await;
    send(&of_acme("last"), Some("acme"), avro("last")).await;
    titles(&mut tab, &["binary", "keyless", "last", "structured"]).await;
    let letters = letters(&node, 3).await;
    expect_reasons(&letters, &["org `globex`", "these bytes in reverse", "type"]);
}
