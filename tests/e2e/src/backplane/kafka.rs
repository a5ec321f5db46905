//! Kafka's needs: its clients connect to the address that the server advertises.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use fanfare_test_servers::free_port;
use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::topic_partition_list::{Offset, TopicPartitionList};

use super::NODES;
use crate::relay::Relay;

const PATIENCE: Duration = Duration::from_secs(20);

/// A listener for each node, which advertises the address of that node's own proxy.
pub(super) struct Listeners(Vec<(u16, SocketAddr)>);

impl Listeners {
    /// Chooses the ports and opens the proxies.
    pub(super) async fn open(lines: &mut Vec<Relay>) -> Self {
        let mut listeners = Vec::new();
        for _ in 0..NODES {
            let port = free_port();
            let line = Relay::to((Ipv4Addr::LOCALHOST, port).into()).await;
            listeners.push((port, line.address()));
            lines.push(line);
        }
        Self(listeners)
    }

    /// The lines of the server's properties.
    pub(super) fn properties(&self) -> String {
        let mut protocols = "CLIENTS:PLAINTEXT,CONTROLLER:PLAINTEXT".to_owned();
        let mut listeners = "CLIENTS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}".to_owned();
        let mut advertised = "CLIENTS://127.0.0.1:{port}".to_owned();
        for (number, (port, line)) in self.0.iter().enumerate() {
            let _ = write!(protocols, ",NODE{number}:PLAINTEXT");
            let _ = write!(listeners, ",NODE{number}://127.0.0.1:{port}");
            let _ = write!(advertised, ",NODE{number}://{line}");
        }
        format!("listener.security.protocol.map={protocols}\nlisteners={listeners}\nadvertised.listeners={advertised}")
    }
}

/// Removes every record of the topics of events.
pub(super) async fn purge(address: &str) {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address);
    let consumer: BaseConsumer = config.create().expect("a client");
    let ends = tokio::task::spawn_blocking(move || ends(&consumer)).await.expect("no panic");
    let admin: AdminClient<DefaultClientContext> = config.create().expect("a client");
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE));
    admin.delete_records(&ends, &options).await.expect("purged");
}

/// The end of every partition.
fn ends(consumer: &BaseConsumer) -> TopicPartitionList {
    let metadata = consumer.fetch_metadata(None, PATIENCE).expect("metadata");
    let mut ends = TopicPartitionList::new();
    for topic in metadata.topics().iter().filter(|topic| topic.name().starts_with("events.")) {
        for partition in topic.partitions() {
            let (_, end) = consumer.fetch_watermarks(topic.name(), partition.id(), PATIENCE).expect("offsets");
            ends.add_partition_offset(topic.name(), partition.id(), Offset::Offset(end)).expect("an offset");
        }
    }
    ends
}
