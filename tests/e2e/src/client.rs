//! A tab: a small client of the SignalR JSON protocol over WebSockets.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::wait::{PATIENCE, SILENCE, at_most};
use crate::websocket::{Frame, WebSocket};

/// The end of a hub message.
pub const SEPARATOR: char = '\u{1e}';
/// The handshake of the JSON protocol.
pub const HANDSHAKE: &str = "{\"protocol\":\"json\",\"version\":1}\u{1e}";

/// A message from the server.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// A notification: the target and its first argument.
    Notification(String, Value),
    /// The answer to a call: its id, and the result or the error.
    Completion(String, Result<Value, String>),
    /// A ping.
    Ping,
    /// The server's Close: its error, and whether the client may reconnect.
    Close(Option<String>, bool),
    /// The socket was closed with this code.
    SocketClosed(Option<u16>),
    /// The socket ended without a Close.
    Gone,
}

/// The options of a connection.
#[derive(Debug, Clone)]
pub struct Connect {
    hub: String,
    token: Option<String>,
    query: String,
    headers: Vec<(String, String)>,
    token_in_query: bool,
}

impl Connect {
    /// Connects to a hub with a token.
    pub fn new(hub: &str, token: impl AsRef<str>) -> Self {
        let token = Some(token.as_ref().to_owned());
        Self { hub: hub.to_owned(), token, query: String::new(), headers: Vec::new(), token_in_query: false }
    }

    /// Connects to a hub without a token, as a page does whose session is a cookie.
    pub fn without_token(hub: &str) -> Self {
        Self { token: None, ..Self::new(hub, "") }
    }

    /// Sends the token in the query of the WebSocket, as browsers do, instead of a header.
    #[must_use]
    pub fn as_browser(mut self) -> Self {
        self.token_in_query = true;
        self
    }

    /// Adds to the query of every request; the value must be URL-safe.
    #[must_use]
    pub fn query(mut self, key: &str, value: &str) -> Self {
        self.query.push_str(&format!("&{key}={value}"));
        self
    }

