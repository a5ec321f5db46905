//! Publishing straight to the server of a broker that is not always there.

// A failing helper should end the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::kafka::{self, Kafka};
use fanfare_broker::nats::{self, Nats};
use fanfare_broker::{Broker, Position};
use fanfare_outbox::BrokerPublisher;
use fanfare_test_servers::kafka::KafkaServer;
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{StartError, skip};
use support::{Database, alert, commit, quick, start, until_empty};

const ORGS: [&str; 3] = ["acme", "globex", "initech"];
const EACH: u32 = 60;

/// What a broker answers later than this counts as lost.
const PATIENCE: Duration = Duration::from_millis(500);

enum Server {
    Nats(NatsServer),
    Kafka(KafkaServer),
}

impl Server {
    fn kill(&mut self) {
        match self {
            Self::Nats(server) => server.kill(),
            Self::Kafka(server) => server.kill(),
        }
    }

    async fn start_again(&mut self) {
        match self {
            Self::Nats(server) => server.start_again().await.unwrap(),
            Self::Kafka(server) => server.start_again().await.unwrap(),
        }
    }
}

#[tokio::test]
async fn what_is_committed_while_nats_is_killed_arrives_in_order() {
    let server = match NatsServer::start(Version::Current).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("the outbox on NATS", &why),
        Err(error) => panic!("{error}"),
    };
    let options = nats::Options { request_timeout: PATIENCE, ..nats::Options::new([server.address()]) };
    let broker = Arc::new(Nats::open(options).unwrap());
    // The server knows a message that it has stored by its id.
    assert_eq!(arrives_in_order(broker, Server::Nats(server)).await, 0, "nothing comes twice");
}

#[tokio::test]
async fn what_is_committed_while_kafka_is_killed_arrives_in_order() {
    let server = match KafkaServer::start().await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("the outbox on Kafka", &why),
        Err(error) => panic!("{error}"),
    };
    let options = kafka::Options {
        replication: Some(1),
        request_timeout: PATIENCE,
        delivery_timeout: 2 * PATIENCE,
        ..kafka::Options::new(vec![server.address()], vec!["system".to_owned()])
    };
    let broker = Arc::new(Kafka::open(options).unwrap());
    // What was stored as the server died is stored again by the next attempt: a reader tells it by its id.
    let twice = arrives_in_order(broker, Server::Kafka(server)).await;
    assert!(twice <= ORGS.len(), "{twice} came twice, with at most one of each org on its way");
}

/// Commits while the server runs, is dead, and runs again; gives how much arrived twice.
async fn arrives_in_order(broker: Arc<dyn Broker>, mut server: Server) -> usize {
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let relay = start(&outbox, BrokerPublisher::new(Arc::clone(&broker)), quick());
    let events = |numbers: std::ops::Range<u32>| {
        numbers.flat_map(|number| ORGS.map(|org| alert(&format!("{org}-{number:03}"), Some(org), None, org)))
    };
    commit(&outbox, events(0..EACH / 3)).await;
    server.kill();
    commit(&outbox, events(EACH / 3..EACH * 2 / 3)).await;
    server.start_again().await;
    commit(&outbox, events(EACH * 2 / 3..EACH)).await;
    until_empty(&outbox).await;
    relay.stop().await;

    let (arrived, twice) = all_of(&*broker).await;
    for org in ORGS {
        let sent: Vec<_> = (0..EACH).map(|number| format!("14:/services/test:{org}-{number:03}")).collect();
        assert_eq!(arrived[org], sent, "{org}");
    }
    broker.close().await;
    twice
}

/// The ids of each org in the order of their first arrival, and how many came again.
async fn all_of(broker: &dyn Broker) -> (BTreeMap<String, Vec<String>>, usize) {
    let mut arrived: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let (mut twice, total) = (0, ORGS.len() * EACH as usize);
    let incarnation = broker.head().await.unwrap().incarnation();
    let mut reader = broker.read(&Position::start(incarnation)).await.unwrap();
    while arrived.values().map(Vec::len).sum::<usize>() < total {
        for record in reader.next().await.unwrap() {
            let of_org = arrived.entry(record.message.org.unwrap()).or_default();
            if of_org.contains(&record.message.id) {
                twice += 1;
            } else {
                of_org.push(record.message.id);
            }
        }
    }
    (arrived, twice)
}
