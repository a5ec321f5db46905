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

/// The target of tabs.
#[derive(Debug, Clone)]
pub(crate) enum Gate {
    /// The floor, whose greeting is one byte.
    Bare(SocketAddr),
    /// A hub of a node.
    Hub { address: SocketAddr, host: String, path: &'static str },
}

/// The state of a tab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Closed,
    /// Waits for the floor's byte.
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
    /// The bytes to send once the socket is connected.
    request: Vec<u8>,
    /// Incomplete received bytes.
    pub(super) partial: Vec<u8>,
    /// The numbers of the expected events, in order.
    pub(super) expected: VecDeque<u32>,
    /// Whether it has stopped reading.
    pub(super) stopped: bool,
    /// Whether its deliveries are expected; after it has stopped once, they are not.
    pub(super) counted: bool,
    pub(super) token: Rc<str>,
    /// The cursor after its last notification, if it wants what it missed.
    pub(super) cursor: Option<Rc<str>>,
    /// The number of its last event.
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

    /// The time since the tab started to connect.
    pub(super) fn age(&self) -> Duration {
        self.begun.elapsed()
    }

    /// Starts to connect.
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
        // The negotiation's socket is closed first: browsers use another one for the WebSocket too.
        self.stream = None;
        self.partial = Vec::new();
        (self.phase, self.request) = (phase, request);
        let mut stream = TcpStream::connect(address).context("cannot connect")?;
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        self.stream = Some(stream);
        Ok(())
    }

    /// The socket is connected, or failed to.
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

    /// Writes a short message; a socket that accepts none of it is no longer read by its server.
    pub(super) fn send(&mut self, bytes: &[u8]) -> Result<()> {
        let stream = self.stream.as_mut().context("not connected")?;
        let written = stream.write(bytes).context("cannot write")?;
        ensure!(written == bytes.len(), "the server takes {written} of {} bytes", bytes.len());
        Ok(())
    }

    /// Handles received bytes before the tab is open; returns how many were used, 0 if more are needed.
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
                // Like the JavaScript client: its silence counts only from its first ping on.
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

    /// Closes the socket, but keeps its expectations.
    pub(super) fn disconnect(&mut self) {
        (self.stream, self.phase) = (None, Phase::Closed);
        self.partial = Vec::new();
    }

    /// Closes the socket and drops all expectations.
    pub(super) fn close(&mut self) {
        let token = Rc::clone(&self.token);
        *self = Self::new(token);
    }
}
