//! Tokens that must be refused.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fanfare_token::{PublicJwk, SigningKey};
use serde_json::{Value, json};

use crate::token::{Token, development_key, now};

/// A word in every forged token that no log line may contain.
pub const CANARY: &str = "canary-5f2e9c";

/// A bad token and its fault.
#[derive(Debug, Clone)]
pub struct Forgery {
    /// The fault, for messages.
    pub what: &'static str,
    /// The token.
    pub token: String,
}

/// Every kind of bad token that can be made without the issuer's private key, and some that need it.
pub fn all() -> Vec<Forgery> {
    let good = || Token::user(CANARY, "acme").claim("note", CANARY);
    let key = development_key();
    let public = key.jwk();
    let of = |what, token| Forgery { what, token };
    let signed = |what, token: Token| Forgery { what, token: token.sign() };
    let mut forgeries = vec![
        of("alg none, no signature", encoded(&json!({ "alg": "none", "kid": key.kid() }), &good(), &[])),
        of("alg None, no kid", encoded(&json!({ "alg": "None" }), &good(), &[])),
        of("alg none with a signature", encoded(&json!({ "alg": "none", "kid": key.kid() }), &good(), &[7; 256])),
        of("no alg", encoded(&json!({ "kid": key.kid() }), &good(), &[7; 256])),
        of("a signature of nothing", encoded(&json!({ "alg": "RS256", "kid": key.kid() }), &good(), &[0; 256])),
        of("an unknown key id", good().sign_with(&other_key())),
        of("another key under the known id", under_another_name(&good(), &other_key(), key.kid())),
        of("a claim changed after signing", tampered(&good())),
        of("a critical extension", critical(&good())),
        of("garbage", format!("{CANARY}.{CANARY}.{CANARY}")),
        of("one word", CANARY.to_owned()),
        of("dots", format!("..{CANARY}..")),
        of("oversized", format!("{}.{}", good().sign(), CANARY.repeat(2000))),
        of("oversized but signed", good().claim("padding", CANARY.repeat(1500)).sign()),
        signed("a wrong issuer", good().claim("iss", format!("https://{CANARY}.example"))),
        signed("no issuer", good().without("iss")),
        signed("a wrong audience", good().claim("aud", CANARY)),
        signed("a producer's audience", good().claim("aud", crate::token::PRODUCERS)),
        signed("no audience", good().without("aud")),
        signed("expired", good().claim("iat", now() - 7200).claim("exp", now() - 3600)),
        signed("no expiry", good().without("exp")),
        signed("not yet valid", good().claim("nbf", now() + 3600)),
        signed("issued in the future", good().claim("iat", now() + 3600).claim("exp", now() + 7200)),
        signed("good for longer than logouts are remembered", good().claim("exp", now() + 365 * 86_400)),
        signed("no user", good().without("sub")),
        signed("a user that is no id", good().claim("sub", format!("{CANARY}\n"))),
        signed("an expiry that is text", good().claim("exp", (now() + 3600).to_string())),
    ];
    // The token that a verifier would accept if it took the algorithm from the token and used the public key as a
    // secret.
    for (what, secret) in public_secrets(&public) {
        let header = json!({ "alg": "HS256", "kid": key.kid() });
        let text = unsigned(&header, &good());
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), text.as_bytes());
        forgeries.push(of(what, format!("{text}.{}", URL_SAFE_NO_PAD.encode(tag))));
    }
    forgeries
}

fn other_key() -> SigningKey {
    SigningKey::generate().expect("a key")
}

fn unsigned(header: &Value, token: &Token) -> String {
    let claims = Value::Object(token.claims().clone());
    format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
}

fn encoded(header: &Value, token: &Token, signature: &[u8]) -> String {
    format!("{}.{}", unsigned(header, token), URL_SAFE_NO_PAD.encode(signature))
}

/// Signed with one key and naming another. The signature fits only the other header.
fn under_another_name(token: &Token, key: &SigningKey, kid: &str) -> String {
    let signed = token.sign_with(key);
    let signature = signed.rsplit('.').next().expect("three parts");
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": kid });
    format!("{}.{signature}", unsigned(&header, token))
}

fn tampered(token: &Token) -> String {
    let good = token.sign();
    let parts: Vec<&str> = good.split('.').collect();
    let changed = Value::Object(token.clone().roles(&["superadmin"]).claims().clone());
    format!("{}.{}.{}", parts[0], URL_SAFE_NO_PAD.encode(changed.to_string()), parts[2])
}

fn critical(token: &Token) -> String {
    let header = json!({ "alg": "RS256", "kid": development_key().kid(), "crit": ["b64"], "b64": false });
    encoded(&header, token, &[7; 256])
}

/// The byte forms in which the public key may be stored.
fn public_secrets(public: &PublicJwk) -> Vec<(&'static str, Vec<u8>)> {
    let bytes = |text: &str| URL_SAFE_NO_PAD.decode(text).expect("base64url");
    let der = subject_public_key_info(&bytes(&public.n), &bytes(&public.e));
    let body = STANDARD.encode(&der);
    let lines: Vec<&str> = body.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("ASCII")).collect();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", lines.join("\n"));
    vec![
        ("HS256 with the public key as PEM", pem.clone().into_bytes()),
        ("HS256 with the public key as PEM without the last newline", pem.trim_end().as_bytes().to_vec()),
        ("HS256 with the public key as DER", der),
        ("HS256 with the modulus", bytes(&public.n)),
        ("HS256 with the modulus as text", public.n.clone().into_bytes()),
        ("HS256 with the JWK", serde_json::to_vec(public).expect("JSON")),
        ("HS256 with nothing", Vec::new()),
    ]
}

/// An RSA key in X.509's form (RFC 5280 section 4.1).
fn subject_public_key_info(n: &[u8], e: &[u8]) -> Vec<u8> {
    const RSA_ENCRYPTION: [u8; 15] = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0];
    let key = element(0x30, &[integer(n), integer(e)].concat());
    let bits = element(0x03, &[&[0][..], &key].concat());
    element(0x30, &[&RSA_ENCRYPTION[..], &bits].concat())
}

fn integer(bytes: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if bytes.first().is_some_and(|byte| byte & 0x80 != 0) { &[0] } else { &[] };
    element(0x02, &[sign, bytes].concat())
}

fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    match length {
        ..0x80 => bytes.push(u8::try_from(length).expect("short")),
        _ => {
            let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|digit| *digit == 0).collect();
            bytes.push(0x80 | u8::try_from(digits.len()).expect("few"));
            bytes.extend(digits);
        }
    }
    bytes.extend(content);
    bytes
}
