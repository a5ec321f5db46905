//! Tabs over event streams and polls, whose connections consist of many requests: a few, each on blocking sockets.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::hub::{HANDSHAKE, HANDSHAKE_ANSWER, connection_token};
use super::toast::Events;
use super::{Ticket, http};

/// The time-out of everything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A tab's transport, besides its POSTs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Requests {
    /// One answer that stays open.
    EventStream,
    /// One GET after another.
    Polls,
}

/// Such a tab.
pub(crate) struct RequestTab {
    socket: TcpStream,
    read: Vec<u8>,
    /// The request of a poll.
    poll: Vec<u8>,
    kind: Requests,
}

impl RequestTab {
    /// Negotiates at the connection's own node, and sends all other requests to another address.
    pub(crate) fn connect(
        home: SocketAddr,
        asked: SocketAddr,
        hub: &str,
        ticket: &Ticket,
        kind: Requests,
    ) -> Result<Self> {
        let negotiated = exchange(home, &http::negotiate(&home.to_string(), hub, &ticket.token))?;
        let path = format!("{hub}?id={}", connection_token(&negotiated)?);
        let head = |method: &str, more: &str| {
            let token = &ticket.token;
            format!("{method} {path} HTTP/1.1\r\nhost: {asked}\r\nauthorization: Bearer {token}\r\n{more}\r\n")
        };
        let accept = if kind == Requests::EventStream { "accept: text/event-stream\r\n" } else { "" };
        let mut tab = Self { socket: open(asked)?, read: Vec::new(), poll: head("GET", accept).into_bytes(), kind };
        tab.ask()?;
        match kind {
            // The stream is open once its head has arrived: an earlier POST would open a long-polling connection.
            Requests::EventStream => tab.hears(b"\r\n\r\n")?,
            Requests::Polls => drop(tab.answer()?),
        }
        let mut shake = head("POST", &format!("content-length: {}\r\n", HANDSHAKE.len())).into_bytes();
        shake.extend_from_slice(HANDSHAKE);
        exchange(asked, &shake)?;
        if kind == Requests::Polls {
            tab.ask()?;
        }
        tab.hears(HANDSHAKE_ANSWER)?;
        Ok(tab)
    }

    /// Sends the next poll; a stream was requested once.
    pub(crate) fn ask(&mut self) -> Result<()> {
        self.socket.write_all(&self.poll).context("a tab cannot ask")
    }

    /// Waits until it has received this.
    pub(crate) fn hears(&mut self, words: &[u8]) -> Result<()> {
        let begun = Instant::now();
        let has = |read: &[u8]| read.windows(words.len()).any(|part| part == words);
        match self.kind {
            Requests::EventStream => {
                while !has(&self.read) {
                    ensure!(begun.elapsed() < PATIENCE, "a tab is not told");
                    self.receive()?;
                }
                self.read.clear();
            }
            Requests::Polls => {
                while !has(&self.answer()?) {
                    ensure!(begun.elapsed() < PATIENCE, "a tab is not told");
                    self.ask()?;
                }
            }
        }
        Ok(())
    }

    /// The answer to a poll.
    fn answer(&mut self) -> Result<Vec<u8>> {
        loop {
            if let Some(answer) = http::response(&self.read)? {
                answer.expect(200)?;
                let (body, used) = (answer.body.to_vec(), answer.used);
                self.read.drain(..used);
                return Ok(body);
            }
            self.receive()?;
        }
    }

    fn receive(&mut self) -> Result<()> {
        let mut buffer = [0; 4096];
        let count = self
            .socket
            .read(&mut buffer)
            .with_context(|| format!("a tab hears nothing behind {:?}", String::from_utf8_lossy(&self.read)))?;
        ensure!(count > 0, "a tab's connection has ended: {}", String::from_utf8_lossy(&self.read));
        self.read.extend_from_slice(&buffer[..count]);
        Ok(())
    }
}

/// A producer for such tabs.
pub(crate) struct RequestProducer {
    address: SocketAddr,
    token: String,
    events: Events,
}

impl RequestProducer {
    /// A producer that publishes to a whole org at a node.
    pub(crate) fn new(address: SocketAddr, org: &str, token: &str) -> Result<Self> {
        Ok(Self { address, token: token.to_owned(), events: Events::of_org(org)? })
    }

    /// Publishes an event, and returns the text that tabs receive.
    pub(crate) fn publish(&mut self) -> Result<Vec<u8>> {
        let event = self.events.make(None)?;
        let mut request = format!(
            "POST /events HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/avro\r\n\
             content-length: {}\r\n",
            self.address,
            self.token,
            event.body.len()
        );
        for (name, value) in &event.headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        let mut request = (request + "\r\n").into_bytes();
        request.extend_from_slice(&event.body);
        let mut socket = open(self.address)?;
        socket.write_all(&request)?;
        read_answer(&mut socket, 202)?;
        Ok(event.shown.mark().as_bytes().to_vec())
    }
}

fn open(address: SocketAddr) -> Result<TcpStream> {
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// One request on its own socket; returns the body of its answer.
fn exchange(address: SocketAddr, request: &[u8]) -> Result<Vec<u8>> {
    let mut socket = open(address)?;
    socket.write_all(request)?;
    read_answer(&mut socket, 200)
}

fn read_answer(socket: &mut TcpStream, status: u16) -> Result<Vec<u8>> {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(answer) = http::response(&read)? {
            answer.expect(status)?;
            return Ok(answer.body.to_vec());
        }
        let count = socket.read(&mut buffer)?;
        ensure!(count > 0, "no answer");
        read.extend_from_slice(&buffer[..count]);
    }
}
