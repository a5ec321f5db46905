//! The rules about servers that are killed, emptied and restored, each on its own server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use fanfare_test_servers::StartError;
use fanfare_test_servers::kafka::KafkaServer;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::{Offset, TopicPartitionList};
use tokio::sync::Mutex;

use super::{open, options};
use crate::broker::Broker;
use crate::contract::restart::Faults;
use crate::contract::{Abilities, Fixture};
use crate::kafka::Options;
use crate::kafka::check;
use crate::kafka::cluster::{Cluster, Partitions};
use crate::message::Stream;
use crate::position::Position;

struct Own {
    server: Result<Mutex<KafkaServer>, String>,
    options: Options,
}

impl Own {
    async fn start() -> Self {
        match KafkaServer::start().await {
            // With one partition there is one order, as the rules expect of a publisher of many keys.
            Ok(server) => {
                let options = Options { partitions: 1, ..options(&server.address()) };
                Self { options, server: Ok(Mutex::new(server)) }
            }
            Err(StartError::Missing(what)) => Self { server: Err(what), options: Options::default() },
            Err(failed) => panic!("{failed}"),
        }
    }

    fn server(&self) -> &Mutex<KafkaServer> {
        self.server.as_ref().expect("a server")
    }

    fn admin(&self) -> AdminClient<DefaultClientContext> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.options.servers[0]);
        config.create().expect("an admin client")
    }

    fn cluster(&self) -> Arc<Cluster> {
        Arc::new(Cluster::new(self.options.clone()).expect("a cluster"))
    }
}

#[async_trait]
impl Fixture for Own {
    async fn open(&self) -> Arc<dyn Broker> {
        Arc::new(open(&self.options))
    }

    async fn restart_server(&self) {
        self.kill_server().await;
        self.start_server().await;
    }

    fn missing(&self) -> Option<String> {
        self.server.as_ref().err().cloned()
    }

    fn abilities(&self) -> Abilities {
        Abilities { deduplicates: false, tells_conflicts: false }
    }
}

#[async_trait]
impl Faults for Own {
    async fn kill_server(&self) {
        self.server().lock().await.kill();
    }

    async fn start_server(&self) {
        self.server().lock().await.start_again().await.expect("the server starts again");
    }

    async fn recreate(&self) {
        let cluster = self.cluster();
        let log = cluster.names.topics.iter().map(|topic| topic.name.as_str());
        let names: Vec<&str> = log.chain([cluster.names.nodes.as_str()]).collect();
        let deleted = self.admin().delete_topics(&names, &AdminOptions::new()).await.expect("deleted");
        assert!(deleted.iter().all(Result::is_ok), "{deleted:?}");
        let begun = Instant::now();
        loop {
            let asked = Arc::clone(&cluster);
            let gone = tokio::task::spawn_blocking(move || {
                let names = asked.names.topics.iter().map(|topic| &topic.name).chain([&asked.names.nodes]);
                names.filter(|name| matches!(asked.partitions_of(name), Ok(Partitions::Missing))).count()
            });
            if gone.await.expect("no panic") == names.len() {
                break;
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "the topics are still there");
        }
        check::check(&cluster).await.expect("recreated");
    }

    async fn purge(&self, through: &Position) {
        let cluster = self.cluster();
        let mut list = TopicPartitionList::new();
        for (number, offset) in through.offsets() {
            let part = cluster.names.part(*number).expect("known");
            if cluster.names.topics[part.topic].stream == Stream::Events {
                let next = Offset::Offset(i64::try_from(offset + 1).expect("small"));
                list.add_partition_offset(cluster.names.name(part), part.partition, next).expect("added");
            }
        }
        let purged = self.admin().delete_records(&list, &AdminOptions::new()).await.expect("purged");
        assert!(purged.elements().iter().all(|element| element.error().is_ok()), "{purged:?}");
    }

    async fn keep_files(&self) {
        self.server().lock().await.keep_files().await;
    }

    async fn restore_files(&self) {
        self.server().lock().await.restore_files().await;
    }
}

crate::restart_suite!(Own::start().await);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_at_the_end_sees_nothing_old() {
    let fixture = Own::start().await;
    if let Some(why) = fixture.missing() {
        return crate::contract::skip("a_reader_at_the_end_sees_nothing_old", &why);
    }
    crate::contract::order::a_reader_at_the_end_sees_nothing_old(&fixture).await;
}
