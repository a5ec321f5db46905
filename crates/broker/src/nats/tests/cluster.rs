//! Three servers that keep each stream three times; one is killed at a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{StartError, free_port};

use super::super::{Nats, Options};
use super::event;
use crate::broker::{Broker, Reader};
use crate::error::BrokerError;
use crate::position::Position;

async fn cluster(version: Version) -> Result<Vec<NatsServer>, StartError> {
    let ports = [free_port(), free_port(), free_port()];
    let routes = ports.map(|port| format!("nats://127.0.0.1:{port}")).join(", ");
    let mut servers = Vec::new();
    for port in ports {
        let config = format!(
            "server_name: n{port}\ncluster {{ name: c, listen: \"127.0.0.1:{port}\", routes: [{routes}], no_advertise: true }}"
        );
        servers.push(NatsServer::start_with(version, |_| config.clone()).await?);
    }
    Ok(servers)
}

async fn ready(nats: &Nats) -> Position {
    let waiting = async {
        loop {
            match nats.head().await {
                Ok(head) => return head,
                // Before a leader is elected, some servers answer that there are too few of them.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("a leader in time")
}

/// Why the last publish failed, for the message if nothing arrives any more.
type Trouble = Arc<Mutex<String>>;

/// Publishes until it is stopped; ends with an acknowledged message, because others may be stored or not.
async fn publish_until(stop: Arc<AtomicBool>, nats: Arc<Nats>, trouble: Trouble) -> usize {
    let mut published = 0;
    loop {
        match nats.publish(event(&published.to_string())).await {
            Ok(_) => published += 1,
            Err(error) => {
                *trouble.lock().expect("no panic") = format!("message {published}: {error}");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        }
        if stop.load(Ordering::Relaxed) {
            return published;
        }
    }
}

/// Each server is killed once, so that the one the reader is connected to, the one with its consumer, and the leaders
/// are among them. Nothing is missing, and nothing is returned twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "three servers may take minutes to agree on a small machine; make soak runs it"]
async fn each_server_is_killed_once() {
    const BETWEEN: usize = 20;
    let mut servers = match cluster(Version::Current).await {
        Ok(servers) => servers,
        Err(StartError::Missing(why)) => return fanfare_test_servers::skip("each_server_is_killed_once", &why),
        Err(failed) => panic!("{failed}"),
    };
    let addresses = servers.iter().map(NatsServer::address);
    let options = Options { replicas: 3, request_timeout: Duration::from_secs(2), ..Options::new(addresses) };
    let nats = Arc::new(Nats::open(options).expect("opens"));
    let first = Position::start(ready(&nats).await.incarnation());
    let mut reader = nats.read(&first).await.expect("a reader");
    let stop = Arc::new(AtomicBool::new(false));
    let trouble = Trouble::default();
    let publisher = tokio::spawn(publish_until(Arc::clone(&stop), Arc::clone(&nats), Arc::clone(&trouble)));
    let mut read = Vec::new();
    for server in &mut servers {
        let enough = read.len() + BETWEEN;
        read_until(&nats, &mut reader, &mut read, enough, &trouble).await;
        server.kill();
        server.start_again().await.expect("starts again");
    }
    let enough = read.len() + BETWEEN;
    read_until(&nats, &mut reader, &mut read, enough, &trouble).await;
    stop.store(true, Ordering::Relaxed);
    let published = tokio::time::timeout(Duration::from_secs(60), publisher).await.expect("in time").expect("no panic");
    read_until(&nats, &mut reader, &mut read, published, &trouble).await;
    assert_eq!(read, (0..published).map(|n| n.to_string()).collect::<Vec<_>>());
}

async fn read_until(
    nats: &Nats,
    reader: &mut Box<dyn Reader>,
    read: &mut Vec<String>,
    enough: usize,
    trouble: &Trouble,
) {
    while read.len() < enough {
        let Ok(next) = tokio::time::timeout(Duration::from_secs(60), reader.next()).await else {
            let (head, position) = (nats.head().await, reader.position());
            let trouble = trouble.lock().expect("no panic");
            panic!("nothing for a minute: the reader is at {position:?}, the log at {head:?}; last failure: {trouble}");
        };
        match next {
            Ok(batch) => read.extend(batch.into_iter().map(|record| record.message.id)),
            Err(BrokerError::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
}
