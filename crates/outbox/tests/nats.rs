//! Publishing straight to a NATS server that is not always there.

// A failing helper should end the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::nats::{Nats, Options};
use fanfare_broker::{Broker, Position};
use fanfare_outbox::BrokerPublisher;
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{StartError, skip};
use support::{Database, alert, commit, quick, start, until_empty};

const ORGS: [&str; 3] = ["acme", "globex", "initech"];
const EACH: u32 = 60;

#[tokio::test]
async fn what_is_committed_while_the_server_is_killed_arrives_in_order_and_once() {
    let mut server = match NatsServer::start(Version::Current).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("the outbox on NATS", &why),
        Err(error) => panic!("{error}"),
    };
    let options = Options { request_timeout: Duration::from_millis(500), ..Options::new([server.address()]) };
    let broker: Arc<dyn Broker> = Arc::new(Nats::open(options).unwrap());
    let database = Database::new().await;
    let outbox = database.outbox().await;
    let relay = start(&outbox, BrokerPublisher::new(Arc::clone(&broker)), quick());
    let events = |numbers: std::ops::Range<u32>| {
        numbers.flat_map(|number| ORGS.map(|org| alert(&format!("{org}-{number:03}"), Some(org), None, org)))
    };
    commit(&outbox, events(0..EACH / 3)).await;
    server.kill();
    commit(&outbox, events(EACH / 3..EACH * 2 / 3)).await;
    server.start_again().await.unwrap();
    commit(&outbox, events(EACH * 2 / 3..EACH)).await;
    until_empty(&outbox).await;
    relay.stop().await;

    let mut arrived: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let incarnation = broker.head().await.unwrap().incarnation();
    let mut reader = broker.read(&Position::start(incarnation)).await.unwrap();
    let total = ORGS.len() * EACH as usize;
    while arrived.values().map(Vec::len).sum::<usize>() < total {
        for record in reader.next().await.unwrap() {
            arrived.entry(record.message.org.unwrap()).or_default().push(record.message.id);
        }
    }
    for org in ORGS {
        let sent: Vec<_> = (0..EACH).map(|number| format!("14:/services/test:{org}-{number:03}")).collect();
        assert_eq!(arrived[org], sent, "{org}");
    }
    broker.close().await;
}
