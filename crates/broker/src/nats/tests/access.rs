//! Encrypted connections, and logins other than a password.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use fanfare_test_servers::certificates::Certificates;
use fanfare_test_servers::nats::{DOCUMENTED_RIGHTS, NatsServer, Version};

use super::super::{Login, Nats, Options, Tls};
use super::server::Server;
use super::{event, state};
use crate::broker::Broker;
use crate::error::{BrokerError, PublishError};
use crate::letter::DeadLetter;
use crate::message::Message;
use crate::node_record::NodeRecord;
use crate::position::Position;

/// A server that requires a client certificate.
async fn encrypted(test: &str, version: Version) -> Option<(NatsServer, Certificates)> {
    let made = Mutex::new(None);
    let config = |folder: &Path| {
        let certificates = Certificates::write(folder);
        let (certificate, key) = &certificates.server;
        let ca = &certificates.ca;
        let config = format!("tls {{ cert_file: {certificate:?}, key_file: {key:?}, ca_file: {ca:?}, verify: true }}");
        *made.lock().expect("not poisoned") = Some(certificates);
        config
    };
    match NatsServer::start_with(version, config).await {
        Ok(server) => Some((server, made.into_inner().expect("not poisoned")?)),
        Err(fanfare_test_servers::StartError::Missing(why)) => {
            fanfare_test_servers::skip(test, &why);
            None
        }
        Err(failed) => panic!("{failed}"),
    }
}

async fn refused(nats: &Nats) -> String {
    match nats.head().await {
        Err(BrokerError::Refused(said)) => said,
        other => panic!("must be refused, got {other:?}"),
    }
}

#[tokio::test]
async fn certificates_of_both_sides() {
    for version in [Version::Current, Version::Debian] {
        let Some((server, certificates)) = encrypted("certificates_of_both_sides", version).await else { continue };
        let open = |tls: Option<Tls>| {
            let options = Options { tls, ..Options::new([server.address()]) };
            Nats::open(options).expect("opens")
        };
        let tls = Tls { ca_file: Some(certificates.ca.clone()), certificate: Some(certificates.client.clone()) };
        let nats = open(Some(tls.clone()));
        let published = nats.publish(event("1")).await.expect("published");
        assert!(nats.head().await.expect("a head").covers(published.partition, published.offset));
        // No known authority has signed the server's certificate.
        let said = refused(&open(None)).await;
        assert!(said.contains("certificate"), "{said}");
        // Another authority has signed another certificate.
        let folder = tempfile::TempDir::new().expect("a folder");
        let others = Certificates::write(folder.path());
        let said = refused(&open(Some(Tls { ca_file: Some(others.ca.clone()), ..tls.clone() }))).await;
        assert!(said.contains("no encrypted connection"), "{said}");
        // The server requires a client certificate.
        let said = refused(&open(Some(Tls { certificate: None, ..tls.clone() }))).await;
        assert!(said.contains("no encrypted connection"), "{said}");
        let said = refused(&open(Some(Tls { certificate: Some(others.client), ..tls }))).await;
        assert!(said.contains("no encrypted connection"), "{said}");
    }
}

#[tokio::test]
async fn files_that_hold_no_certificate() {
    let folder = tempfile::TempDir::new().expect("a folder");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").expect("written");
    for (file, said) in
        [(empty, "holds no certificate in PEM form"), (folder.path().join("missing.pem"), "missing.pem")]
    {
        let tls = Some(Tls { ca_file: Some(file), certificate: None });
        let error = Nats::open(Options { tls, ..Options::default() }).err().expect("refused").to_string();
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn a_token() {
    let server = Server::configured("a_token", |_| "authorization { token: \"s3cret\" }".into()).await;
    let Some(server) = server else { return };
    server.nats(|o| o.login = Login::Token("s3cret".into())).head().await.expect("is let in");
    refused(&server.nats(|o| o.login = Login::Token("other".into()))).await;
}

#[tokio::test]
async fn an_nkey() {
    let keys = nkeys::KeyPair::new_user();
    let users = format!("authorization {{ users: [{{ nkey: {} }}] }}", keys.public_key());
    let Some(server) = Server::configured("an_nkey", |_| users.clone()).await else { return };
    let login = |keys: &nkeys::KeyPair| Login::Nkey(keys.seed().expect("a seed"));
    server.nats(|o| o.login = login(&keys)).head().await.expect("is let in");
    refused(&server.nats(|o| o.login = login(&nkeys::KeyPair::new_user()))).await;
}

/// The documented rights are enough, and a producer cannot publish as another.
#[tokio::test]
async fn the_documented_rights_are_enough() {
    let Some(server) = Server::configured("the_documented_rights_are_enough", |_| DOCUMENTED_RIGHTS.into()).await
    else {
        return;
    };
    let open = |user: &str| {
        let login = Login::Password { user: user.into(), password: "a".into() };
        server.nats(|o| (o.login, o.create) = (login, user == "operator"))
    };
    open("operator").head().await.expect("makes the streams");
    let (node, producer) = (open("node"), open("license"));
    let first = Position::start(node.head().await.expect("a head").incarnation());
    for n in 0..3 {
        producer.publish(event(&n.to_string())).await.expect("published");
    }
    producer.publish(state("k", "state")).await.expect("published");
    assert!(producer.publish(event("1")).await.expect("published").duplicate);
    // A producer can also find out whether the log has lost its end.
    let ends = producer.ends().await.expect("the ends");
    assert_eq!(ends.offsets(), [(0, 3), (1, 1)]);
    assert_eq!(ends.incarnation(), node.head().await.expect("a head").incarnation());
    let foreign = Message { topic: "auth.UserLoggedOut".into(), ..event("foreign") };
    let refused = producer.publish(foreign).await.expect_err("refused");
    assert!(matches!(&refused, PublishError::Refused(said) if said.contains("may not use")), "{refused}");

    let window = node.window(Duration::from_secs(600), 2).await.expect("a window");
    assert_eq!(window.offset(0), Some(1));
    let mut reader = node.read(&first).await.expect("a reader");
    let mut records = Vec::new();
    while records.len() < 4 {
        records.extend(reader.next().await.expect("a batch"));
    }
    assert_eq!(node.state().await.expect("a reader").next().await.expect("a batch").len(), 1);
    assert!(node.record_at(0, 1).await.expect("an answer").is_some());
    for record in &records {
        node.dead_letter(DeadLetter::new(record, "unreadable", 1)).await.expect("kept");
    }
    assert_eq!(node.dead_letters(10).await.expect("letters").len(), 4);
    assert_eq!(node.dead_letters_before(None, 2).await.expect("letters").len(), 2);
    let lease = NodeRecord { node: "a".into(), what: "lease".into(), body: "1".into() };
    node.tell_nodes(lease.clone()).await.expect("kept");
    let mut told = node.read_nodes().await.expect("a reader");
    assert_eq!(told.next().await.expect("records"), std::slice::from_ref(&lease));
    let refused = producer.tell_nodes(lease).await.expect_err("no right");
    assert!(refused.to_string().contains("fanfare-nodes"), "{refused}");
}
