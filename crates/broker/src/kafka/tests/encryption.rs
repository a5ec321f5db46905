//! TLS, on a server that asks its clients for certificates.

use std::path::Path;
use std::time::Duration;

use fanfare_test_servers::StartError;
use fanfare_test_servers::certificates::Certificates;
use fanfare_test_servers::kafka::KafkaServer;
use tempfile::TempDir;

use super::{event, open, options, take};
use crate::broker::Broker;
use crate::error::BrokerError;
use crate::kafka::Options;
use crate::position::Position;

/// A server with a certificate from its own authority.
async fn encrypted(certificates: &Certificates, folder: &Path) -> Result<KafkaServer, StartError> {
    let (certificate, key) = &certificates.server;
    let read = |path: &Path| std::fs::read_to_string(path).expect("written a moment ago");
    let store = folder.join("store.pem");
    std::fs::write(&store, read(key) + &read(certificate)).expect("written");
    let more = format!(
        "listener.security.protocol.map=CLIENTS:SSL,CONTROLLER:PLAINTEXT\nssl.client.auth=required\n\
         ssl.keystore.type=PEM\nssl.keystore.location={}\nssl.truststore.type=PEM\nssl.truststore.location={}",
        store.display(),
        certificates.ca.display()
    );
    KafkaServer::start_with(&more).await
}

/// The settings of a client with these certificates.
fn with(certificates: &Certificates, server: &str) -> Options {
    let path = |path: &Path| path.display().to_string();
    let properties = [
        ("security.protocol", "SSL".to_owned()),
        ("ssl.ca.location", path(&certificates.ca)),
        ("ssl.certificate.location", path(&certificates.client.0)),
        ("ssl.key.location", path(&certificates.client.1)),
    ];
    let properties = properties.map(|(name, value)| (name.to_owned(), value)).into();
    Options { properties, request_timeout: Duration::from_secs(2), ..options(server) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_carries_events_and_other_certificates_are_refused() {
    let folders = [(); 2].map(|()| TempDir::new().expect("a folder"));
    let [ours, others] = [&folders[0], &folders[1]].map(|folder| Certificates::write(folder.path()));
    let server = match encrypted(&ours, folders[0].path()).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return crate::contract::skip("kafka::encryption", &why),
        Err(failed) => panic!("{failed}"),
    };
    let kafka = open(&with(&ours, &server.address()));
    kafka.publish(event("1")).await.expect("published");
    let first = Position::start(kafka.head().await.expect("a head").incarnation());
    let mut reader = kafka.read(&first).await.expect("a reader");
    assert_eq!(take(&mut reader, 1).await[0].message.id, "1");

    let strange = open(&with(&others, &server.address())).head().await.expect_err("refused");
    let said = strange.to_string();
    assert!(matches!(strange, BrokerError::Refused(_)) && said.contains("certificates"), "{said}");
    // A client that does not encrypt at all.
    let plain = Options { request_timeout: Duration::from_secs(2), ..options(&server.address()) };
    let plain = open(&plain).head().await.expect_err("no answer");
    assert!(matches!(plain, BrokerError::Unavailable(_)), "{plain}");
    kafka.close().await;
}
