//! The same tab over each transport: WebSocket, server-sent events, long polling.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::client::{Connect, HANDSHAKE, Message, SEPARATOR, Tab, parse};
use crate::http::Response;
use crate::line::{self, Line};
use crate::wait::at_most;

/// A tab's transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// A WebSocket.
    WebSocket,
    /// Server-sent events, and a POST for each message of the tab.
    EventStream,
    /// One poll after another, and a POST for each message of the tab.
    LongPolling,
}

impl Transport {
    /// All transports.
    pub const ALL: [Self; 3] = [Self::WebSocket, Self::EventStream, Self::LongPolling];
}

/// A connected tab over any transport.
#[derive(Debug)]
pub enum Wire {
    /// Over a WebSocket.
    Socket(Box<Tab>),
    /// Over HTTP requests.
    Requests(Box<Requests>),
}

impl Wire {
    /// Runs all steps until the client is connected, or returns the answer that refuses it.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn connect(
        connect: &Connect,
        transport: Transport,
        to: SocketAddr,
    ) -> io::Result<Result<Self, Response>> {
        if transport == Transport::WebSocket {
            return Ok(connect.try_connect(to).await?.map(|tab| Self::Socket(Box::new(tab))));
        }
        Self::connect_in_turn(connect, transport, &[to]).await
    }

    /// The same over HTTP requests, each to another node than the one before, like round robin.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn connect_in_turn(
        connect: &Connect,
        transport: Transport,
        to: &[SocketAddr],
    ) -> io::Result<Result<Self, Response>> {
        let turns = Turns { to: to.to_vec(), next: AtomicUsize::new(0) };
        let opened = Requests::open(connect.clone(), transport, turns).await?;
        Ok(opened.map(|requests| Self::Requests(Box::new(requests))))
    }

    /// The title of the next toast.
    ///
    /// # Panics
    /// If anything else arrives, or nothing.
    pub async fn title(&mut self) -> String {
        loop {
            match at_most("a toast", self.receive()).await {
                Message::Notification(target, told) if target == "toast" => {
                    return told["title"].as_str().expect("a title").to_owned();
                }
                Message::Ping => {}
                other => panic!("{other:?} instead of a toast"),
            }
        }
    }

    /// The connection token.
    pub fn connection_token(&self) -> &str {
        match self {
            Self::Socket(tab) => tab.connection_token(),
            Self::Requests(requests) => &requests.id,
        }
    }

    /// Sends later requests with these options; a WebSocket sends none.
    pub fn go_on_as(&mut self, connect: Connect) {
        if let Self::Requests(requests) = self {
            requests.connect = connect;
        }
    }

    /// The next message, without a time-out. A dropped poll loses its messages.
    pub async fn receive(&mut self) -> Message {
        match self {
            Self::Socket(tab) => tab.receive().await,
            Self::Requests(requests) => {
                if let Some(kept) = requests.kept.pop_front() {
                    return kept;
                }
                requests.next().await.map_or(Message::Gone, |json| parse(&json))
            }
        }
    }

    /// Messages that were kept while waiting for an answer.
    pub fn kept(&mut self) -> Vec<Message> {
        match self {
            Self::Socket(tab) => tab.kept(),
            Self::Requests(requests) => requests.kept.drain(..).collect(),
        }
    }

    /// Calls a hub method and waits for the answer; none if the connection ends first. Earlier notifications are
    /// received after it.
    ///
    /// # Panics
    /// If no answer arrives in time.
    pub async fn try_invoke(&mut self, method: &str, arguments: Value) -> Option<Result<Value, String>> {
        match self {
            Self::Socket(tab) => tab.try_invoke(method, arguments).await,
            Self::Requests(requests) => at_most("an answer", requests.invoke(method, arguments)).await,
        }
    }
}

/// The nodes for requests, in turn.
#[derive(Debug)]
struct Turns {
    to: Vec<SocketAddr>,
    next: AtomicUsize,
}

impl Turns {
    fn next(&self) -> SocketAddr {
        self.to[self.next.fetch_add(1, Ordering::Relaxed) % self.to.len()]
    }
}

/// A tab over HTTP requests.
#[derive(Debug)]
pub struct Requests {
    connect: Connect,
    to: Turns,
    id: String,
    /// The response that stays open; polling has none.
    stream: Option<EventStream>,
    received: VecDeque<Value>,
    /// Messages that arrived while waiting for an answer.
    kept: VecDeque<Message>,
    calls: u32,
}

