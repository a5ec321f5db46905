//! A schema registry for tests: answers `GET /schemas/ids/{id}` as real ones do, or wrongly.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::stub::whole;

/// A small schema registry; it ends when dropped.
#[derive(Debug)]
pub struct SchemaRegistry {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    task: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    answers: HashMap<u32, (u16, String)>,
    /// Answers for other paths.
    paths: HashMap<String, (u16, String)>,
    away: bool,
    delay: Duration,
    requests: Vec<String>,
    under_way: usize,
    most_under_way: usize,
}

impl SchemaRegistry {
    /// Starts a registry without schemas.
    ///
    /// # Panics
    /// If no port is free.
    pub async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared = Arc::new(Mutex::new(Shared::default()));
        let served = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&served)));
            }
        });
        Self { address, shared, task }
    }

    /// Its URL without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Registers an Avro schema.
    pub fn register(&self, id: u32, schema: &str) {
        self.answer(id, 200, &json!({ "schema": schema }).to_string());
    }

    /// Sets any answer for an id.
    pub fn answer(&self, id: u32, status: u16, body: &str) {
        self.shared().answers.insert(id, (status, body.to_owned()));
    }

    /// Sets any answer for a path, such as `/subjects/a/versions/1`.
    pub fn answer_path(&self, path: &str, status: u16, body: &str) {
        self.shared().paths.insert(path.to_owned(), (status, body.to_owned()));
    }

    /// Closes every connection without an answer, or stops doing so.
    pub fn set_away(&self, away: bool) {
        self.shared().away = away;
    }

    /// Delays each answer by this much.
    pub fn set_delay(&self, delay: Duration) {
        self.shared().delay = delay;
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<String> {
        self.shared().requests.clone()
    }

    /// The largest number of concurrent requests so far.
    pub fn most_under_way(&self) -> usize {
        self.shared().most_under_way
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        lock(&self.shared)
    }
}

impl Drop for SchemaRegistry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one connection; the error of a client that leaves early is ignored.
async fn serve(mut stream: TcpStream, shared: Arc<Mutex<Shared>>) {
    let mut bytes = Vec::new();
    loop {
        while let Some(length) = whole(&bytes) {
            let rest = bytes.split_off(length);
            let request = String::from_utf8_lossy(&std::mem::replace(&mut bytes, rest)).into_owned();
            let Some(answer) = answered(&shared, request).await else { return };
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
        match stream.read_buf(&mut bytes).await {
            Ok(1..) if bytes.len() < 1 << 16 => {}
            _ => return,
        }
    }
}

/// The answer to a request; none if the registry is down.
async fn answered(shared: &Mutex<Shared>, request: String) -> Option<String> {
    let path =
        request.strip_prefix("GET ").and_then(|rest| rest.split([' ', '?']).next()).unwrap_or_default().to_owned();
    let id = request.strip_prefix("GET /schemas/ids/").and_then(|rest| rest.split([' ', '?']).next()?.parse().ok());
    let delay = {
        let mut shared = lock(shared);
        shared.requests.push(request);
        shared.under_way += 1;
        shared.most_under_way = shared.most_under_way.max(shared.under_way);
        shared.delay
    };
    tokio::time::sleep(delay).await;
    let mut shared = lock(shared);
    shared.under_way -= 1;
    if shared.away {
        return None;
    }
    let known = id.and_then(|id: u32| shared.answers.get(&id).cloned()).or_else(|| shared.paths.get(&path).cloned());
    let (status, body) =
        known.unwrap_or_else(|| (404, r#"{"error_code":40403,"message":"Schema not found"}"#.to_owned()));
    let length = body.len();
    let kind = "content-type: application/vnd.schemaregistry.v1+json";
    Some(format!("HTTP/1.1 {status} X\r\n{kind}\r\ncontent-length: {length}\r\n\r\n{body}"))
}
