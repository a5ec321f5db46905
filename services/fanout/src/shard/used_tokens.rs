//! Connection tokens that were used: none opens a second connection.

use std::collections::{HashSet, VecDeque};

use crate::connection::ConnectionId;

/// The most tokens remembered. At more than this many connects within a token's 30 seconds the oldest are
/// forgotten, and a stray socket with one of them fails at its handshake instead of with 404.
const MOST: usize = 100_000;

/// Tokens that were used and have not expired.
#[derive(Debug, Default)]
pub(super) struct UsedTokens {
    ids: HashSet<ConnectionId>,
    by_expiry: VecDeque<(i64, ConnectionId)>,
}

impl UsedTokens {
    /// Notes a token that has opened its connection.
    pub(super) fn note(&mut self, id: ConnectionId, expires: i64, now: i64) {
        while self.by_expiry.front().is_some_and(|(at, _)| *at < now) || self.by_expiry.len() >= MOST {
            if let Some((_, oldest)) = self.by_expiry.pop_front() {
                self.ids.remove(&oldest);
            }
        }
        if self.ids.insert(id) {
            self.by_expiry.push_back((expires, id));
        }
    }

    /// Whether a token was used before.
    #[must_use]
    pub(super) fn holds(&self, id: ConnectionId) -> bool {
        self.ids.contains(&id)
    }
}
