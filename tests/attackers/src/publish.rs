//! Events of the attacker's org, published over HTTP, many concurrently.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The kind of event: a toast for a user, or for the whole org.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Alert<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) org: &'a str,
    pub(crate) message_bytes: usize,
}

/// The number of the process's next event: a repeated id would be the same event.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// Connected producers, each with one event in flight.
#[derive(Debug)]
pub struct Publishers {
    streams: Vec<TcpStream>,
    address: SocketAddr,
    token: String,
}

impl Publishers {
    /// Connects this many.
    ///
    /// # Errors
    /// If one cannot connect.
    pub fn connect(address: SocketAddr, token: &str, count: usize) -> io::Result<Self> {
        let open = |_| {
            let stream = TcpStream::connect(address)?;
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Ok(stream)
        };
        let streams = (0..count).map(open).collect::<io::Result<_>>()?;
        Ok(Self { streams, address, token: token.to_owned() })
    }

    /// Publishes this many events, as many concurrently as there are producers, and waits until all are stored.
    pub(crate) fn publish(&mut self, alert: &Alert<'_>, events: usize) -> io::Result<()> {
        let mut left = events;
        while left > 0 {
            let round = left.min(self.streams.len());
            let requests: Vec<Vec<u8>> = (0..round).map(|_| self.request(alert)).collect();
            for (stream, request) in self.streams.iter_mut().zip(&requests) {
                stream.write_all(request)?;
            }
            for stream in self.streams.iter_mut().take(round) {
                accepted(stream)?;
            }
            left -= round;
        }
        Ok(())
    }

    fn request(&self, alert: &Alert<'_>) -> Vec<u8> {
        let Alert { user, org, message_bytes } = alert;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let user = user.map(|user| format!("\"user\":\"{user}\",")).unwrap_or_default();
        let message = "m".repeat(*message_bytes);
        let body = format!("{{\"org\":\"{org}\",{user}\"title\":\"{number}\",\"message\":\"{message}\"}}");
        format!(
            "POST /events HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
             ce-specversion: 1.0\r\nce-id: attackers-{}-{number}\r\nce-source: /attackers\r\nce-type: system.Alert\r\n\
             content-length: {}\r\n\r\n{body}",
            self.address,
            self.token,
            std::process::id(),
            body.len()
        )
        .into_bytes()
    }
}

/// Reads the answer to one event, which must be an acknowledgement.
fn accepted(stream: &mut TcpStream) -> io::Result<()> {
    let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
    loop {
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
            if answer.len() >= end + 4 + length.unwrap_or(0) {
                let text = || String::from_utf8_lossy(&answer).into_owned();
                return if head.starts_with("http/1.1 202") { Ok(()) } else { Err(io::Error::other(text())) };
            }
        }
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => answer.extend_from_slice(&buffer[..count]),
        }
    }
}
