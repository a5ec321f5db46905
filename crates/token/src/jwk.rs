//! Public keys as JWKs, and the set of them that verifies tokens.

use std::collections::HashMap;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// The most keys that are taken from one JWK set.
const MAX_KEYS: usize = 100;

/// The longest key id that is accepted, in bytes.
pub(crate) const MAX_KID: usize = 256;

/// A public RSA key as a JWK.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PublicJwk {
    /// The key type, `RSA`.
    pub kty: String,
    /// What the key is for, `sig`.
    #[serde(rename = "use", default, skip_serializing_if = "Option::is_none")]
    pub key_use: Option<String>,
    /// The algorithm, `RS256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// The key id.
    #[serde(default)]
    pub kid: String,
    /// The modulus, base64url.
    #[serde(default)]
    pub n: String,
    /// The exponent, base64url.
    #[serde(default)]
    pub e: String,
}

/// A JWK set, as it is published under `/.well-known/jwks.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwks {
    /// The public keys.
    pub keys: Vec<PublicJwk>,
}

/// A public key that verifies RS256 signatures.
pub(crate) struct VerifyingKey(ParsedPublicKey);

impl VerifyingKey {
    /// Tells whether the signature of the message is this key's.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify_sig(message, signature).is_ok()
    }
}

/// The keys of one issuer, ready to verify.
pub(crate) struct KeySet {
    jwks: Vec<PublicJwk>,
    by_id: HashMap<String, Arc<VerifyingKey>>,
}

impl KeySet {
    /// Takes the usable RS256 keys of a set and passes over the others, such as elliptic curve or encryption keys.
    pub(crate) fn usable(keys: Vec<PublicJwk>) -> Self {
        let mut set = Self { jwks: Vec::new(), by_id: HashMap::new() };
        for jwk in keys.into_iter().take(MAX_KEYS) {
            match parse(&jwk) {
                Ok(key) => set.insert(jwk, key),
                Err(reason) => tracing::debug!(reason, "a published key is passed over"),
            }
        }
        set
    }

    /// Takes every key, or tells which one cannot be used and why.
    pub(crate) fn strict(keys: Vec<PublicJwk>) -> Result<Self, (String, &'static str)> {
        let mut set = Self { jwks: Vec::new(), by_id: HashMap::new() };
        for jwk in keys {
            let key = parse(&jwk).map_err(|reason| (jwk.kid.clone(), reason))?;
            set.insert(jwk, key);
        }
        Ok(set)
    }

    fn insert(&mut self, jwk: PublicJwk, key: VerifyingKey) {
        // The first of two keys with one id wins, so that an appended key never shadows one in use.
        if !self.by_id.contains_key(&jwk.kid) {
            self.by_id.insert(jwk.kid.clone(), Arc::new(key));
            self.jwks.push(jwk);
        }
    }

    pub(crate) fn get(&self, kid: &str) -> Option<&Arc<VerifyingKey>> {
        self.by_id.get(kid)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jwks.is_empty()
    }

    /// Tells whether both sets hold the same keys, in whatever order.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.jwks.len() == other.jwks.len() && self.jwks.iter().all(|key| other.jwks.contains(key))
    }
}

fn parse(jwk: &PublicJwk) -> Result<VerifyingKey, &'static str> {
    if jwk.kty != "RSA" {
        return Err("it is not an RSA key");
    }
    if jwk.key_use.as_deref().is_some_and(|key_use| key_use != "sig") {
        return Err("it is not for signatures");
    }
    if jwk.alg.as_deref().is_some_and(|alg| alg != "RS256") {
        return Err("it is not for RS256");
    }
    if jwk.kid.is_empty() || jwk.kid.len() > MAX_KID {
        return Err("it has no key id, or one of more than 256 bytes");
    }
    let part = |text: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| "`n` or `e` is not base64url")?;
        // Some issuers keep the sign byte of their big integers.
        let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
        Ok::<_, &'static str>(bytes[start..].to_vec())
    };
    let components = RsaPublicKeyComponents { n: part(&jwk.n)?, e: part(&jwk.e)? };
    let der = components.as_der().map_err(|_| "`n` and `e` are not an RSA public key")?;
    ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der.as_ref())
        .map(VerifyingKey)
        .map_err(|_| "it is not an RSA key of 2048 to 8192 bits")
}
