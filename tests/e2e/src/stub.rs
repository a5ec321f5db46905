//! A server for tests: answers every request as configured, and records it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use fanfare_token::{Jwks, PublicJwk};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// The largest recorded part of one request.
const MOST: usize = 4 << 20;

/// A small HTTP server; it ends when dropped.
#[derive(Debug)]
pub struct Stub {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    answer: Vec<u8>,
    requests: Vec<Vec<u8>>,
}

impl Stub {
    /// Starts a server that answers with this JSON text.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn start(answer: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Mutex::new(Shared { answer: answer.into(), requests: Vec::new() }));
        let served = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        Self { address, shared, task }
    }

    /// Starts a server that publishes keys.
    pub async fn with_keys(keys: Vec<PublicJwk>) -> Self {
        Self::start(jwks(keys)).await
    }

    /// Publishes other keys from now on.
    pub fn publish_keys(&self, keys: Vec<PublicJwk>) {
        self.shared().answer = jwks(keys);
    }

    /// Its URL without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// All requests so far, heads and bodies.
    pub fn requests(&self) -> Vec<Vec<u8>> {
        self.shared().requests.clone()
    }

    fn shared(&self) -> std::sync::MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn jwks(keys: Vec<PublicJwk>) -> Vec<u8> {
    serde_json::to_vec(&Jwks { keys }).expect("JSON")
}

/// Serves one connection; the error of a client that leaves early is ignored.
async fn serve(mut stream: TcpStream, shared: Arc<Mutex<Shared>>) {
    let mut bytes = Vec::new();
    loop {
        while let Some(length) = whole(&bytes) {
            let rest = bytes.split_off(length);
            let answer = {
                let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
                shared.requests.push(std::mem::replace(&mut bytes, rest));
                shared.answer.clone()
            };
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            if stream.write_all(&[head.as_bytes(), &answer].concat()).await.is_err() {
                return;
            }
        }
        match stream.read_buf(&mut bytes).await {
            Ok(1..) if bytes.len() < MOST => {}
            _ => return,
        }
    }
}

/// The length of the first request, if it is complete.
pub(crate) fn whole(bytes: &[u8]) -> Option<usize> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let length = end + length.unwrap_or(0);
    (bytes.len() >= length).then_some(length)
}
