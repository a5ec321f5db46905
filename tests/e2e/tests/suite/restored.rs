//! A broker's store that was lost and restored from a copy, as in docs/runbooks.md: what running nodes still know, what
//! a starting one lacks, and how to recover it.

use fanfare_e2e_tests::client::Message;
use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, Request, Settings, Tab, Token};
use fanfare_test_servers::kafka::KafkaServer;
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{StartError, skip};
use serde_json::json;

enum Store {
    Nats(NatsServer),
    Kafka(KafkaServer),
}

impl Store {
    /// The lines of `[broker]`.
    fn lines(&self) -> String {
        match self {
            Self::Nats(server) => format!("url = \"nats://{}\"", server.address()),
            Self::Kafka(server) => format!("url = \"kafka://{}\"\n[broker.kafka]\nreplication = 1", server.address()),
        }
    }

    /// Stops the server, copies its folder, and starts it again.
    async fn back_up(&mut self) {
        match self {
            Self::Nats(server) => server.keep_files().await,
            Self::Kafka(server) => server.keep_files().await,
        }
    }

    /// The folder is lost with the server; the copy replaces it.
    async fn restore(&mut self) {
        match self {
            Self::Nats(server) => server.restore_files().await,
            Self::Kafka(server) => server.restore_files().await,
        }
    }
}

/// Publishes through a node whose broker may have been down.
async fn publish(node: &Node, event: &NewEvent) {
    until("a broker that takes events", async || {
        (node.post(Token::producer().sign(), event).await.status == 202).then_some(())
    })
    .await;
}

fn logout(user: &str, id: &str) -> NewEvent {
    let body = json!({ "user": user, "org": "acme", "session": null, "reason": "bye" });
    NewEvent::new("auth.UserLoggedOut", id, &body)
}

fn flag(enabled: bool, revision: i64, id: &str) -> NewEvent {
    let body = json!({ "org": "acme", "flag": "beta", "enabled": enabled, "revision": revision });
    NewEvent::new("license.FlagToggled", id, &body)
}

/// Whether the flag is on, according to a new tab.
async fn is_on(tab: &mut Tab) -> bool {
    tab.expect("featureFlag").await["enabled"] == true
}

/// The statuses for the tokens of both users.
async fn statuses(node: &Node, tokens: &[String; 2]) -> [u16; 2] {
    [node.negotiate(&tokens[0]).await, node.negotiate(&tokens[1]).await]
}

async fn is_restored(mut store: Store) {
    let settings = Settings::default().broker(&store.lines()).secret(SECRET);
    let mut running = Node::start_with(settings.clone()).await;
    let tokens = ["early", "late"].map(|user| Token::user(user, "acme").sign());
    let watcher = Token::user("watcher", "acme");
    running.publish(&[flag(true, 1, "on"), logout("early", "early out")]).await;
    until("the first logout", async || (running.negotiate(&tokens[0]).await == 401).then_some(())).await;

    store.back_up().await;
    running.ready().await;
    publish(&running, &flag(false, 2, "off")).await;
    publish(&running, &logout("late", "late out")).await;
    until("the second logout", async || (running.negotiate(&tokens[1]).await == 401).then_some(())).await;
    until("the newer flag", async || (!is_on(&mut running.tab(&watcher).await).await).then_some(())).await;
    let mut tab = running.tab(&watcher).await;
    let cursor = tab.cursor().await;

    store.restore().await;
    until("the node to notice", async || (running.metric("fanfare_log_replaced", "").await >= 1.0).then_some(())).await;
    running.ready().await;
    // Its tabs are closed, reconnect, and learn that they have missed something.
    while !matches!(tab.next().await, Message::Close(..) | Message::SocketClosed(_)) {}
    let mut back = running.tab(&watcher).await;
    let resumed = back.invoke("Resume", json!([cursor])).await.expect("an answer");
    assert_eq!(resumed["complete"], false, "{resumed}");
    let health = Request::get("/healthz").send(running.admin_address()).await.expect("an answer").text();
    assert!(health.contains("log"), "{health}");
    assert_eq!(statuses(&running, &tokens).await, [401, 401], "who runs refuses the tokens of both");

    // A starting node knows what is in the copy.
    let started = Node::start_with(settings).await;
    assert_eq!(statuses(&started, &tokens).await, [401, 200], "the second logout is forgotten");
    assert!(is_on(&mut started.tab(&watcher).await).await, "and so is the newer flag");

    // Step 3: logouts first, then state with its current revision.
    publish(&started, &logout("late", "late out again")).await;
    publish(&started, &flag(false, 2, "off again")).await;
    for node in [&started, &running] {
        until("both logouts", async || (statuses(node, &tokens).await == [401, 401]).then_some(())).await;
        until("the current flag", async || (!is_on(&mut node.tab(&watcher).await).await).then_some(())).await;
    }
    // A node that starts now reads it from the log.
    running.stop().await;
    running.start().await;
    assert_eq!(statuses(&running, &tokens).await, [401, 401]);
    assert!(!is_on(&mut running.tab(&watcher).await).await);
}

#[tokio::test]
async fn a_store_of_nats_is_restored_by_the_runbook() {
    match NatsServer::start(Version::Current).await {
        Ok(server) => is_restored(Store::Nats(server)).await,
        Err(StartError::Missing(why)) => skip("restoring NATS", &why),
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_folder_of_kafka_is_restored_by_the_runbook() {
    match KafkaServer::start().await {
        Ok(server) => is_restored(Store::Kafka(server)).await,
        Err(StartError::Missing(why)) => skip("restoring Kafka", &why),
        Err(error) => panic!("{error}"),
    }
}
