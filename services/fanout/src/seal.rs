//! The seal on cursors and connection tokens: authenticates what a node issues and gets back.
//!
//! Both are self-contained, so that any node with the same `node.secret` accepts them without asking another. They are
//! authenticated, not encrypted: nothing in them is secret.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes of HMAC-SHA-256 kept: 128 bits are beyond guessing and keep a cursor short.
const TAG_BYTES: usize = 16;

/// Longest sealed text that is looked at, in bytes; rule 2.1 bounds a cursor so.
pub const MAX_SEALED_BYTES: usize = 512;

/// The most bytes that can be sealed into so long a text.
pub const MAX_PAYLOAD_BYTES: usize = MAX_SEALED_BYTES / 4 * 3 - TAG_BYTES;

/// The purpose of a seal; it is authenticated too, so that one kind never passes for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A position in the stream, handed to a tab.
    Cursor,
    /// A position as versions before 0.2 sealed it, without a hub.
    CursorWithoutHub,
    /// The answer of negotiate, handed back when the transport connects.
    ConnectionToken,
    /// The bearer of an operator.
    Operator,
    /// The bearer of a node that asks another.
    Node,
    /// What a node says about a request that it forwards to another.
    Forwarded,
}

impl Purpose {
    fn label(self) -> &'static [u8] {
        match self {
            Self::Cursor => b"fanfare cursor 3",
            Self::CursorWithoutHub => b"fanfare cursor 2",
            Self::ConnectionToken => b"fanfare connection token 1",
            Self::Operator => b"fanfare operator 1",
            Self::Node => b"fanfare node 1",
            Self::Forwarded => b"fanfare forwarded 1",
        }
    }
}

/// Another seal does not open what this one closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the secret in use is missing, which sealed the cursors and connection tokens that clients hold: name it as \
     `previous_secret`"
)]
pub struct Unopened;

/// The node secret, ready for use. During a rotation older secrets still open what they sealed. All clones of a seal have the
/// same secrets, also once others have taken their place.
#[derive(Clone)]
pub struct Seal {
    keys: Arc<RwLock<Vec<hmac::Key>>>,
}

impl Seal {
    /// Makes a seal from the current secret and those that it replaces.
    #[must_use]
    pub fn new(current: &[u8], older: &[Vec<u8>]) -> Self {
        let keys = std::iter::once(current)
            .chain(older.iter().map(Vec::as_slice))
            .map(|secret| hmac::Key::new(hmac::HMAC_SHA256, secret))
            .collect();
        Self { keys: Arc::new(RwLock::new(keys)) }
    }

    /// Takes the secrets of another seal, which must open what this one closed: or tabs would lose their cursors.
    ///
    /// # Errors
    /// It does not, and nothing has changed.
    pub fn take(&self, other: &Self) -> Result<(), Unopened> {
        if other.open(Purpose::Cursor, &self.close(Purpose::Cursor, b"")).is_none() {
            return Err(Unopened);
        }
        let keys = other.keys().clone();
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(())
    }

    fn keys(&self) -> RwLockReadGuard<'_, Vec<hmac::Key>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seals `payload` as URL-safe text without padding: the JavaScript client puts it into a URL as it is.
    #[must_use]
    pub fn close(&self, purpose: Purpose, payload: &[u8]) -> String {
        let tag = authenticate(&self.keys()[0], purpose, payload);
        let mut sealed = Vec::with_capacity(TAG_BYTES + payload.len());
        sealed.extend_from_slice(&tag.as_ref()[..TAG_BYTES]);
        sealed.extend_from_slice(payload);
        URL_SAFE_NO_PAD.encode(sealed)
    }

    /// Opens a sealed text; `None` if it was not sealed here for this purpose.
    #[must_use]
    pub fn open(&self, purpose: Purpose, text: &str) -> Option<Vec<u8>> {
        if text.len() > MAX_SEALED_BYTES {
            return None;
        }
        let mut sealed = URL_SAFE_NO_PAD.decode(text).ok()?;
        if sealed.len() < TAG_BYTES {
            return None;
        }
        let payload = sealed.split_off(TAG_BYTES);
        let known = self.keys().iter().any(|key| {
            let tag = authenticate(key, purpose, &payload);
            aws_lc_rs::constant_time::verify_slices_are_equal(&tag.as_ref()[..TAG_BYTES], &sealed).is_ok()
        });
        known.then_some(payload)
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seal").field("keys", &self.keys().len()).finish()
    }
}

fn authenticate(key: &hmac::Key, purpose: Purpose, payload: &[u8]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(purpose.label());
    context.update(payload);
    context.sign()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_what_it_closed_and_nothing_else() {
        let seal = Seal::new(b"one", &[]);
        let text = seal.close(Purpose::Cursor, b"payload");
        assert_eq!(seal.open(Purpose::Cursor, &text).as_deref(), Some(&b"payload"[..]));
        assert_eq!(seal.open(Purpose::ConnectionToken, &text), None);
        assert_eq!(Seal::new(b"two", &[]).open(Purpose::Cursor, &text), None);
        assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
    }

    #[test]
    fn all_clones_take_other_secrets_that_open_what_was_closed() {
        let seal = Seal::new(b"one", &[]);
        let (clone, held) = (seal.clone(), seal.close(Purpose::Cursor, b"payload"));
        assert_eq!(seal.take(&Seal::new(b"two", &[])), Err(Unopened));
        assert_eq!(clone.close(Purpose::Cursor, b"payload"), held, "nothing has changed");
        seal.take(&Seal::new(b"two", &[b"one".to_vec()])).expect("the old one is among them");
        assert!(clone.open(Purpose::Cursor, &held).is_some());
        assert_eq!(clone.close(Purpose::Cursor, b"payload"), Seal::new(b"two", &[]).close(Purpose::Cursor, b"payload"));
    }

    #[test]
    fn any_changed_character_is_refused() {
        let seal = Seal::new(b"one", &[]);
        let text = seal.close(Purpose::Cursor, b"payload!");
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).expect("ascii");
            assert_eq!(seal.open(Purpose::Cursor, &changed), None, "byte {at}");
        }
    }

    #[test]
    fn an_older_secret_still_opens_during_a_rotation() {
        let old = Seal::new(b"old", &[]);
        let both = Seal::new(b"new", &[b"old".to_vec()]);
        let text = old.close(Purpose::Cursor, b"x");
        assert!(both.open(Purpose::Cursor, &text).is_some());
        assert!(old.open(Purpose::Cursor, &both.close(Purpose::Cursor, b"x")).is_none());
    }

    #[test]
    fn odd_input_is_refused_without_a_panic() {
        let seal = Seal::new(b"one", &[]);
        for text in ["", "A", "====", "\u{e9}", &"A".repeat(10_000)] {
            assert_eq!(seal.open(Purpose::Cursor, text), None);
        }
    }
}
