//! Signing keys, compared with another implementation, and their files.

// A failing helper should end the test.
#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Barrier};

use fanfare_token::{KeyError, KeyFileError, SigningKey};
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde_json::Value;
use support::{AUDIENCE, ISSUER, claims, key, verify};

#[test]
fn another_implementation_accepts_what_is_signed() {
    let token = key(0).sign(&claims()).unwrap();
    let jwk = key(0).jwk();
    let decoding = DecodingKey::from_rsa_components(&jwk.n, &jwk.e).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[AUDIENCE]);
    validation.set_issuer(&[ISSUER]);
    let decoded = jsonwebtoken::decode::<Value>(&token, &decoding, &validation).unwrap();
    assert_eq!(decoded.claims, claims());
    assert_eq!((decoded.header.kid.as_deref(), decoded.header.typ.as_deref()), (Some(key(0).kid()), Some("JWT")));
}

#[tokio::test]
async fn what_another_implementation_signs_is_accepted() {
    let mut header = Header::new(Algorithm::RS256);
    header.kid = Some(key(0).kid().into());
    let encoding = EncodingKey::from_rsa_pem(key(0).to_pkcs8_pem().unwrap().as_bytes()).unwrap();
    let token = jsonwebtoken::encode(&header, &claims(), &encoding).unwrap();
    assert_eq!(verify(&token).await.unwrap().user.as_str(), "alice");
}

#[test]
fn the_key_id_is_the_thumbprint() {
    let jwk: Jwk = serde_json::from_value(serde_json::to_value(key(0).jwk()).unwrap()).unwrap();
    assert!(matches!(jwk.algorithm, AlgorithmParameters::RSA(_)));
    assert_eq!(jwk.thumbprint(ThumbprintHash::SHA256).unwrap(), key(0).kid());
}

#[test]
fn a_key_survives_its_pem() {
    let pem = key(0).to_pkcs8_pem().unwrap();
    assert!(pem.lines().all(|line| line.len() <= 64));
    let read = SigningKey::from_pkcs8_pem(&pem).unwrap();
    assert_eq!((read.kid(), read.to_pkcs8_pem().unwrap()), (key(0).kid(), pem.clone()));
    let windows = format!("a comment\r\n{}", pem.replace('\n', "\r\n"));
    assert_eq!(SigningKey::from_pkcs8_pem(&windows).unwrap().kid(), key(0).kid());
}

#[test]
fn other_texts_are_no_keys() {
    let pem = key(0).to_pkcs8_pem().unwrap();
    for text in ["", "key", &pem[..200], &pem.replace("PRIVATE", "PUBLIC"), &pem.replace("MII", "M!!")] {
        assert_eq!(SigningKey::from_pkcs8_pem(text).err(), Some(KeyError::NotPem), "{text}");
    }
    let elliptic = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n";
    assert_eq!(SigningKey::from_pkcs8_pem(elliptic).err(), Some(KeyError::NotRsa));
}

#[test]
fn a_key_shows_nothing_of_itself() {
    let shown = format!("{:?}", key(0));
    assert!(shown.contains(key(0).kid()) && shown.len() < 100, "{shown}");
}

#[test]
fn a_key_file_is_made_once_and_only_for_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/current.pem");
    let made = SigningKey::load_or_create(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(SigningKey::load_or_create(&path).unwrap().kid(), made.kid());
    assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing is left over");
}

#[test]
fn processes_that_start_together_agree_on_one_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = Arc::new(folder.path().join("current.pem"));
    let barrier = Arc::new(Barrier::new(4));
    let starting: Vec<_> = (0..4)
        .map(|_| {
            let (path, barrier) = (Arc::clone(&path), Arc::clone(&barrier));
            std::thread::spawn(move || {
                barrier.wait();
                SigningKey::load_or_create(&path).unwrap().kid().to_owned()
            })
        })
        .collect();
    let mut kids: Vec<String> = starting.into_iter().map(|thread| thread.join().unwrap()).collect();
    kids.dedup();
    assert_eq!(kids.len(), 1);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_holds_no_key_is_reported_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("current.pem");
    std::fs::write(&path, "not a key").unwrap();
    let error = SigningKey::load_or_create(&path).unwrap_err();
    assert!(matches!(error, KeyFileError::Key { source: KeyError::NotPem, .. }));
    assert!(error.to_string().contains("current.pem"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "not a key");
    let unwritable = SigningKey::load_or_create(&path.join("below")).unwrap_err();
    assert!(matches!(unwritable, KeyFileError::Io { .. }), "{unwritable}");
}
