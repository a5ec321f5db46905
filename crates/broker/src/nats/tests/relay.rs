//! A proxy between a broker and its server that stages a race: it sees every request before the server does, and every
//! answer before the broker.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the proxy does to the traffic.
#[async_trait]
pub(super) trait Meddler: Send + Sync + 'static {
    /// Called before the server receives this.
    async fn before(&self, _request: &str) {}

    /// What the broker receives instead.
    fn instead(&self, answer: Vec<u8>) -> Vec<u8> {
        answer
    }
}

/// The proxy's address. It lives as long as the test.
pub(super) async fn relay(server: String, meddler: Arc<dyn Meddler>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.expect("the server is there");
            tokio::spawn(pass(client, server, Arc::clone(&meddler)));
        }
    });
    address
}

async fn pass(client: TcpStream, server: TcpStream, meddler: Arc<dyn Meddler>) -> Option<()> {
    let (mut requests, mut to_client) = client.into_split();
    let (mut answers, mut to_server) = server.into_split();
    let answering = Arc::clone(&meddler);
    tokio::spawn(async move {
        while let Some(answer) = chunk(&mut answers).await {
            to_client.write_all(&answering.instead(answer)).await.ok()?;
        }
        Some(())
    });
    while let Some(request) = chunk(&mut requests).await {
        meddler.before(&String::from_utf8_lossy(&request)).await;
        to_server.write_all(&request).await.ok()?;
    }
    Some(())
}

async fn chunk(from: &mut (impl AsyncReadExt + Unpin)) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 64 << 10];
    let count = from.read(&mut bytes).await.ok()?;
    bytes.truncate(count);
    (count > 0).then_some(bytes)
}
