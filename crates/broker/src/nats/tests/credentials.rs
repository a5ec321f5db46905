//! A credentials file, as `nsc` writes it: the server trusts an operator, who signs for an account, which signs for the
//! user.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use nkeys::KeyPair;
use serde_json::{Value, json};

use super::super::{Login, Nats, Options};
use super::event;
use super::server::Server;
use crate::broker::Broker;
use crate::error::BrokerError;

/// A claim about `subject`, signed by `issuer`.
fn claim(issuer: &KeyPair, subject: &KeyPair, name: &str, nats: &Value) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let header = encode(&json!({ "typ": "JWT", "alg": "ed25519-nkey" }));
    let claims = encode(&json!({
        "jti": name, "iat": 1_700_000_000, "iss": issuer.public_key(), "sub": subject.public_key(), "name": name,
        "nats": nats,
    }));
    let signed = format!("{header}.{claims}");
    let signature = issuer.sign(signed.as_bytes()).expect("signed");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn account(storage: i64) -> Value {
    json!({
        "limits": {
            "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true, "conn": -1,
            "leaf": -1, "mem_storage": storage, "disk_storage": storage, "streams": storage, "consumer": storage,
        },
        "default_permissions": { "pub": {}, "sub": {} }, "type": "account", "version": 2,
    })
}

fn file(account: &KeyPair, user: &KeyPair) -> String {
    let rights = json!({ "pub": {}, "sub": {}, "subs": -1, "data": -1, "payload": -1, "type": "user", "version": 2 });
    let jwt = claim(account, user, "node", &rights);
    let seed = user.seed().expect("a seed");
    format!(
        "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
    )
}

#[tokio::test]
async fn a_credentials_file() {
    let (operator, system, ours) = (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_account());
    let config = format!(
        "operator: {}\nsystem_account: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {}, {}: {} }}",
        claim(&operator, &operator, "operator", &json!({ "type": "operator", "version": 2 })),
        system.public_key(),
        system.public_key(),
        claim(&operator, &system, "system", &account(0)),
        ours.public_key(),
        claim(&operator, &ours, "ours", &account(-1)),
    );
    let Some(server) = Server::configured("a_credentials_file", |_| config.clone()).await else { return };
    let folder = tempfile::TempDir::new().expect("a folder");
    let open = |name: &str, text: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        Nats::open(Options { login: Login::CredentialsFile(path), ..Options::new([server.address()]) })
    };
    let nats = open("ours.creds", file(&ours, &KeyPair::new_user())).expect("opens");
    nats.publish(event("1")).await.expect("published");
    // An account that the operator does not know.
    let stranger = open("stranger.creds", file(&KeyPair::new_account(), &KeyPair::new_user())).expect("opens");
    assert!(matches!(stranger.head().await, Err(BrokerError::Refused(_))));
    // An account without JetStream.
    let without = open("system.creds", file(&system, &KeyPair::new_user())).expect("opens");
    match without.head().await {
        Err(BrokerError::Refused(said)) => assert!(said.contains("JetStream"), "{said}"),
        other => panic!("{other:?}"),
    }
}