    /// Adds a header to every request.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn dress(&self, mut request: Request, in_query: bool) -> Request {
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        match &self.token {
            Some(token) if !in_query => request.bearer(token),
            _ => request,
        }
    }

    /// Only negotiates.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn negotiate(&self, to: SocketAddr) -> io::Result<Response> {
        let path = format!("{}/negotiate?negotiateVersion=1{}", self.hub, self.query);
        self.dress(Request::post(path), false).send(to).await
    }

    /// Opens the WebSocket of a negotiated connection, or one without an id.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn open(&self, to: SocketAddr, id: Option<&str>) -> io::Result<Result<WebSocket, Response>> {
        let mut path = format!("{}?{}", self.hub, self.query.trim_start_matches('&'));
        if let Some(id) = id {
            path.push_str(&format!("&id={id}"));
        }
        if let (true, Some(token)) = (self.token_in_query, &self.token) {
            path.push_str(&format!("&access_token={token}"));
        }
        let path = path.replace("?&", "?");
        WebSocket::open(to, self.dress(Request::get(path), self.token_in_query)).await
    }

    /// A request to a negotiated connection over an HTTP transport.
    pub fn request(&self, method: &'static str, id: &str) -> Request {
        let path = format!("{}?id={id}{}", self.hub, self.query);
        self.dress(Request::new(method, path), false)
    }

    /// Runs all steps until the client is connected, or returns the answer that refuses it.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn try_connect(&self, to: SocketAddr) -> io::Result<Result<Tab, Response>> {
        let negotiated = self.negotiate(to).await?;
        if negotiated.status != 200 {
            return Ok(Err(negotiated));
        }
        let id = negotiated.json()["connectionToken"].as_str().expect("a token to connect with").to_owned();
        self.shake_hands(to, id).await
    }

    async fn shake_hands(&self, to: SocketAddr, id: String) -> io::Result<Result<Tab, Response>> {
        let mut socket = match self.open(to, Some(&id)).await? {
            Ok(socket) => socket,
            Err(refused) => return Ok(Err(refused)),
        };
        socket.send(HANDSHAKE).await?;
        let mut tab = Tab { socket, id, received: VecDeque::new(), calls: 0 };
        match tab.next_text().await? {
            Some(answer) if answer == Value::Object(serde_json::Map::new()) => Ok(Ok(tab)),
            Some(other) => Err(io::Error::other(format!("the handshake was answered with {other}"))),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Opens a connection that was negotiated.
    ///
    /// # Panics
    /// If it is refused or the connection fails.
    pub async fn handshaken(&self, to: SocketAddr, id: &str) -> Tab {
        let connected = at_most("a connection", self.shake_hands(to, id.to_owned())).await.expect("connects");
        connected.unwrap_or_else(|refused| panic!("refused with {}: {}", refused.status, refused.text()))
    }

    /// Connects.
    ///
    /// # Panics
    /// If it is refused or the connection fails.
    pub async fn connect(&self, to: SocketAddr) -> Tab {
        let connected = at_most("a connection", self.try_connect(to)).await.expect("connects");
        connected.unwrap_or_else(|refused| panic!("refused with {}: {}", refused.status, refused.text()))
    }
}

/// A connected tab.
#[derive(Debug)]
pub struct Tab {
    socket: WebSocket,
    id: String,
    /// Hub messages that were read but not requested yet.
    received: VecDeque<Value>,
    calls: u32,
}

impl Tab {
    /// The connection token.
    pub fn connection_token(&self) -> &str {
        &self.id
    }

    /// The socket itself, for breaking rules.
    pub fn socket(&mut self) -> &mut WebSocket {
        &mut self.socket
    }

    /// The next message, without a time-out.
    ///
    /// # Panics
    /// If it is not valid in the hub protocol.
    pub async fn receive(&mut self) -> Message {
        match self.next_text().await {
            Ok(Some(json)) => parse(&json),
            Ok(None) => Message::Gone,
            Err(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<Closed>()) {
                Some(Closed(code)) => Message::SocketClosed(*code),
                None => Message::Gone,
            },
        }
    }

    /// The next message that is not a ping.
    ///
    /// # Panics
    /// If none arrives in time.
    pub async fn next(&mut self) -> Message {
        at_most("a message", async {
            loop {
                let message = self.receive().await;
                if message != Message::Ping {
                    return message;
                }
            }
        })
        .await
    }

    /// The next notification.
    ///
    /// # Panics
    /// If anything else arrives, or nothing.
    #[track_caller]
    pub fn notification(&mut self) -> impl Future<Output = (String, Value)> {
        let caller = std::panic::Location::caller();
        async move {
            match tokio::time::timeout(PATIENCE, self.next()).await {
                Ok(Message::Notification(target, argument)) => (target, argument),
                Ok(other) => panic!("{caller}: {other:?} instead of a notification"),
                Err(_) => panic!("{caller}: no notification in time"),
            }
        }
    }

    /// The next notification, which must have this target.
    ///
    /// # Panics
    /// If anything else arrives, or nothing.
    #[track_caller]
    pub fn expect(&mut self, target: &str) -> impl Future<Output = Value> {
        let caller = std::panic::Location::caller();
        let next = self.notification();
        async move {
            let (found, argument) = next.await;
            assert_eq!(found, target, "{caller}: {argument}");
            argument
        }
    }

    /// Fails if anything but a ping arrives within a short time.
    ///
    /// # Panics
    /// If something arrives.
    pub async fn expect_silence(&mut self) {
        let come = tokio::time::timeout(SILENCE, self.next()).await;
        assert!(come.is_err(), "{come:?} came, which must not");
    }

    /// Calls a hub method and waits for the answer; earlier notifications are kept.
    ///
    /// # Panics
    /// If none arrives in time, or the connection ends first.
    pub async fn invoke(&mut self, method: &str, arguments: Value) -> Result<Value, String> {
        self.try_invoke(method, arguments).await.expect("the connection ended before the answer")
    }

    /// Calls a hub method and waits for the answer; none if the connection ends first.
    ///
    /// # Panics
    /// If none arrives in time.
    pub async fn try_invoke(&mut self, method: &str, arguments: Value) -> Option<Result<Value, String>> {
        self.calls += 1;
        let id = self.calls.to_string();
        let call = json!({ "type": 1, "invocationId": id, "target": method, "arguments": arguments });
        self.socket.send(&format!("{call}{SEPARATOR}")).await.ok()?;
        let mut kept = VecDeque::new();
        let answer = loop {
            let json = at_most("an answer", self.next_text()).await.ok()??;
            match parse(&json) {
                Message::Completion(of, outcome) if of == id => break outcome,
                _ => kept.push_back(json),
            }
        };
        kept.append(&mut self.received);
        self.received = kept;
        Some(answer)
    }

    /// Messages that were kept while waiting for an answer.
    pub fn kept(&mut self) -> Vec<Message> {
        self.received.drain(..).map(|json| parse(&json)).collect()
    }

    /// A cursor for the current position.
    ///
    /// # Panics
    /// If the server returns none.
    pub async fn cursor(&mut self) -> String {
        let cursor = self.invoke("Cursor", json!([])).await.expect("a cursor");
        cursor.as_str().expect("a text").to_owned()
    }

    /// Sends a hub message.
    ///
    /// # Panics
    /// If the connection fails.
    pub async fn send(&mut self, message: &Value) {
        self.socket.send(&format!("{message}{SEPARATOR}")).await.expect("open");
    }

    /// The next hub message as JSON. Cancel safe.
    async fn next_text(&mut self) -> io::Result<Option<Value>> {
        loop {
            if let Some(message) = self.received.pop_front() {
                return Ok(Some(message));
            }
            match self.socket.next().await? {
                Some(Frame::Text(text)) => {
                    let whole = text.strip_suffix(SEPARATOR).expect("a WebSocket message holds whole hub messages");
                    let messages = whole.split(SEPARATOR).map(serde_json::from_str);
                    self.received.extend(messages.collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?);
                }
                Some(Frame::Close(code)) => return Err(io::Error::other(Closed(code))),
                Some(Frame::Ping(payload)) => self.socket.pong(&payload).await?,
                Some(Frame::Pong(_)) => {}
                Some(Frame::Binary(_)) => panic!("the JSON protocol has no binary messages"),
                None => return Ok(None),
            }
        }
    }
}

/// The socket was closed with a close frame.
#[derive(Debug)]
struct Closed(Option<u16>);

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "closed with code {:?}", self.0)
    }
}

