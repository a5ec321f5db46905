//! The parts of HTTP/1.1 that a tab and a producer need.

use anyhow::{Context, Result, bail, ensure};

/// The longest plausible head of an answer.
const MAX_HEAD: usize = 8 * 1024;

/// The `Sec-WebSocket-Key` that is sent; any 16 bytes will do.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// RFC 6455's answer to it.
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Response<'a> {
    pub(crate) status: u16,
    pub(crate) head: &'a str,
    pub(crate) body: &'a [u8],
    /// The size of head and body.
    pub(crate) used: usize,
}

impl Response<'_> {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (known, value) = line.split_once(':')?;
            known.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// A description of an answer with another status than `wanted`.
    pub(crate) fn expect(&self, wanted: u16) -> Result<()> {
        let said = String::from_utf8_lossy(&self.body[..self.body.len().min(200)]);
        ensure!(self.status == wanted, "status {} instead of {wanted}: {said}", self.status);
        Ok(())
    }

    /// Whether the server has accepted a WebSocket.
    pub(crate) fn expect_upgrade(&self) -> Result<()> {
        self.expect(101)?;
        ensure!(self.header("sec-websocket-accept") == Some(ACCEPT), "a wrong Sec-WebSocket-Accept");
        Ok(())
    }
}

/// The first answer in `bytes`; `None` until it is complete.
pub(crate) fn response(bytes: &[u8]) -> Result<Option<Response<'_>>> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        ensure!(bytes.len() <= MAX_HEAD, "the head of an answer does not end");
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..end]).context("the head of an answer is not text")?;
    let status = head.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)).and_then(|digits| digits.parse().ok());
    let mut found = Response { status: status.context("no status line")?, head, body: &[], used: end + 4 };
    let length: usize = match found.header("content-length") {
        Some(text) => text.parse().context("content-length is not a number")?,
        None if found.status == 101 => 0,
        None => bail!("an answer without content-length"),
    };
    let Some(body) = bytes.get(end + 4..end + 4 + length) else { return Ok(None) };
    found.body = body;
    found.used += length;
    Ok(Some(found))
}

/// A tab's negotiation, as the JavaScript client sends it.
pub(crate) fn negotiate(host: &str, hub: &str, token: &str) -> Vec<u8> {
    format!(
        "POST {hub}/negotiate?negotiateVersion=1 HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
         x-requested-with: XMLHttpRequest\r\ncontent-type: text/plain;charset=UTF-8\r\ncontent-length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// The opening handshake of a WebSocket; browsers cannot send headers, so the token is in the query. A returning tab
/// includes its cursor.
pub(crate) fn upgrade(host: &str, hub: &str, connection: &str, token: &str, cursor: Option<&str>) -> Vec<u8> {
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    format!(
        "GET {hub}?id={connection}&access_token={token}{cursor} HTTP/1.1\r\nhost: {host}\r\nconnection: Upgrade\r\n\
         upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n\r\n"
    )
    .into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_or_not_there() {
        let bytes = b"HTTP/1.1 202 Accepted\r\nContent-Length: 4\r\n\r\nbodyHTTP";
        let whole = response(bytes).expect("sound").expect("whole");
        assert_eq!((whole.status, whole.body, whole.used), (202, &b"body"[..], bytes.len() - 4));
        for end in 0..bytes.len() - 4 {
            assert_eq!(response(&bytes[..end]).expect("sound"), None, "{end}");
        }
    }

    #[test]
    fn bad_answers_are_reported() {
        for bytes in ["SSH-2.0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n"] {
            assert!(response(bytes.as_bytes()).is_err(), "{bytes}");
        }
        assert!(response(&[b'x'; MAX_HEAD + 1]).is_err());
    }

    #[test]
    fn an_upgrade_needs_the_right_answer_to_its_key() {
        let answer =
            |accept: &str| format!("HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: {accept}\r\n\r\n");
        let right = answer(ACCEPT);
        response(right.as_bytes()).expect("sound").expect("whole").expect_upgrade().expect("accepted");
        let wrong = answer("AAAA");
        assert!(response(wrong.as_bytes()).expect("sound").expect("whole").expect_upgrade().is_err());
    }
}
