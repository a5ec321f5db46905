//! A producer's connection to `POST /events`, kept alive.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use super::http;

#[derive(Debug)]
pub(super) struct Publisher {
    stream: TcpStream,
    address: SocketAddr,
    own: Token,
    /// Whether the node has closed the connection, which it does after some idle seconds.
    closed: bool,
    token: Rc<str>,
    partial: Vec<u8>,
    /// Since when it waits for an answer.
    waits_since: Option<Instant>,
}

impl Publisher {
    pub(super) fn connect(address: SocketAddr, token: Rc<str>, registry: &Registry, own: Token) -> Result<Self> {
        let stream = open(address, registry, own)?;
        Ok(Self { stream, address, own, closed: false, token, partial: Vec::new(), waits_since: None })
    }

    /// Reconnects if the node has closed the connection while it was idle.
    pub(super) fn renew(&mut self, registry: &Registry) -> Result<()> {
        if self.closed {
            self.stream = open(self.address, registry, self.own)?;
            self.closed = false;
        }
        Ok(())
    }

    pub(super) fn is_idle(&self) -> bool {
        self.waits_since.is_none()
    }

    /// The request that publishes an event.
    pub(super) fn request(&self, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
        let mut request = format!(
            "POST /events HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/avro\r\n\
             content-length: {}\r\n",
            self.address,
            self.token,
            body.len()
        )
        .into_bytes();
        for (name, value) in headers {
            request.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        request.extend_from_slice(b"\r\n");
        request.extend_from_slice(body);
        request
    }

    /// Sends a request.
    pub(super) fn publish(&mut self, request: &[u8]) -> Result<()> {
        self.waits_since = Some(Instant::now());
        let written = self.stream.write(request).context("a producer cannot write")?;
        ensure!(written == request.len(), "the node takes {written} of {} bytes of a request", request.len());
        Ok(())
    }

    /// Reads; returns how long storing the event took, once the answer is complete.
    pub(super) fn read(&mut self) -> Result<Option<Duration>> {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) if self.is_idle() => {
                self.closed = true;
                return Ok(None);
            }
            Ok(0) => bail!("the node has closed a producer's connection"),
            Ok(count) => self.partial.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error).context("a producer cannot read"),
        }
        let Some(answer) = http::response(&self.partial)? else { return Ok(None) };
        answer.expect(202)?;
        let used = answer.used;
        ensure!(used == self.partial.len(), "bytes behind an answer");
        self.partial.clear();
        let since = self.waits_since.take().context("an answer that nobody waits for")?;
        Ok(Some(since.elapsed()))
    }
}

fn open(address: SocketAddr, registry: &Registry, own: Token) -> Result<TcpStream> {
    let stream = std::net::TcpStream::connect(address).context("a producer cannot connect")?;
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let mut stream = TcpStream::from_std(stream);
    registry.register(&mut stream, own, Interest::READABLE)?;
    Ok(stream)
}
