//! Another login while the broker is used.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fanfare_test_servers::StartError;
use fanfare_test_servers::kafka::KafkaServer;

use super::{event, open, options, take};
use crate::broker::Broker;
use crate::kafka::Options;
use crate::node_record::NodeRecord;
use crate::position::Position;

/// The server knows three users, of whom the last may do nothing.
const SECURED: &str = r#"listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.clients.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="new" password="b" user_new="b" user_old="a" user_mute="c";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:old;User:new;User:ANONYMOUS"#;

fn login(user: &str, password: &str) -> BTreeMap<String, String> {
    let properties = [
        ("security.protocol", "SASL_PLAINTEXT"),
        ("sasl.mechanism", "PLAIN"),
        ("sasl.username", user),
        ("sasl.password", password),
    ];
    properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_login_is_used_without_losing_an_event_and_a_wrong_one_is_not() {
    let mut server = match KafkaServer::start_with(SECURED).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return crate::contract::skip("kafka::logins", &why),
        Err(failed) => panic!("{failed}"),
    };
    let options = Options {
        properties: login("old", "a"),
        request_timeout: Duration::from_secs(5),
        ..options(&server.address())
    };
    let kafka = Arc::new(open(&options));
    let first = Position::start(kafka.head().await.expect("a head").incarnation());
    let mut reader = kafka.read(&first).await.expect("a reader");
    let mut told = kafka.read_nodes().await.expect("a reader");
    assert!(told.next().await.expect("records").is_empty());
    let (publishing, stop) = (Arc::clone(&kafka), Arc::new(AtomicBool::new(false)));
    let stopped = Arc::clone(&stop);
    let published = tokio::spawn(async move {
        let mut count = 0;
        while !stopped.load(Ordering::Relaxed) {
            publishing.publish(event(&count.to_string())).await.expect("published");
            count += 1;
        }
        count
    });

    let said = kafka.log_in(&login("new", "guessed")).await.expect_err("wrong");
    assert!(said.contains("password") && !said.contains("guessed"), "{said}");
    let said = kafka.log_in(&login("mute", "c")).await.expect_err("no rights");
    assert!(said.contains("right"), "{said}");
    kafka.head().await.expect("the one before is used");

    kafka.log_in(&login("new", "b")).await.expect("accepted");
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.store(true, Ordering::Relaxed);
    let count = published.await.expect("none failed");

    // The server forgets the old user.
    let file = server.folder().join("server.properties");
    let known = std::fs::read_to_string(&file).expect("the properties");
    std::fs::write(&file, known.replace(" user_old=\"a\"", "")).expect("written");
    server.stop().await;
    server.start_again().await.expect("starts again");
    let again = async {
        while kafka.publish(event("last")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), again).await.expect("let in again");
    let mut ids = Vec::new();
    while ids.last().is_none_or(|id| id != "last") {
        ids.extend(take(&mut reader, 1).await.into_iter().map(|record| record.message.id));
    }
    let expected: Vec<String> = (0..count).map(|n| n.to_string()).chain(["last".to_owned()]).collect();
    assert_eq!(ids, expected);
    let lease = NodeRecord { node: "a".into(), what: "lease".into(), body: "1".into() };
    kafka.tell_nodes(lease.clone()).await.expect("kept");
    let heard = tokio::time::timeout(Duration::from_secs(30), told.next()).await.expect("in time");
    assert_eq!(heard.expect("records"), [lease]);
    kafka.close().await;
}
