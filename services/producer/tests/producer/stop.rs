//! How a service ends.

use crate::{SERVICE, routes_telling};
use fanfare_event::Encoded;
use fanfare_outbox::{PublishError, Publisher};
use fanfare_producer::testing::Harness;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// A fan-out that never answers.
struct Silent;

#[async_trait::async_trait]
impl Publisher for Silent {
    async fn publish(&self, _: &Encoded) -> Result<(), PublishError> {
        std::future::pending().await
    }
}

async fn serve(harness: &Harness, arrived: &Arc<Notify>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("address");
    let authenticator = harness.authenticator();
    let (producer, shutdown) = (harness.producer.clone(), harness.shutdown.clone());
    let routes = routes_telling(producer.clone(), harness.authenticator(), Arc::clone(arrived));
    (address, tokio::spawn(async move { producer.run(listener, routes, authenticator, Silent, shutdown).await }))
}

async fn request(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("connect");
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(head.as_bytes()).await.expect("write");
    stream
}

#[tokio::test]
async fn idle_connections_do_not_delay_it_and_requests_in_flight_are_answered() {
    let harness = Harness::open(SERVICE).await;
    let arrived = Arc::default();
    let (address, service) = serve(&harness, &arrived).await;
    let mut idle = request(address, "/healthz").await;
    let mut buffer = [0; 12];
    idle.read_exact(&mut buffer).await.expect("an answer");
    assert_eq!(&buffer, b"HTTP/1.1 200");
    let half_open = TcpStream::connect(address).await.expect("connect");
    let mut slow = request(address, "/slow/500").await;
    arrived.notified().await;
    let start = Instant::now();
    harness.shutdown.cancel();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    service.await.expect("it ends");
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    drop(half_open);
}

#[tokio::test]
async fn slow_requests_are_cut_off_within_five_seconds() {
    let harness = Harness::open(SERVICE).await;
    let arrived = Arc::default();
    let (address, service) = serve(&harness, &arrived).await;
    let _slow = request(address, "/slow/60000").await;
    arrived.notified().await;
    let start = Instant::now();
    harness.shutdown.cancel();
    service.await.expect("it ends");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}
