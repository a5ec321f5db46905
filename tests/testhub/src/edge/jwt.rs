//! Tokens valid for five seconds, signed with a random key of this process (HS256).

use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::{hmac, rand};
use axum::extract::Request;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header;
use serde_json::{Value, json};

const LIFETIME_SECONDS: u64 = 5;
/// The claim in which .NET stores the user's id.
const NAME: &str = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier";

/// Creates and verifies tokens.
#[derive(Debug)]
pub(super) struct Tokens(hmac::Key);

impl Tokens {
    /// Tokens with a new key.
    pub(super) fn new() -> Self {
        let mut secret = [0; 32];
        // It protects nothing but tests: without random numbers the process id will do.
        if rand::fill(&mut secret).is_err() {
            secret[..4].copy_from_slice(&std::process::id().to_be_bytes());
        }
        Self(hmac::Key::new(hmac::HMAC_SHA256, &secret))
    }

    /// A fresh token.
    pub(super) fn mint(&self) -> String {
        let claims = json!({
            NAME: "testuser",
            "exp": now() + LIFETIME_SECONDS,
            "iss": "fanfare-testhub",
            "aud": "fanfare-tests",
        });
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", encode(&json!({ "alg": "HS256", "typ": "JWT" })), encode(&claims));
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, signed.as_bytes()));
        format!("{signed}.{signature}")
    }

    /// Whether a request has a valid token: in its header, or in its query if it has no such header.
    pub(super) fn allow(&self, request: &Request) -> bool {
        let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        match header {
            Some(value) => value.split_once(' ').is_some_and(|(_, token)| self.is_good(token.trim())),
            None => {
                let query = request.uri().query().unwrap_or_default();
                let token = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "access_token");
                token.is_some_and(|(_, token)| self.is_good(&token))
            }
        }
    }

    fn is_good(&self, token: &str) -> bool {
        self.expiry(token).is_some_and(|expires| now() < expires)
    }

    /// The expiry of a token that is signed with the key.
    fn expiry(&self, token: &str) -> Option<u64> {
        let (signed, signature) = token.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        hmac::verify(&self.0, signed.as_bytes(), &signature).ok()?;
        let payload = URL_SAFE_NO_PAD.decode(signed.split_once('.')?.1).ok()?;
        serde_json::from_slice::<Value>(&payload).ok()?["exp"].as_u64()
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_own_tokens_are_good_and_others_are_not() {
        let tokens = Tokens::new();
        let token = tokens.mint();
        assert!(tokens.is_good(&token));
        assert!(tokens.expiry(&token).is_some_and(|expires| expires <= now() + LIFETIME_SECONDS));
        assert!(!Tokens::new().is_good(&token), "another key");
        assert!(!tokens.is_good(&token[..token.len() - 2]) && !tokens.is_good("") && !tokens.is_good("a.b.c"));
    }
}
