//! Brokers assign rights by subject and topic, so an event must agree with its address. Tested with exactly the rights
//! that the documentation gives a producer.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_broker::kafka::{Kafka, Options as KafkaOptions};
use fanfare_broker::nats::{Login, Nats, Options as NatsOptions};
use fanfare_broker::{Broker, Message, PublishError, Stream};
use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::token::now;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{Node, Settings, Token};
use fanfare_event::{Attributes, Registry, Timestamp, TypeName};
use fanfare_test_servers::kafka::KafkaServer;
use fanfare_test_servers::nats::{DOCUMENTED_RIGHTS, NatsServer, Version};
use fanfare_test_servers::{StartError, skip};
use serde_json::{Value, json};

/// An event, and the address at which a producer publishes it.
struct Sent {
    address: &'static str,
    key: Option<&'static str>,
    org: &'static str,
    event_type: &'static str,
    data: Value,
}

impl Sent {
    fn message(&self, id: &str) -> Message {
        let attributes = Attributes {
            id: id.to_owned(),
            source: "/license".to_owned(),
            event_type: TypeName::parse(self.event_type).expect("a type"),
            time: Timestamp(now() * 1000),
            subject: None,
            org: None,
            data_version: None,
            traceparent: None,
        };
        let registry = Registry::builtin();
        let schema = registry.event_type(self.event_type).expect("a schema");
        Message {
            stream: if self.key.is_some() { Stream::State } else { Stream::Events },
            org: Some(self.org.to_owned()),
            topic: self.address.to_owned(),
            key: self.key.map(str::to_owned),
            id: id.to_owned(),
            headers: attributes.to_headers(),
            body: Bytes::from(schema.encode_json(None, &self.data).expect("fits")),
        }
    }
}

fn flag(name: &str) -> Value {
    json!({ "org": "acme", "flag": name, "enabled": true })
}

/// What a producer with the rights of `license` may try, with the kind of fault and the text in the letter.
fn lies() -> Vec<(Sent, &'static str, [&'static str; 2])> {
    let at = |address, key, org, event_type, data| Sent { address, key, org, event_type, data };
    let superadmin = json!({ "org": "acme", "user": "u1", "roles": ["superadmin"] });
    let logout = json!({ "user": "alice", "org": "acme", "session": null, "reason": "a lie" });
    vec![
        (
            at("license.RolesChanged", Some("u1"), "acme", "auth.RolesChanged", superadmin),
            "address",
            ["license.", "auth.RolesChanged"],
        ),
        (
            at("license.LicenseUpdated", None, "acme", "auth.UserLoggedOut", logout),
            "address",
            ["license.", "auth.UserLoggedOut"],
        ),
        (
            at("license.FlagToggled", None, "acme", "license.FlagToggled", flag("keyless")),
            "address",
            ["keyless", "state"],
        ),
        (
            at("license.FlagToggled", Some("other"), "acme", "license.FlagToggled", flag("own")),
            "address",
            ["`other`", "`own`"],
        ),
        (
            at("license.FlagToggled", Some("foreign"), "globex", "license.FlagToggled", flag("foreign")),
            "other_org",
            ["globex", "acme"],
        ),
    ]
}

/// Publishes false events and then a true one; tabs receive only the true one.
async fn lies_are_dead_letters(node: &Node, producer: &dyn Broker, operator: &dyn Broker) {
    let mut alice = node.tab(&Token::user("alice", "acme")).await;
    let lies = lies();
    for (number, (lie, ..)) in lies.iter().enumerate() {
        let message = lie.message(&format!("lie-{number}"));
        producer.publish(message).await.expect("the broker's rights allow it");
    }
    let truth = Sent {
        address: "license.FlagToggled",
        key: Some("true"),
        org: "acme",
        event_type: "license.FlagToggled",
        data: flag("true"),
    };
    producer.publish(truth.message("truth")).await.expect("published");
    assert_eq!(alice.expect("featureFlag").await["flag"], "true", "of the rest nothing is told");
    let letters = until("a letter for each lie", async || {
        let letters = operator.dead_letters(100).await.ok()?;
        (letters.len() >= lies.len()).then_some(letters)
    })
    .await;
    assert_eq!(letters.len(), lies.len());
    for (number, (_, kind, names)) in lies.iter().enumerate() {
        let letter = letters.iter().find(|letter| letter.message.id == format!("lie-{number}")).expect("a letter");
        assert!(letter.reason.starts_with(kind), "{}", letter.reason);
        for name in names {
            assert!(letter.reason.contains(name), "{} names {name}", letter.reason);
        }
    }
    let known = Token::user("alice", "acme").claim("iat", now() - 60).sign();
    assert_eq!(node.negotiate(known).await, 200, "nobody was logged out");
}

#[tokio::test]
async fn rights_on_nats_are_rights_to_the_events_of_a_subject() {
    let server = match NatsServer::start_with(Version::Current, |_| DOCUMENTED_RIGHTS.to_owned()).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("rights on NATS", &why),
        Err(error) => panic!("{error}"),
    };
    let open = |user: &str| {
        let login = Login::Password { user: user.to_owned(), password: "a".to_owned() };
        let options = NatsOptions { login, create: user == "operator", ..NatsOptions::new([server.address()]) };
        Nats::open(options).expect("opens")
    };
    let (operator, license) = (open("operator"), open("license"));
    operator.head().await.expect("makes the streams");
    let lines = format!(
        "url = \"nats://{}\"\n[broker.nats]\nuser = \"node\"\npassword_file = \"password\"\ncreate = false\n",
        server.address()
    );
    let mut node = Node::prepare(Settings::default().broker(&lines).secret(SECRET));
    std::fs::write(node.folder().join("password"), "a").expect("written");
    node.start().await;
    let foreign = Sent {
        address: "auth.RolesChanged",
        key: Some("u1"),
        org: "acme",
        event_type: "auth.RolesChanged",
        data: json!({ "org": "acme", "user": "u1", "roles": ["superadmin"] }),
    };
    let refused = license.publish(foreign.message("foreign")).await.expect_err("another's subject");
    assert!(matches!(refused, PublishError::Refused(_)), "{refused}");
    lies_are_dead_letters(&node, &license, &operator).await;
}

#[tokio::test]
async fn rights_on_kafka_are_rights_to_the_events_of_a_topic() {
    let server = match KafkaServer::start().await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("rights on Kafka", &why),
        Err(error) => panic!("{error}"),
    };
    let lines = format!("url = \"kafka://{}\"\n", server.address());
    let mut node = Node::prepare(Settings::default().broker(&lines).secret(SECRET));
    node.start().await;
    let services = ["auth", "export", "license", "system"].map(str::to_owned).to_vec();
    let broker: Arc<dyn Broker> =
        Arc::new(Kafka::open(KafkaOptions::new(vec![server.address()], services)).expect("opens"));
    lies_are_dead_letters(&node, &*broker, &*broker).await;
}
