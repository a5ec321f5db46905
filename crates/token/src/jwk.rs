//! Public keys as JWKs, and a set of them that verifies tokens.

use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize};

use crate::algorithm::{Algorithm, OF_RSA};

/// The largest number of keys from one JWK set.
const MAX_KEYS: usize = 100;

/// The longest key id that is accepted, in bytes.
pub(crate) const MAX_KID: usize = 256;

/// A public key as a JWK; members that its type lacks are empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PublicJwk {
    /// The key type: `RSA`, `EC` or `OKP`.
    pub kty: String,
    /// The key's use, `sig`.
    #[serde(rename = "use", default, skip_serializing_if = "Option::is_none")]
    pub key_use: Option<String>,
    /// The only algorithm for the key, such as `RS256`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// The key id.
    #[serde(default, deserialize_with = "or_none", skip_serializing_if = "String::is_empty")]
    pub kid: String,
    /// The modulus of an RSA key, base64url.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub n: String,
    /// The exponent of an RSA key, base64url.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub e: String,
    /// The curve of an EC or OKP key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub crv: String,
    /// The first coordinate of an EC key, or the whole of an OKP key, base64url.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub x: String,
    /// The second coordinate of an EC key, base64url.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub y: String,
    /// The only issuer whose tokens it signs, which sets of several tenants name; it may be a pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
}

/// Some issuers write null for an id that a key does not have.
fn or_none<'de, D: Deserializer<'de>>(value: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}

/// A JWK set, as published under `/.well-known/jwks.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwks {
    /// The public keys.
    pub keys: Vec<PublicJwk>,
}

/// A public key with its allowed algorithms: the key decides, never a token's header alone.
pub(crate) struct VerifyingKey {
    kid: Option<Box<str>>,
    by_algorithm: Box<[(Algorithm, ParsedPublicKey)]>,
    issuer: Option<Box<str>>,
}

impl VerifyingKey {
    /// Whether the key may be used with this algorithm.
    pub(crate) fn takes(&self, algorithm: Algorithm) -> bool {
        self.by_algorithm.iter().any(|(known, _)| *known == algorithm)
    }

    fn shares_an_algorithm(&self, other: &Self) -> bool {
        self.by_algorithm.iter().any(|(algorithm, _)| other.takes(*algorithm))
    }

    /// The only issuer whose tokens it signs, if it names one.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Whether this key made the signature of the message, with an allowed algorithm.
    pub(crate) fn verifies(&self, algorithm: Algorithm, message: &[u8], signature: &[u8]) -> bool {
        let key = self.by_algorithm.iter().find(|(known, _)| *known == algorithm);
        key.is_some_and(|(_, key)| key.verify_sig(message, signature).is_ok())
    }
}

/// The key that a token's header names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sought<'t> {
    pub(crate) kid: Option<&'t str>,
    pub(crate) algorithm: Algorithm,
}

/// The keys of one issuer, ready to verify.
pub(crate) struct KeySet {
    jwks: Vec<PublicJwk>,
    keys: Vec<Arc<VerifyingKey>>,
    passed_over: Vec<PassedOver>,
}

/// A published key that cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct PassedOver {
    pub(crate) kid: String,
    pub(crate) reason: &'static str,
}

impl KeySet {
    fn new() -> Self {
        Self { jwks: Vec::new(), keys: Vec::new(), passed_over: Vec::new() }
    }

    /// Keeps the usable keys of a set and passes over the others, such as those for encryption.
    pub(crate) fn usable(keys: Vec<PublicJwk>) -> Self {
        let mut set = Self::new();
        for jwk in keys {
            if set.keys.len() == MAX_KEYS {
                set.pass_over(&jwk.kid, "the set has more than 100 keys");
                break;
            }
            match parse(&jwk) {
                Ok(key) => set.insert(jwk, key),
                Err(reason) => set.pass_over(&jwk.kid, reason),
            }
        }
        set
    }

    /// Notes a key that cannot be used; of many, the first ones.
    pub(crate) fn pass_over(&mut self, kid: &str, reason: &'static str) {
        if self.passed_over.len() < MAX_KEYS {
            let kid = kid.chars().take(MAX_KID).collect();
            self.passed_over.push(PassedOver { kid, reason });
        }
    }

    /// The keys that cannot be used, for a log line of each.
    pub(crate) fn passed_over(&self) -> &[PassedOver] {
        &self.passed_over
    }

    /// Keeps every key, or returns which one cannot be used and why.
    pub(crate) fn strict(keys: Vec<PublicJwk>) -> Result<Self, (String, &'static str)> {
        let mut set = Self::new();
        for jwk in keys {
            let key = parse(&jwk).map_err(|reason| (jwk.kid.clone(), reason))?;
            set.insert(jwk, key);
        }
        Ok(set)
    }

