//! HTTP as bytes: exact requests and exact answers.

use std::net::SocketAddr;

use fanfare_e2e_tests::{Node, Settings};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use fanfare_e2e_tests::wait::at_most;

/// The first bytes of a JSON client.
pub(crate) const HANDSHAKE: &str = "{\"protocol\":\"json\",\"version\":1}\u{1e}";

/// A node with the hub `/open`, which needs no token, the demo platform's hub, and more sections.
pub(crate) async fn node(sections: &str) -> Node {
    node_with("", sections).await
}

/// The same with more lines of `[node]`.
pub(crate) async fn node_with(lines: &str, sections: &str) -> Node {
    let mut settings = Settings::default().section(sections);
    settings.node.push_str(lines);
    settings.hubs.push_str("[hub.\"/open\"]\npublic = true\n");
    Node::start_with(settings).await
}

/// A raw connection.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Wire {
    /// Connects and sends the head of a request, with `host` added, and its body.
    pub(crate) async fn send(to: SocketAddr, head: &str, body: &str) -> Self {
        let mut stream = TcpStream::connect(to).await.expect("connects");
        let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let request = format!("{head}\r\nhost: {to}\r\n{length}\r\n{body}");
        stream.write_all(request.as_bytes()).await.expect("sent");
        Self { stream, read: Vec::new() }
    }

    /// Sends more bytes.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.expect("sent");
    }

    /// Reads up to and including `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        at_most(end, async {
            loop {
                let found = self.read.windows(end.len()).position(|some| some == end.as_bytes());
                if let Some(at) = found {
                    let taken: Vec<u8> = self.read.drain(..at + end.len()).collect();
                    return String::from_utf8_lossy(&taken).into_owned();
                }
                let count = self.stream.read_buf(&mut self.read).await.expect("read");
                assert!(count > 0, "ended before {end:?}: {:?}", String::from_utf8_lossy(&self.read));
            }
        })
        .await
    }

    /// The next bytes, this many of them.
    pub(crate) async fn bytes(&mut self, count: usize) -> Vec<u8> {
        at_most("bytes", async {
            while self.read.len() < count {
                assert!(self.stream.read_buf(&mut self.read).await.expect("read") > 0, "ended early: {:?}", self.read);
            }
        })
        .await;
        self.read.drain(..count).collect()
    }

    /// An answer with a content length.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.until("\r\n\r\n").await;
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().expect("a status line").to_owned();
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let mut answer = Answer { status, headers, body: Vec::new() };
        let length = answer.header("content-length").map_or(0, |length| length.parse().expect("a number"));
        answer.body = self.bytes(length).await;
        answer
    }

    /// Whether the server ends the connection without further bytes.
    pub(crate) async fn ends(&mut self) {
        let count = at_most("the end", self.stream.read_buf(&mut self.read)).await;
        assert_eq!(count.unwrap_or(0), 0, "{:?}", String::from_utf8_lossy(&self.read));
    }
}

/// A raw answer.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status line.
    pub(crate) status: String,
    headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The first header of a name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }

    /// Checks status line and body.
    #[track_caller]
    pub(crate) fn is(&self, status: &str, body: &str) {
        assert_eq!((self.status.as_str(), self.text().as_str()), (format!("HTTP/1.1 {status}").as_str(), body));
    }
}

/// One request and its answer.
pub(crate) async fn ask(to: SocketAddr, head: &str, body: &str) -> Answer {
    Wire::send(to, head, body).await.answer().await
}

/// Negotiates for `/open`; the connection token.
pub(crate) async fn token(to: SocketAddr) -> String {
    token_for(to, "").await
}

/// The same with more in the query.
pub(crate) async fn token_for(to: SocketAddr, query: &str) -> String {
    let head = format!("POST /open/negotiate?negotiateVersion=1{query} HTTP/1.1\r\ncontent-length: 0");
    let answer = ask(to, &head, "").await;
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    body["connectionToken"].as_str().expect("a token").to_owned()
}

/// Posts to a connection.
pub(crate) async fn post(to: SocketAddr, id: &str, body: &str) -> Answer {
    ask(to, &format!("POST /open?id={id} HTTP/1.1"), body).await
}
