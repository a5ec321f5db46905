//! The private key that signs tokens.

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;

use crate::jwk::PublicJwk;

const PEM_BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const PEM_END: &str = "-----END PRIVATE KEY-----";

/// Errors of a private key; they never contain any part of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The operating system or the cryptographic library failed.
    #[error("the cryptographic library failed")]
    Crypto,
    /// The text is not a PEM block `PRIVATE KEY`.
    #[error("this is not a PEM block \"PRIVATE KEY\" (PKCS#8, not encrypted)")]
    NotPem,
    /// The block does not contain an RSA key of 2048 to 8192 bits.
    #[error("the PEM block does not hold an RSA private key of 2048 to 8192 bits")]
    NotRsa,
    /// The claims cannot be written as JSON.
    #[error("the claims cannot be written as JSON: {0}")]
    Claims(String),
}

/// An RSA private key that signs tokens with RS256.
pub struct SigningKey {
    pair: KeyPair,
    jwk: PublicJwk,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.jwk.kid).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Creates a new key of 2048 bits.
    pub fn generate() -> Result<Self, KeyError> {
        KeyPair::generate(KeySize::Rsa2048).map(Self::new).map_err(|_| KeyError::Crypto)
    }

    /// Parses a key from a PKCS#8 PEM block.
    pub fn from_pkcs8_pem(pem: &str) -> Result<Self, KeyError> {
        let (_, rest) = pem.split_once(PEM_BEGIN).ok_or(KeyError::NotPem)?;
        let (body, _) = rest.split_once(PEM_END).ok_or(KeyError::NotPem)?;
        let body: String = body.split_ascii_whitespace().collect();
        let der = STANDARD.decode(body).map_err(|_| KeyError::NotPem)?;
        KeyPair::from_pkcs8(&der).map(Self::new).map_err(|_| KeyError::NotRsa)
    }

    /// Writes the key as a PKCS#8 PEM block.
    pub fn to_pkcs8_pem(&self) -> Result<String, KeyError> {
        let der: Pkcs8V1Der<'_> = self.pair.as_der().map_err(|_| KeyError::Crypto)?;
        let body = STANDARD.encode(der.as_ref());
        let mut pem = format!("{PEM_BEGIN}\n");
        let mut rest = body.as_str();
        while !rest.is_empty() {
            let (line, next) = rest.split_at(rest.len().min(64));
            pem.push_str(line);
            pem.push('\n');
            rest = next;
        }
        pem.push_str(PEM_END);
        pem.push('\n');
        Ok(pem)
    }

    /// The key's id: its RFC 7638 thumbprint.
    pub fn kid(&self) -> &str {
        &self.jwk.kid
    }

    /// The public half, as published.
    pub fn jwk(&self) -> PublicJwk {
        self.jwk.clone()
    }

    /// Signs claims as a compact RS256 token whose header names this key.
    pub fn sign(&self, claims: &impl Serialize) -> Result<String, KeyError> {
        let claims = serde_json::to_vec(claims).map_err(|error| KeyError::Claims(error.to_string()))?;
        // The thumbprint is base64url, so it needs no escaping inside JSON.
        let header = format!(r#"{{"alg":"RS256","typ":"JWT","kid":"{}"}}"#, self.jwk.kid);
        let mut token = URL_SAFE_NO_PAD.encode(header);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let mut signature = vec![0; self.pair.public_modulus_len()];
        self.pair
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
            .map_err(|_| KeyError::Crypto)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    fn new(pair: KeyPair) -> Self {
        let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
        let (n, e) = (URL_SAFE_NO_PAD.encode(public.n), URL_SAFE_NO_PAD.encode(public.e));
        // RFC 7638: the required members in lexical order, without white space.
        let members = format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#);
        let kid = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, members.as_bytes()));
        let jwk = PublicJwk {
            kty: "RSA".into(),
            key_use: Some("sig".into()),
            alg: Some("RS256".into()),
            kid,
            n,
            e,
            ..PublicJwk::default()
        };
        Self { pair, jwk }
    }
}
