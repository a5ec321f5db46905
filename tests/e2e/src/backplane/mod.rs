//! The broker under test, with a proxy between it and each node.

mod kafka;

use std::sync::Arc;

use fanfare_broker::Broker;
use fanfare_broker::kafka::{Kafka, Options as KafkaOptions};
use fanfare_broker::nats::{Nats, Options as NatsOptions};
use fanfare_event::{Attributes, Encoded, Id, Registry, Timestamp};
use fanfare_outbox::{BrokerPublisher, Publisher as _};
use fanfare_test_servers::kafka::KafkaServer;
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{Signal, StartError, skip};
use serde_json::Value;

use crate::backplane::kafka::Listeners;
use crate::relay::Relay;
use crate::token::now;

/// The largest number of nodes on a shared broker.
const NODES: usize = 3;

/// The kind of broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The log within the node.
    Embedded,
    /// NATS JetStream.
    Nats,
    /// Apache Kafka.
    Kafka,
}

impl Kind {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Nats => "nats",
            Self::Kafka => "kafka",
        }
    }

    /// The number of nodes on it.
    pub fn nodes(self) -> usize {
        match self {
            Self::Embedded => 1,
            Self::Nats | Self::Kafka => NODES,
        }
    }
}

#[derive(Debug)]
enum Server {
    Embedded,
    Nats(NatsServer),
    Kafka(KafkaServer),
}

/// A running broker.
#[derive(Debug)]
pub struct Backplane {
    kind: Kind,
    server: Server,
    /// The proxy of each node.
    lines: Vec<Relay>,
}

impl Backplane {
    /// Starts it; none if it is not installed on this machine, which is reported in one line.
    ///
    /// # Panics
    /// If it is installed and does not start.
    pub async fn start(kind: Kind) -> Option<Self> {
        let mut lines = Vec::new();
        let started = match kind {
            Kind::Embedded => Ok(Server::Embedded),
            Kind::Nats => NatsServer::start(Version::Current).await.map(Server::Nats),
            Kind::Kafka => {
                let listeners = Listeners::open(&mut lines).await;
                KafkaServer::start_with(&listeners.properties()).await.map(Server::Kafka)
            }
        };
        let server = match started {
            Ok(server) => server,
            Err(StartError::Missing(why)) => {
                skip(&format!("nodes on {}", kind.name()), &why);
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        if let Server::Nats(server) = &server {
            for _ in 0..NODES {
                lines.push(Relay::to(server.address().parse().expect("an address")).await);
            }
        }
        Some(Self { kind, server, lines })
    }

    /// The kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The lines of `[broker]` for a node.
    pub fn config(&self, node: usize) -> String {
        match &self.server {
            Server::Embedded => "url = \"embedded:log\"".to_owned(),
            Server::Nats(_) => format!("url = \"nats://{}\"", self.lines[node].address()),
            Server::Kafka(_) => format!("url = \"kafka://{}\"", self.lines[node].address()),
        }
    }

    /// A producer's own connection to it, if the broker has one.
    ///
    /// # Panics
    /// If the broker cannot be opened.
    pub fn direct(&self) -> Option<Direct> {
        let broker: Arc<dyn Broker> = match &self.server {
            Server::Embedded => return None,
            Server::Nats(server) => {
                let options = NatsOptions { servers: vec![server.address()], ..NatsOptions::default() };
                Arc::new(Nats::open(options).expect("good options"))
            }
            Server::Kafka(server) => {
                let services = ["auth", "export", "license", "system"].map(str::to_owned).to_vec();
                Arc::new(Kafka::open(KafkaOptions::new(vec![server.address()], services)).expect("good options"))
            }
        };
        Some(Direct { broker })
    }

    /// Kills it.
    pub fn kill(&mut self) {
        match &mut self.server {
            Server::Embedded => {}
            Server::Nats(server) => server.kill(),
            Server::Kafka(server) => server.kill(),
        }
    }

    /// Starts it again with its data.
    ///
    /// # Panics
    /// If it does not start.
    pub async fn restart(&mut self) {
        match &mut self.server {
            Server::Embedded => {}
            Server::Nats(server) => server.start_again().await.expect("starts again"),
            Server::Kafka(server) => server.start_again().await.expect("starts again"),
        }
    }

    /// Pauses it with its sockets open.
    pub fn freeze(&self) {
        self.signal(Signal::Stop);
    }

    /// Continues it.
    pub fn thaw(&self) {
        self.signal(Signal::Continue);
    }

    fn signal(&self, signal: Signal) {
        match &self.server {
            Server::Embedded => {}
            Server::Nats(server) => server.signal(signal),
            Server::Kafka(server) => server.signal(signal),
        }
    }

    /// Removes every event in it.
    ///
    /// # Panics
    /// If it cannot be purged.
    pub async fn purge(&self) {
        match &self.server {
            Server::Embedded => panic!("the embedded log is not purged from outside"),
            Server::Nats(server) => {
                let client = async_nats::connect(server.address()).await.expect("a connection");
                let stream = async_nats::jetstream::new(client).get_stream("fanfare-events").await.expect("a stream");
                stream.purge().await.expect("purged");
            }
            Server::Kafka(server) => kafka::purge(&server.address()).await,
        }
    }

    /// The proxy between a node and it.
    pub fn line(&self, node: usize) -> &Relay {
        &self.lines[node]
    }

    /// All proxies.
    pub fn lines(&self) -> Vec<&Relay> {
        self.lines.iter().collect()
    }
}

/// A producer's own connection to the broker.
#[derive(Clone)]
pub struct Direct {
    broker: Arc<dyn Broker>,
}

impl std::fmt::Debug for Direct {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Direct")
    }
}

impl Direct {
    /// Publishes an alert as a producer's relay would.
    ///
    /// # Errors
    /// Why it is not known to be stored.
    ///
    /// # Panics
    /// If the event cannot be encoded.
    pub async fn alert(&self, org: &str, id: &str, body: &Value) -> Result<(), String> {
        let registry = Registry::builtin();
        let alert = registry.event_type("system.Alert").expect("known");
        let attributes = Attributes {
            id: id.to_owned(),
            source: "/tests".to_owned(),
            event_type: alert.name().clone(),
            time: Timestamp(now() * 1000),
            subject: None,
            org: Some(Id::parse(org).expect("an id")),
            data_version: None,
            traceparent: None,
        };
        let event = Encoded { attributes, body: alert.encode_json(None, body).expect("encoded"), key: None };
        BrokerPublisher::new(Arc::clone(&self.broker))
            .publish(&event)
            .await
            .map_err(|error| format!("the broker itself: {error}"))
    }

    /// The broker itself.
    pub fn broker(&self) -> &Arc<dyn Broker> {
        &self.broker
    }
}
