//! The connection token of negotiate: self-contained, so that any node accepts the connect.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Home, Trail};
use crate::seal::{Purpose, Seal};

/// How long a negotiated id may wait for its transport, in seconds (rule 3).
pub const TOKEN_LIFETIME_SECONDS: i64 = 30;

/// The public name of a connection: 128 random bits. Not a secret; the token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(u128);

impl ConnectionId {
    /// Takes 128 random bits as an id.
    #[must_use]
    pub fn from_random(bits: u128) -> Self {
        Self(bits)
    }

    /// Reads back the form that clients are given.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(u128::from_be_bytes(bytes.try_into().ok()?)))
    }

    /// Its bits, to count by.
    #[must_use]
    pub fn to_bits(self) -> u128 {
        self.0
    }

    /// Which of `shards` owns the connection: requests of one connection must find the same.
    #[must_use]
    pub fn shard(self, shards: usize) -> usize {
        usize::try_from(self.0 % shards.max(1) as u128).unwrap_or_default()
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0.to_be_bytes()))
    }
}

/// What a negotiated connection may do, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionToken {
    /// The id that the client was given.
    pub id: ConnectionId,
    /// A digest of hub and user: a token is of no use to anybody else or elsewhere.
    pub owner: u64,
    /// Whether a lost socket of the connection may be replaced.
    pub stateful: bool,
    /// Whether it was negotiated in the old form, whose id opens the connection too.
    pub is_old: bool,
    /// When the token expires, in seconds since the epoch.
    pub expires: i64,
}

impl ConnectionToken {
    /// The token as text for the `id` of the client's next request.
    ///
    /// `home` is the node that negotiated it, and `trail` what the negotiation was called: browsers name that by headers,
    /// which they cannot do for a WebSocket.
    #[must_use]
    pub fn seal_with(&self, seal: &Seal, home: Option<&Home>, trail: &Trail) -> String {
        let mut payload = vec![0; 33];
        payload[..16].copy_from_slice(&self.id.0.to_be_bytes());
        payload[16..24].copy_from_slice(&self.owner.to_be_bytes());
        payload[24..32].copy_from_slice(&self.expires.to_be_bytes());
        payload[32] = u8::from(self.stateful) | (u8::from(self.is_old) << 1) | (u8::from(home.is_some()) << 2);
        if let Some(home) = home {
            home.write(&mut payload);
        }
        trail.write(&mut payload);
        seal.close(Purpose::ConnectionToken, &payload)
    }

    /// Reads a token back; `None` if it was never issued.
    ///
    /// Whether it has expired matters for opening a connection only: one that is open stays known by it.
    #[must_use]
    pub fn open(seal: &Seal, text: &str) -> Option<Self> {
        Self::open_with(seal, text).map(|(token, _, _)| token)
    }

    /// The same with the node that negotiated it, and what the negotiation was called.
    #[must_use]
    pub fn open_with(seal: &Seal, text: &str) -> Option<(Self, Option<Home>, Trail)> {
        let payload = seal.open(Purpose::ConnectionToken, text)?;
        let (id, rest) = payload.split_first_chunk::<16>()?;
        let (owner, rest) = rest.split_first_chunk::<8>()?;
        let (expires, rest) = rest.split_first_chunk::<8>()?;
        let (flags, rest) = rest.split_first()?;
        let (home, trail) = if flags & 4 == 0 { (None, rest) } else { Home::read(rest)? };
        let token = Self {
            id: ConnectionId(u128::from_be_bytes(*id)),
            owner: u64::from_be_bytes(*owner),
            expires: i64::from_be_bytes(*expires),
            stateful: flags & 1 != 0,
            is_old: flags & 2 != 0,
        };
        Some((token, home, Trail::read(trail)))
    }

    /// Whether the token may open a connection at `now`, in seconds since the epoch.
    #[must_use]
    pub fn may_open(&self, now: i64) -> bool {
        now <= self.expires
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_where_its_secret_is_known() {
        let seal = Seal::new(b"secret", &[]);
        for (stateful, is_old) in [(true, false), (false, false), (false, true)] {
            let token = ConnectionToken { id: ConnectionId(7), owner: 9, stateful, is_old, expires: 100 };
            let text = token.seal_with(&seal, None, &Trail::default());
            assert_eq!(ConnectionToken::open(&seal, &text), Some(token));
            assert!(token.may_open(100) && !token.may_open(101));
            assert_eq!(ConnectionToken::open(&Seal::new(b"other", &[]), &text), None);
            assert_ne!(text, token.id.to_string(), "the id is public, the token is the secret");
            assert_eq!(ConnectionId::parse(&token.id.to_string()), Some(token.id));
            assert_eq!(ConnectionId::parse(&text), None);
        }
    }
    #[test]
    fn a_connection_token_names_its_node_and_the_address_it_was_negotiated_at() {
        let seal = Seal::new(b"secret", &[]);
        let token = ConnectionToken { id: ConnectionId(7), owner: 9, stateful: true, is_old: false, expires: 100 };
        let trail = Trail {
            correlation: Some("x".repeat(128).into()),
            traceparent: Some("0".repeat(55).into()),
            client: Some("c".repeat(32).into()),
        };
        for address in ["10.0.0.7:8080".to_owned(), format!("{}:8080", "n".repeat(Home::LONGEST_ADDRESS - 5))] {
            let home = Home::new(u64::MAX, &address).expect("short enough");
            let text = token.seal_with(&seal, Some(&home), &trail);
            assert!(text.len() <= crate::seal::MAX_SEALED_BYTES, "{}", text.len());
            // The name of the client gives way where all else is as long as it may be.
            let room = (Home::LONGEST_ADDRESS - address.len() + 12).min(32);
            let trail = Trail { client: Some("c".repeat(room).into()), ..trail.clone() };
            assert_eq!(ConnectionToken::open_with(&seal, &text), Some((token, Some(home), trail)));
        }
    }
}
