//! One tab: from the first byte of its negotiation to the end.

use std::collections::VecDeque;
use std::io::Write as _;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::hub::{HANDSHAKE, HANDSHAKE_ANSWER, PING};
use super::{frame, http, hub};

/// What tabs connect to.
#[derive(Debug, Clone)]
pub(crate) enum Gate {
    /// The floor, which greets with one byte.
    Bare(SocketAddr),
    /// A hub of a node.
    Hub { address: SocketAddr, host: String, path: &'static str },
}

/// How far a tab is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Closed,
    /// Waits for the one byte of the floor.
    Greeting,
    Negotiating,
    Upgrading,
    ShakingHands,
    Open,
}

#[derive(Debug)]
pub(super) struct Tab {
    stream: Option<TcpStream>,
    pub(super) phase: Phase,
    /// What the socket must be sent once it is connected.
    request: Vec<u8>,
    /// Bytes that are not whole yet.
    pub(super) partial: Vec<u8>,
    /// The places of the events that must come next, in order.
    pub(super) expected: VecDeque<u32>,
    /// Whether it has stopped reading.
    pub(super) stopped: bool,
    /// Whether anybody waits for what it is sent; nobody does for a tab that has once stopped.
    pub(super) counted: bool,
    pub(super) token: Rc<str>,
    /// Behind what it was shown last, if it is to be told what it misses.
    pub(super) cursor: Option<Rc<str>>,
    /// The place of the event that it was shown last.
    pub(super) shown: Option<u32>,
    begun: Instant,
}

impl Tab {
    pub(super) fn new(token: Rc<str>) -> Self {
        Self {
            stream: None,
            phase: Phase::Closed,
            request: Vec::new(),
            partial: Vec::new(),
            expected: VecDeque::new(),
            stopped: false,
            counted: true,
            token,
            cursor: None,
            shown: None,
            begun: Instant::now(),
        }
    }

    pub(super) fn stream(&mut self) -> Option<&mut TcpStream> {
        self.stream.as_mut()
    }

    /// How long it has been since the tab began to connect.
    pub(super) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Begins to connect.
    pub(super) fn start(&mut self, gate: &Gate, registry: &Registry, token: Token) -> Result<()> {
        self.begun = Instant::now();
        match gate {
            Gate::Bare(address) => self.connect(*address, Phase::Greeting, Vec::new(), registry, token),
            Gate::Hub { address, host, path } => {
                let request = http::negotiate(host, path, &self.token);
                self.connect(*address, Phase::Negotiating, request, registry, token)
            }
        }
    }

    fn connect(
        &mut self,
        address: SocketAddr,
        phase: Phase,
        request: Vec<u8>,
        registry: &Registry,
        token: Token,
    ) -> Result<()> {
        // The socket of the negotiation goes first: browsers use another one for the WebSocket too.
        self.stream = None;
        self.partial = Vec::new();
        (self.phase, self.request) = (phase, request);
        let mut stream = TcpStream::connect(address).context("cannot connect")?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        self.stream = Some(stream);
        Ok(())
    }

    /// The socket is connected, or could not be.
    pub(super) fn writable(&mut self) -> Result<()> {
        let Some(stream) = &self.stream else { return Ok(()) };
        if let Some(error) = stream.take_error()? {
            return Err(error).context("cannot connect");
        }
        if !self.request.is_empty() {
            let request = std::mem::take(&mut self.request);
            self.send(&request)?;
        }
        Ok(())
    }

    /// Writes something short; a socket that takes none of it is no longer read by its server.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let stream = self.stream.as_mut().context("not connected")?;
        let written = stream.write(bytes).context("cannot write")?;
        ensure!(written == bytes.len(), "the server takes {written} of {} bytes", bytes.len());
        Ok(())
    }

    /// Takes what has come before the tab is open; how many bytes were of use, 0 if more must come.
    pub(super) fn opening(&mut self, bytes: &[u8], gate: &Gate, registry: &Registry, own: Token) -> Result<usize> {
        match self.phase {
            Phase::Greeting => {
                ensure!(bytes.first() == Some(&b'.'), "not the greeting of the floor");
                self.phase = Phase::Open;
                Ok(1)
            }
            Phase::Negotiating => self.negotiated(bytes, gate, registry, own),
            Phase::Upgrading => {
                let Some(answer) = http::response(bytes)? else { return Ok(0) };
                answer.expect_upgrade()?;
                self.send(&frame::masked(HANDSHAKE))?;
                self.phase = Phase::ShakingHands;
                Ok(answer.used)
            }
            Phase::ShakingHands => {
                let Some((found, used)) = frame::read(bytes)? else { return Ok(0) };
                ensure!(found == frame::Frame::Text(HANDSHAKE_ANSWER), "the handshake is answered with {found:?}");
                self.phase = Phase::Open;
                // As the JavaScript client does: only from its first ping on is a client's silence counted.
                self.send(&frame::masked(PING))?;
                Ok(used)
            }
            Phase::Open | Phase::Closed => bail!("not opening"),
        }
    }

    fn negotiated(&mut self, bytes: &[u8], gate: &Gate, registry: &Registry, own: Token) -> Result<usize> {
        let Some(answer) = http::response(bytes)? else { return Ok(0) };
        answer.expect(200)?;
        let (connection, used) = (hub::connection_token(answer.body)?, answer.used);
        ensure!(used == bytes.len(), "bytes behind the answer of negotiate");
        let Gate::Hub { address, host, path } = gate else { bail!("the floor has no negotiation") };
        let request = http::upgrade(host, path, &connection, &self.token, self.cursor.as_deref());
        self.connect(*address, Phase::Upgrading, request, registry, own)?;
        Ok(used)
    }

    /// Lets go of the socket, and goes on to expect what it expected.
    pub(super) fn disconnect(&mut self) {
        (self.stream, self.phase) = (None, Phase::Closed);
        self.partial = Vec::new();
    }

    /// Lets go of the socket and of all that was expected.
    pub(super) fn close(&mut self) {
        let token = Rc::clone(&self.token);
        *self = Self::new(token);
    }
}
