//! A broker that may lose what it has acknowledged: the gauge, the reason of `/healthz`, and the refusal if `strict`.

use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::process::{self, expect_parts};
use fanfare_e2e_tests::stub::Stub;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{Node, Request, Settings};
use fanfare_test_servers::kafka::KafkaServer;
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::nats_version::pretend;
use fanfare_test_servers::{StartError, skip};
use fanfare_token::SigningKey;
use serde_json::Value;

/// A node of production, which has no development key, on a broker.
async fn prepare(broker: &str) -> (Node, Stub) {
    let key = SigningKey::generate().expect("a key");
    let stub = Stub::with_keys(vec![key.jwk()]).await;
    let settings = Settings::default().broker(broker).secret(SECRET);
    let settings = settings.issuer("https://own", &format!("{}/keys", stub.url()), "users = true");
    let node = Node::prepare(settings);
    node.edit_config("[development]\nsigning_key = \"key.pem\"\n", "");
    (node, stub)
}

/// The kinds of risks whose gauge is 1.
async fn risks(node: &Node) -> Vec<&'static str> {
    let mut found = Vec::new();
    for kind in ["replicas", "acknowledgement", "unclean_election", "memory", "version"] {
        if node.metric("fanfare_broker_risk", &format!("kind=\"{kind}\"")).await > 0.5 {
            found.push(kind);
        }
    }
    found
}

/// The reasons of `/healthz`, once there is one.
async fn degraded(node: &Node) -> String {
    let health: Value = until("a node that is degraded", async || {
        let answer = Request::get("/healthz").send(node.admin_address()).await.ok()?.expect(200).json();
        (answer["status"] == "degraded").then_some(answer)
    })
    .await;
    health.to_string()
}

/// The one sentence with which a node refuses to start.
async fn refusal(node: &Node) -> String {
    let outcome = process::run(node.serve()).await;
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    outcome.stderr
}

#[tokio::test]
async fn a_stream_with_one_replica_is_told_and_refused_if_strict() {
    let server = match NatsServer::start(Version::Current).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("a stream with one replica", &why),
        Err(error) => panic!("{error}"),
    };
    let (mut node, _keys) =
        prepare(&format!("url = \"nats://{}\"\n[broker.nats]\nstrict = false", server.address())).await;
    node.start().await;
    expect_parts(&degraded(&node).await, &["stream fanfare-events has 1 replica", "3 replicas"]);
    assert_eq!(risks(&node).await, ["replicas"]);
    let line = node.log();
    expect_parts(&line, &["what the broker has acknowledged may be lost: stream fanfare-events has 1 replica"]);
    node.stop().await;
    node.edit_config("strict = false", "strict = true");
    expect_parts(&refusal(&node).await, &["has 1 replica", "strict = true"]);
}

#[tokio::test]
async fn a_stream_that_acknowledges_before_it_stores_is_refused() {
    let server = match NatsServer::start(Version::Current).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("a stream with persist_mode async", &why),
        Err(error) => panic!("{error}"),
    };
    let client = async_nats::connect(server.address()).await.expect("connects");
    let stream = r#"{"name":"fanfare-events","subjects":["events.>"],"retention":"limits","storage":"file",
        "persist_mode":"async"}"#;
    let made = client.request("$JS.API.STREAM.CREATE.fanfare-events", stream.into()).await.expect("an answer");
    assert!(!String::from_utf8_lossy(&made.payload).contains("\"error\""), "{made:?}");
    let (node, _keys) = prepare(&format!("url = \"nats://{}\"", server.address())).await;
    expect_parts(&refusal(&node).await, &["fanfare-events has persist_mode async", "default"]);
}

#[tokio::test]
async fn a_server_whose_version_loses_streams_is_refused() {
    let (node, _keys) = prepare(&format!("url = \"nats://{}\"", pretend("2.10.21").await)).await;
    expect_parts(&refusal(&node).await, &["version 2.10.21", "loses whole streams", "2.10.23 or newer"]);
}

#[tokio::test]
async fn topics_that_one_server_alone_acknowledges_are_told_and_refused_if_strict() {
    let server = match KafkaServer::start_with("unclean.leader.election.enable=true").await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("topics with one replica", &why),
        Err(error) => panic!("{error}"),
    };
    let broker = format!("url = \"kafka://{}\"\n[broker.kafka]\nreplication = 1\nstrict = false", server.address());
    let (mut node, _keys) = prepare(&broker).await;
    node.start().await;
    expect_parts(&degraded(&node).await, &["events.system has ", "min.insync.replicas=1; it should be 2"]);
    assert_eq!(risks(&node).await, ["replicas", "acknowledgement", "unclean_election"]);
    node.stop().await;
    node.edit_config("strict = false", "strict = true");
    expect_parts(&refusal(&node).await, &["is kept by 1 servers", "strict = true"]);
}