impl Requests {
    async fn open(connect: Connect, transport: Transport, to: Turns) -> io::Result<Result<Self, Response>> {
        let negotiated = connect.negotiate(to.next()).await?;
        if negotiated.status != 200 {
            return Ok(Err(negotiated));
        }
        let id = negotiated.json()["connectionToken"].as_str().expect("a token to connect with").to_owned();
        let stream = if transport == Transport::EventStream {
            match EventStream::open(&connect, &id, to.next()).await? {
                Ok(stream) => Some(stream),
                Err(refused) => return Ok(Err(refused)),
            }
        } else {
            let first = connect.request("GET", &id).send(to.next()).await?;
            if first.status != 200 {
                return Ok(Err(first));
            }
            None
        };
        let (received, kept) = (VecDeque::new(), VecDeque::new());
        let mut requests = Self { connect, to, id, stream, received, kept, calls: 0 };
        let shaken = requests.post(HANDSHAKE).await?;
        if shaken.status != 200 {
            return Ok(Err(shaken));
        }
        match requests.next().await {
            Some(answer) if answer == json!({}) => Ok(Ok(requests)),
            Some(other) => Err(io::Error::other(format!("the handshake was answered with {other}"))),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    async fn post(&self, text: &str) -> io::Result<Response> {
        let request = self.connect.request("POST", &self.id).body("text/plain;charset=UTF-8", text);
        request.send(self.to.next()).await
    }

    async fn invoke(&mut self, method: &str, arguments: Value) -> Option<Result<Value, String>> {
        self.calls += 1;
        let id = self.calls.to_string();
        let call = json!({ "type": 1, "invocationId": id, "target": method, "arguments": arguments });
        let posted = self.post(&format!("{call}{SEPARATOR}")).await.ok()?;
        if posted.status != 200 {
            return None;
        }
        loop {
            match parse(&self.next().await?) {
                Message::Completion(of, outcome) if of == id => return Some(outcome),
                other => self.kept.push_back(other),
            }
        }
    }

    /// The next hub message; none once the connection is over.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(json) = self.received.pop_front() {
                // A refused handshake: the poll reached another node than the one before it, where the connection
                // started again without a handshake. To the official clients this is an error too.
                return Some(json).filter(|json| json.get("type").is_some() || *json == json!({}));
            }
            let text = match &mut self.stream {
                Some(stream) => stream.next().await.ok()??,
                None => {
                    let polled = self.connect.request("GET", &self.id).send(self.to.next()).await.ok()?;
                    if polled.status != 200 {
                        return None;
                    }
                    polled.text()
                }
            };
            let messages = text.split(SEPARATOR).filter(|message| !message.is_empty());
            self.received
                .extend(messages.map(|message| serde_json::from_str::<Value>(message).expect("whole messages")));
        }
    }
}

/// A response of server-sent events.
#[derive(Debug)]
struct EventStream {
    socket: Line,
    chunked: bool,
    /// Received bytes, including chunk sizes.
    raw: Vec<u8>,
    /// The received text of the stream itself.
    text: Vec<u8>,
}

impl EventStream {
    async fn open(connect: &Connect, id: &str, to: SocketAddr) -> io::Result<Result<Self, Response>> {
        let mut socket = line::connect(to).await?;
        let request = connect.request("GET", id).header("accept", "text/event-stream");
        socket.write_all(&request.head(to, "keep-alive")).await?;
        socket.flush().await?;
        let (mut response, raw) = Response::read_head(&mut socket).await?;
        if response.status != 200 {
            response.body = raw;
            return Ok(Err(response));
        }
        assert_eq!(response.header("content-type"), Some("text/event-stream"));
        let chunked = response.header("transfer-encoding") == Some("chunked");
        Ok(Ok(Self { socket, chunked, raw, text: Vec::new() }))
    }

    /// The data of the next event; none at the end.
    async fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(data) = self.take_event() {
                return Ok(Some(data));
            }
            if !self.take_chunk() && self.socket.read_buf(&mut self.raw).await? == 0 {
                return Ok(None);
            }
        }
    }

    /// Moves received chunks to the text; false if none is complete.
    fn take_chunk(&mut self) -> bool {
        let moved = !self.raw.is_empty();
        if !self.chunked {
            self.text.append(&mut self.raw);
            return moved;
        }
        let Some(line) = self.raw.windows(2).position(|two| two == b"\r\n") else { return false };
        let size = str::from_utf8(&self.raw[..line]).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let (start, size) = (line + 2, size.expect("the size of a chunk"));
        let Some(chunk) = self.raw.get(start..start + size) else { return false };
        if self.raw.len() < start + size + 2 {
            return false;
        }
        self.text.extend_from_slice(chunk);
        self.raw.drain(..start + size + 2);
        true
    }

    fn take_event(&mut self) -> Option<String> {
        loop {
            let end = self.text.windows(4).position(|four| four == b"\r\n\r\n");
            let line = self.text.windows(2).position(|two| two == b"\r\n")?;
            // The comment that opens the stream is a line of its own.
            if self.text[0] == b':' {
                self.text.drain(..line + 2);
                continue;
            }
            let event: Vec<u8> = self.text.drain(..end? + 4).collect();
            let event = String::from_utf8(event).expect("text");
            let data = event.split("\r\n").filter_map(|line| line.strip_prefix("data: "));
            return Some(data.collect::<Vec<_>>().join("\n"));
        }
    }
}
