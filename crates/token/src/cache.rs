//! Remembers verified tokens, so that a storm of reconnects does not verify each signature again.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};

use crate::claims::{Audience, Claims};

/// The SHA-256 of a token and of the audience it was verified for.
pub(crate) type TokenHash = [u8; 32];

/// The result for a verified token.
#[derive(Clone)]
pub(crate) struct Remembered {
    pub(crate) claims: Arc<Claims>,
    /// The generation of the key set that verified it.
    pub(crate) generation: u64,
}

/// The approximate bound of one half in bytes: a token with 200 groups has 10 KB of claims.
const MAX_BYTES: usize = 16 << 20;

/// A cache of verified tokens, bounded in entries and bytes.
///
/// It has two halves: new entries and those in use go to the younger. When that is full, it becomes the older, and the
/// previous older half is dropped. That is bounded, cheap, and keeps what is in use.
pub(crate) struct TokenCache {
    half: usize,
    young_bytes: usize,
    young: HashMap<TokenHash, Remembered>,
    old: HashMap<TokenHash, Remembered>,
}

impl TokenCache {
    pub(crate) fn new(entries: usize) -> Self {
        Self { half: entries / 2, young_bytes: 0, young: HashMap::new(), old: HashMap::new() }
    }

    pub(crate) fn get(&mut self, hash: &TokenHash) -> Option<Remembered> {
        if let Some(found) = self.young.get(hash) {
            return Some(found.clone());
        }
        let found = self.old.remove(hash)?;
        self.insert(*hash, found.clone());
        Some(found)
    }

    pub(crate) fn insert(&mut self, hash: TokenHash, entry: Remembered) {
        if self.half == 0 {
            return;
        }
        let size = entry.claims.size();
        if self.young.len() >= self.half || self.young_bytes + size > MAX_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        self.young_bytes += size;
        self.young.insert(hash, entry);
    }

    pub(crate) fn remove(&mut self, hash: &TokenHash) {
        self.young.remove(hash);
        self.old.remove(hash);
    }
}

/// Hashes a token for one audience.
pub(crate) fn hash(token: &str, audience: Audience) -> TokenHash {
    let mut context = Context::new(&SHA256);
    context.update(match audience {
        Audience::User => b"u",
        Audience::Producer => b"p",
    });
    context.update(token.as_bytes());
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Remembered {
        let claims = Claims {
            issuer: "issuer".into(),
            realm: None,
            user: fanfare_event::Id::parse("alice").unwrap(),
            org: None,
            orgs: Vec::new(),
            roles: Vec::new(),
            session: None,
            issued_at: 0,
            expires_at: 0,
            publish: None,
            unusable: Vec::new(),
            other: Default::default(),
        };
        Remembered { claims: Arc::new(claims), generation: 0 }
    }

    fn key(number: u32) -> TokenHash {
        hash(&number.to_string(), Audience::User)
    }

    #[test]
    fn never_holds_more_than_its_bound() {
        let mut cache = TokenCache::new(10);
        for number in 0..1000 {
            cache.insert(key(number), entry());
            assert!(cache.young.len() + cache.old.len() <= 10);
        }
    }

    #[test]
    fn large_tokens_are_bounded_in_bytes() {
        let mut large = Claims::clone(&entry().claims);
        large.roles = vec!["x".repeat(250); 100];
        let large = Remembered { claims: Arc::new(large), generation: 0 };
        let mut cache = TokenCache::new(10_000);
        for number in 0..5_000 {
            cache.insert(key(number), large.clone());
            assert!((cache.young.len() + cache.old.len()) * large.claims.size() <= 2 * MAX_BYTES);
        }
    }

    #[test]
    fn keeps_what_is_in_use() {
        let mut cache = TokenCache::new(10);
        cache.insert(key(0), entry());
        for number in 1..100 {
            cache.insert(key(number), entry());
            assert!(cache.get(&key(0)).is_some(), "forgotten after {number}");
        }
        assert!(cache.get(&key(1)).is_none());
    }

    #[test]
    fn remembers_nothing_when_turned_off() {
        let mut cache = TokenCache::new(0);
        cache.insert(key(0), entry());
        assert!(cache.get(&key(0)).is_none());
    }

    #[test]
    fn keeps_audiences_apart() {
        assert_ne!(hash("token", Audience::User), hash("token", Audience::Producer));
    }
}
