//! The client side of a WebSocket, which can also break its rules.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::http::{Request, Response};
use crate::line::{self, Line};

/// The example key in RFC 6455 section 1.3, and its answer.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Any mask will do.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A text message.
pub const TEXT: u8 = 1;
/// A binary message.
pub const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A frame from the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close, with its code if it has one.
    Close(Option<u16>),
}

/// An open WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    stream: Line,
    /// Received bytes that are not decoded yet.
    buffer: Vec<u8>,
}

impl WebSocket {
    /// Opens a WebSocket, or returns the answer that refuses it.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn open(to: SocketAddr, request: Request) -> io::Result<Result<Self, Response>> {
        let request = request
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", KEY);
        let mut stream = line::connect(to).await?;
        stream.write_all(&request.head(to, "Upgrade")).await?;
        stream.flush().await?;
        let (mut response, buffer) = Response::read_head(&mut stream).await?;
        if response.status != 101 {
            response.body = buffer;
            let length = response.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            while response.body.len() < length && stream.read_buf(&mut response.body).await? > 0 {}
            return Ok(Err(response));
        }
        assert_eq!(response.header("sec-websocket-accept"), Some(ACCEPT));
        assert_eq!(response.header("sec-websocket-extensions"), None, "none was offered");
        assert_eq!(response.header("sec-websocket-protocol"), None, "none was asked for");
        Ok(Ok(Self { stream, buffer }))
    }

    /// Opens a WebSocket and sends bytes right after the request, in one write.
    ///
    /// # Errors
    /// If the connection fails, or is refused.
    pub async fn open_with(to: SocketAddr, request: Request, bytes: &[u8]) -> io::Result<Self> {
        let request = request
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", KEY);
        let mut stream = line::connect(to).await?;
        stream.write_all(&[&request.head(to, "Upgrade"), bytes].concat()).await?;
        stream.flush().await?;
        let (response, buffer) = Response::read_head(&mut stream).await?;
        if response.status == 101 { Ok(Self { stream, buffer }) } else { Err(io::Error::other(response.text())) }
    }

    /// Sends a text message.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn send(&mut self, text: &str) -> io::Result<()> {
        self.write(&frame(TEXT, true, text.as_bytes())).await
    }

    /// Sends bytes unchanged.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// The underlying connection.
    pub fn line(&mut self) -> &mut Line {
        &mut self.stream
    }

    /// Answers a ping of the server.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn pong(&mut self, payload: &[u8]) -> io::Result<()> {
        self.write(&frame(PONG, true, payload)).await
    }

    /// The next frame, or none at the end. Cancel safe.
    ///
    /// # Errors
    /// If the connection fails.
    ///
    /// # Panics
    /// If the server breaks the framing rules.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.take_frame() {
                return Ok(Some(frame));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                assert!(self.buffer.is_empty(), "the server ended within a frame");
                return Ok(None);
            }
        }
    }

    fn take_frame(&mut self) -> Option<Frame> {
        let [first, second, ..] = *self.buffer else { return None };
        assert_eq!(first & 0xf0, 0x80, "a whole message in one frame, no extension: {first:#x}");
        assert_eq!(second & 0x80, 0, "a server does not mask");
        let (start, length) = match second {
            126 => (4, u64::from(u16::from_be_bytes(*self.buffer.get(2..4)?.first_chunk()?))),
            127 => (10, u64::from_be_bytes(*self.buffer.get(2..10)?.first_chunk()?)),
            length => (2, u64::from(length)),
        };
        let end = start + usize::try_from(length).expect("a frame that fits into memory");
        let payload = self.buffer.get(start..end)?.to_vec();
        self.buffer.drain(..end);
        Some(match first & 0x0f {
            TEXT => Frame::Text(String::from_utf8(payload).expect("text is UTF-8")),
            BINARY => Frame::Binary(payload),
            CLOSE => Frame::Close(payload.first_chunk().map(|code| u16::from_be_bytes(*code))),
            PING => Frame::Ping(payload),
            PONG => Frame::Pong(payload),
            other => panic!("a server never sends opcode {other}"),
        })
    }
}

/// A masked frame, as clients send them.
pub fn frame(opcode: u8, end: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(opcode, end, payload.len() as u64, true);
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// A frame without a mask, which clients must not send.
pub fn unmasked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = header(opcode, true, payload.len() as u64, false);
    bytes.extend(payload);
    bytes
}

/// The header of a frame up to its mask, with an announced length that may be false.
pub fn header(opcode: u8, end: bool, length: u64, masked: bool) -> Vec<u8> {
    let mask = if masked { 0x80 } else { 0 };
    let mut bytes = vec![opcode | if end { 0x80 } else { 0 }];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..=125), _) => bytes.push(mask | short),
        (_, Ok(middle)) => {
            bytes.push(mask | 126);
            bytes.extend(middle.to_be_bytes());
        }
        _ => {
            bytes.push(mask | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes
}
