//! A raw TCP connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::http::Response;
use crate::wait::at_most;

/// A connection without a protocol.
#[derive(Debug)]
pub struct Raw(TcpStream);

impl Raw {
    /// Connects, and sends bytes.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn connect(to: SocketAddr, text: &str) -> io::Result<Self> {
        let mut raw = Self(TcpStream::connect(to).await?);
        raw.write(text.as_bytes()).await?;
        Ok(raw)
    }

    /// Sends more bytes.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes).await
    }

    /// Closes the sending side.
    ///
    /// # Errors
    /// If the connection fails.
    pub async fn finish(&mut self) -> io::Result<()> {
        self.0.shutdown().await
    }

    /// The next answer with its body, which must have a length.
    ///
    /// # Errors
    /// If the connection ends earlier.
    pub async fn answer(&mut self) -> io::Result<Response> {
        at_most("an answer", async {
            let (mut response, rest) = Response::read_head(&mut self.0).await?;
            response.body = rest;
            let length = response.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
            while response.body.len() < length {
                if self.0.read_buf(&mut response.body).await? == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
            }
            Ok(response)
        })
        .await
    }

    /// Whether the peer closes within this time.
    pub async fn closes_within(&mut self, time: Duration) -> bool {
        let mut scratch = [0; 1024];
        let end = async {
            // A reset counts as a close.
            while self.0.read(&mut scratch).await.is_ok_and(|count| count > 0) {}
        };
        tokio::time::timeout(time, end).await.is_ok()
    }
}