    fn insert(&mut self, jwk: PublicJwk, key: VerifyingKey) {
        // The first of two keys with one id wins, so that an appended key never replaces one in use. Keys of other types
        // may have the same id (RFC 7517, section 4.5).
        let is_known = |known: &Arc<VerifyingKey>| known.kid == key.kid && known.shares_an_algorithm(&key);
        if key.kid.is_some() && self.keys.iter().any(is_known) {
            return self.pass_over(&jwk.kid, "a key with its id is there already");
        }
        self.keys.push(Arc::new(key));
        self.jwks.push(jwk);
    }

    /// The key of a token: by its id, or the only possible one if token or key has no id.
    pub(crate) fn find(&self, sought: Sought<'_>) -> Option<&Arc<VerifyingKey>> {
        if let Some(kid) = sought.kid {
            let mut named = self.keys.iter().filter(|key| key.kid.as_deref() == Some(kid)).peekable();
            // A key that does not take the algorithm says more than none.
            let first = named.peek().copied();
            if let Some(key) = named.find(|key| key.takes(sought.algorithm)).or(first) {
                return Some(key);
            }
        }
        let mut possible = self
            .keys
            .iter()
            .filter(|key| key.takes(sought.algorithm))
            .filter(|key| sought.kid.is_none() || key.kid.is_none());
        let only = possible.next()?;
        if possible.next().is_some() { None } else { Some(only) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.jwks.is_empty()
    }

    /// Whether both sets contain the same keys, in any order.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        self.jwks.len() == other.jwks.len()
            && self.jwks.iter().all(|key| other.jwks.contains(key))
            && self.passed_over == other.passed_over
    }
}

fn parse(jwk: &PublicJwk) -> Result<VerifyingKey, &'static str> {
    if jwk.key_use.as_deref().is_some_and(|key_use| key_use != "sig") {
        return Err("it is not for signatures");
    }
    if jwk.kid.len() > MAX_KID {
        return Err("its key id has more than 256 bytes");
    }
    let (of_type, bytes) = material(jwk)?;
    let algorithms: Vec<Algorithm> = match jwk.alg.as_deref() {
        None => of_type.to_vec(),
        Some(name) => match Algorithm::find(name).filter(|algorithm| of_type.contains(algorithm)) {
            Some(algorithm) => vec![algorithm],
            None => return Err("its `alg` is none that signs tokens, or none of its type"),
        },
    };
    let parsed = algorithms.into_iter().map(|algorithm| {
        let key = ParsedPublicKey::new(algorithm.verification(), &bytes);
        key.map(|key| (algorithm, key)).map_err(|_| match jwk.kty.as_str() {
            "RSA" => "it is not an RSA key of 2048 to 8192 bits",
            _ => "it is not a point of its curve",
        })
    });
    Ok(VerifyingKey {
        kid: Some(jwk.kid.as_str()).filter(|kid| !kid.is_empty()).map(Into::into),
        by_algorithm: parsed.collect::<Result<_, _>>()?,
        issuer: jwk.issuer.as_deref().map(Into::into),
    })
}

/// The algorithms for a key's type, and its bytes in the cryptographic library's form.
fn material(jwk: &PublicJwk) -> Result<(&'static [Algorithm], Vec<u8>), &'static str> {
    let decode = |text: &str| URL_SAFE_NO_PAD.decode(text);
    match (jwk.kty.as_str(), jwk.crv.as_str()) {
        ("RSA", _) => {
            let part = |text: &str| {
                let bytes = decode(text).map_err(|_| "`n` or `e` is not base64url")?;
                // Some issuers keep the sign byte of their big integers.
                let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
                Ok::<_, &'static str>(bytes[start..].to_vec())
            };
            let components = RsaPublicKeyComponents { n: part(&jwk.n)?, e: part(&jwk.e)? };
            let der = components.as_der().map_err(|_| "`n` and `e` are not an RSA public key")?;
            Ok((&OF_RSA, der.as_ref().to_vec()))
        }
        ("EC", "P-256") => Ok((&[Algorithm::Es256], point(jwk, 32)?)),
        ("EC", "P-384") => Ok((&[Algorithm::Es384], point(jwk, 48)?)),
        ("EC", "P-521") => Ok((&[Algorithm::Es512], point(jwk, 66)?)),
        ("OKP", "Ed25519") => Ok((&[Algorithm::EdDsa], decode(&jwk.x).map_err(|_| "`x` is not base64url")?)),
        ("EC" | "OKP", _) => Err("its curve is none of P-256, P-384, P-521 and Ed25519"),
        _ => Err("it is neither an RSA, an EC nor an OKP key"),
    }
}

/// An uncompressed point; some issuers write its coordinates without leading zeros.
fn point(jwk: &PublicJwk, size: usize) -> Result<Vec<u8>, &'static str> {
    let mut point = vec![4];
    for text in [&jwk.x, &jwk.y] {
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| "`x` or `y` is not base64url")?;
        let start = bytes.len().saturating_sub(size);
        if bytes[..start].iter().any(|byte| *byte != 0) {
            return Err("`x` or `y` is too long for its curve");
        }
        let bytes = &bytes[start..];
        point.resize(point.len() + size - bytes.len(), 0);
        point.extend_from_slice(bytes);
    }
    Ok(point)
}
