//! A hub connection that follows only the rules that its owner wants to follow.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

use crate::Target;
use crate::frame::{self, RECORD_END, Told};
use crate::tally::Ending;

/// The handshake request, in JSON.
const HANDSHAKE: &str = "{\"protocol\":\"json\",\"version\":1}";

/// How long one read or write may block before its owner checks whether to continue.
const LOOK: Duration = Duration::from_millis(100);

/// How long connecting may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The receive buffer of a client that does not read: otherwise the kernel would use megabytes for it.
const NARROW: usize = 4096;

/// An open connection, over its own WebSocket.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
    /// The last hub message that was a Close.
    close: Option<String>,
}

impl Connection {
    /// Opens one and completes the handshake.
    ///
    /// # Errors
    /// If it is refused, or the node does not answer within ten seconds.
    pub fn open(target: &Target) -> io::Result<Self> {
        Self::connect(target, None)
    }

    /// The same with a receive buffer that is soon full.
    pub(crate) fn open_narrow(target: &Target) -> io::Result<Self> {
        Self::connect(target, Some(NARROW))
    }

    fn connect(target: &Target, receive_buffer: Option<usize>) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(target.address), Type::STREAM, None)?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.connect_timeout(&target.address.into(), PATIENCE)?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let mut connection = Self { stream, read: Vec::new(), close: None };
        connection.upgrade(target)?;
        connection.send(HANDSHAKE)?;
        match connection.next()? {
            Some(Told::Text(answer)) if answer.starts_with("{}\u{1e}") => {}
            other => return Err(io::Error::other(format!("the handshake was answered with {other:?}"))),
        }
        connection.stream.set_read_timeout(Some(LOOK))?;
        connection.stream.set_write_timeout(Some(LOOK))?;
        Ok(connection)
    }

    fn upgrade(&mut self, target: &Target) -> io::Result<()> {
        let Target { address, hub, token, .. } = target;
        let request = format!(
            "GET {hub} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\nconnection: Upgrade\r\n\
             upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.stream.write_all(request.as_bytes())?;
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if self.fill()? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        };
        let head = String::from_utf8_lossy(&self.read[..end]).into_owned();
        self.read.drain(..end);
        if head.starts_with("HTTP/1.1 101 ") {
            return Ok(());
        }
        let status = head.lines().next().unwrap_or_default().to_owned();
        Err(io::Error::new(ErrorKind::ConnectionRefused, status))
    }

    /// The socket, for a thread that only writes.
    pub(crate) fn socket(&self) -> io::Result<TcpStream> {
        self.stream.try_clone()
    }

    /// Sends a hub message.
    ///
    /// # Errors
    /// If the connection fails, or the node accepts nothing for a while.
    pub fn send(&mut self, message: &str) -> io::Result<()> {
        let mut payload = message.as_bytes().to_vec();
        payload.push(RECORD_END);
        self.stream.write_all(&frame::frame(frame::TEXT, true, &payload))
    }

    /// Calls a hub method with JSON arguments, and reads until it is answered; returns the whole completion.
    ///
    /// # Errors
    /// If the connection ends, or `goes_on` becomes false first.
    pub fn invoke(&mut self, id: u64, method: &str, arguments: &str, goes_on: impl Fn() -> bool) -> io::Result<String> {
        self.send(&call(id, method, arguments))?;
        let answers = format!("\"invocationId\":\"{id}\"");
        loop {
            match self.next() {
                Ok(Some(Told::Text(text))) => {
                    let mut messages = text.split(char::from(RECORD_END));
                    let completion = messages.find(|one| one.starts_with("{\"type\":3,") && one.contains(&answers));
                    if let Some(found) = completion {
                        return Ok(found.to_owned());
                    }
                }
                Ok(Some(Told::Other)) => {}
                Ok(Some(Told::Close(_)) | None) => return Err(ErrorKind::ConnectionAborted.into()),
                Err(error) if is_late(&error) && goes_on() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// A cursor for the current position.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn cursor(&mut self) -> io::Result<String> {
        let answer = self.invoke(0, "Cursor", "", || true)?;
        let cursor = answer.split("\"result\":\"").nth(1).and_then(|rest| rest.split('"').next());
        cursor.map(str::to_owned).ok_or_else(|| io::Error::other(format!("no cursor: {answer}")))
    }

    /// Reads and drops everything until the node ends the connection or `goes_on` becomes false; returns how it ended.
    pub(crate) fn drain(&mut self, goes_on: impl Fn() -> bool) -> Option<Ending> {
        while goes_on() {
            match self.next() {
                Ok(Some(Told::Close(code))) => return Some(Ending { close: self.close.take(), code }),
                Ok(Some(_)) => {}
                Err(error) if is_late(&error) => {}
                Ok(None) | Err(_) => return Some(Ending { close: self.close.take(), code: None }),
            }
        }
        None
    }

    /// The next frame; none at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Told>> {
        loop {
            if let Some(told) = frame::take(&mut self.read) {
                if let Told::Text(text) = &told {
                    let mut messages = text.split(char::from(RECORD_END));
                    let close = messages.find(|one| one.starts_with("{\"type\":7"));
                    self.close = close.map(str::to_owned).or(self.close.take());
                }
                return Ok(Some(told));
            }
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut buffer = [0; 16 * 1024];
        let count = self.stream.read(&mut buffer)?;
        self.read.extend_from_slice(&buffer[..count]);
        Ok(count)
    }
}

/// A call of a hub method with JSON arguments.
pub(crate) fn call(id: u64, method: &str, arguments: &str) -> String {
    format!("{{\"type\":1,\"invocationId\":\"{id}\",\"target\":\"{method}\",\"arguments\":[{arguments}]}}")
}

/// Whether an error only means that nothing has happened yet.
pub(crate) fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}
