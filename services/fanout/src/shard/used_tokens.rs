//! Connection tokens that were used: none opens a second connection.

use crate::connection::ConnectionId;
use crate::limit::OldestFirst;

/// The most tokens remembered. At more than this many connects within a token's 30 seconds the oldest are
/// forgotten, and a stray socket with one of them fails at its handshake instead of with 404.
const MOST: usize = 100_000;

/// Tokens that were used and have not expired.
#[derive(Debug)]
pub(super) struct UsedTokens(OldestFirst<ConnectionId, i64>);

impl Default for UsedTokens {
    fn default() -> Self {
        Self(OldestFirst::new(MOST))
    }
}

impl UsedTokens {
    /// Notes a token that has opened its connection.
    pub(super) fn note(&mut self, id: ConnectionId, expires: i64, now: i64) {
        self.0.forget_while(|expires| *expires < now);
        self.0.insert(id, expires);
    }

    /// Whether a token was used before.
    #[must_use]
    pub(super) fn holds(&self, id: ConnectionId) -> bool {
        self.0.get(&id).is_some()
    }
}
