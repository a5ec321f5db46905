//! The platform's own authorizer: a small HTTP server that answers by the path of the request.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

/// How a request is answered.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// A status with an empty body.
    Status(u16),
    /// 200 with a JSON body.
    Json(String),
    /// A redirect.
    Redirect(String),
    /// Bytes that are not HTTP.
    Garbage,
    /// No answer.
    Silence,
    /// 200, once the test allows it.
    Held(Arc<Semaphore>),
}

#[derive(Debug, Default)]
struct Shared {
    replies: HashMap<String, Reply>,
    requests: Vec<String>,
    bodies: Vec<String>,
}

/// The server; it ends when dropped.
#[derive(Debug)]
pub(crate) struct Responder {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    task: JoinHandle<()>,
}

impl Responder {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let shared: Arc<Mutex<Shared>> = Arc::default();
        let kept = Arc::clone(&shared);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&kept)));
            }
        });
        Self { address, shared, task }
    }

    /// The section that declares it as an authorizer.
    pub(crate) fn section(&self, name: &str, path: &str, more: &str) -> String {
        format!("[authorizer.{name}]\nurl = \"http://{}{path}\"\n{more}", self.address)
    }

    /// Sets the answer from now on.
    pub(crate) fn reply(&self, path: &str, reply: Reply) {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).replies.insert(path.to_owned(), reply);
    }

    /// The heads of all requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).requests.clone()
    }
}

impl Responder {
    /// The bodies of all requests so far.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner).bodies.clone()
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves one request; the error of a client that leaves early is ignored.
async fn serve(mut stream: TcpStream, shared: Arc<Mutex<Shared>>) {
    let mut bytes = Vec::new();
    while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
        if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
            return;
        }
    }
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").map_or(bytes.len(), |at| at + 4);
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head.to_ascii_lowercase();
    let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    while bytes.len() < end + length.unwrap_or_default() {
        if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
            return;
        }
    }
    let body = String::from_utf8_lossy(&bytes[end..]).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let reply = {
        let mut shared = shared.lock().unwrap_or_else(PoisonError::into_inner);
        shared.requests.push(head);
        shared.bodies.push(body);
        shared.replies.get(&path).cloned().unwrap_or(Reply::Status(500))
    };
    let answer = match reply {
        Reply::Status(status) => format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        Reply::Json(body) => {
            let (length, kind) = (body.len(), "application/json");
            format!(
                "HTTP/1.1 200 X\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            )
        }
        Reply::Redirect(to) => {
            format!("HTTP/1.1 302 X\r\nlocation: {to}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        }
        Reply::Garbage => "220 mail.example ESMTP\r\n".to_owned(),
        Reply::Silence => return std::future::pending().await,
        Reply::Held(gate) => {
            gate.acquire().await.expect("open").forget();
            "HTTP/1.1 200 X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()
        }
    };
    let _ = stream.write_all(answer.as_bytes()).await;
}