impl std::error::Error for Closed {}

/// A hub message; every key that would confuse a real client is a panic.
pub(crate) fn parse(json: &Value) -> Message {
    let object = json.as_object().expect("an object");
    // A method without a result returns null, as in ASP.NET.
    let told = |(key, value): (&String, &Value)| key == "result" || !value.is_null();
    assert!(object.iter().all(told), "no optional key is ever null: {json}");
    assert!(!object.contains_key("headers"), "headers are never written: {json}");
    let text = |key: &str| json[key].as_str().map(str::to_owned);
    match json["type"].as_i64() {
        Some(1) => {
            let arguments = json["arguments"].as_array().expect("arguments");
            let target = text("target").expect("a target");
            Message::Notification(target, arguments.first().cloned().unwrap_or_default())
        }
        Some(3) => {
            let outcome = match text("error") {
                Some(error) => Err(error),
                None => Ok(json["result"].clone()),
            };
            assert!(json.get("result").is_some() != outcome.is_err(), "a result, be it null, or an error: {json}");
            Message::Completion(text("invocationId").expect("an id"), outcome)
        }
        Some(6) => Message::Ping,
        Some(7) => Message::Close(text("error"), json["allowReconnect"].as_bool().unwrap_or(false)),
        _ => panic!("no message that a client knows: {json}"),
    }
}
