//! Users, passwords and rights, on a server that checks them.

use std::time::Duration;

use fanfare_test_servers::StartError;
use fanfare_test_servers::kafka::KafkaServer;

use super::{event, open, options};
use crate::broker::Broker;
use crate::error::BrokerError;
use crate::kafka::Options;

/// The server knows two users: one may do everything, the other nothing.
const SECURED: &str = r#"listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.clients.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="root" password="root-secret" user_root="root-secret" user_alice="alice-secret";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:root;User:ANONYMOUS"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_passwords_and_missing_rights_are_refused() {
    let server = match KafkaServer::start_with(SECURED).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return crate::contract::skip("kafka::rights", &why),
        Err(failed) => panic!("{failed}"),
    };
    let with = |user: &str, password: &str| {
        let properties = [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", user),
            ("sasl.password", password),
        ];
        let properties = properties.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        Options { properties, request_timeout: Duration::from_secs(2), ..options(&server.address()) }
    };
    let wrong = open(&with("root", "guessed")).head().await.expect_err("refused");
    let said = wrong.to_string();
    assert!(matches!(wrong, BrokerError::Refused(_)), "{said}");
    assert!(said.contains("password") && !said.contains("guessed"), "{said}");

    let known = with("root", "root-secret");
    let kafka = open(&known);
    kafka.publish(event("1")).await.expect("published");
    let alice = Options { properties: with("alice", "alice-secret").properties, ..known.clone() };
    let denied = open(&alice).head().await.expect_err("refused");
    let said = denied.to_string();
    assert!(matches!(denied, BrokerError::Refused(_)), "{said}");
    assert!(said.contains("right") && said.contains(&known.events), "{said}");
    kafka.close().await;
}
