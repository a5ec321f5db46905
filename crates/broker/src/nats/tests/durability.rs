//! Servers and streams that may lose acknowledged messages are refused or reported.

use fanfare_test_servers::nats_version::pretend;

use super::super::{Nats, Options};
use super::server::Server;
use crate::broker::Broker;
use crate::condition::RiskKind;
use crate::error::BrokerError;

async fn refused(nats: &Nats) -> String {
    match nats.head().await {
        Err(BrokerError::Refused(said)) => said,
        other => panic!("must be refused, got {other:?}"),
    }
}

#[tokio::test]
async fn a_stream_that_acknowledges_what_it_has_not_kept_is_refused() {
    let Some(server) = Server::current("a_stream_that_acknowledges_what_it_has_not_kept").await else { return };
    let config = r#"{"name":"fanfare-events","subjects":["events.>"],"retention":"limits","storage":"file",
        "persist_mode":"async"}"#;
    let made = server.operate("STREAM.CREATE.fanfare-events", config).await;
    assert!(!made.contains("\"error\""), "{made}");
    let said = refused(&server.nats(|_| {})).await;
    assert!(said.contains("fanfare-events has persist_mode async") && said.contains("default"), "{said}");
}

#[tokio::test]
async fn one_replica_is_reported_and_refused_if_strict() {
    let Some(server) = Server::current("one_replica_is_told").await else { return };
    let nats = server.nats(|_| {});
    assert!(nats.condition().await.risks.is_empty(), "nothing is known yet");
    nats.head().await.expect("a head");
    let risks = nats.condition().await.risks;
    assert_eq!(risks.iter().map(|risk| risk.kind).collect::<Vec<_>>(), [RiskKind::Replicas; 2]);
    assert!(risks[0].reason.contains("fanfare-events has 1 replica"), "{risks:?}");
    let said = refused(&server.nats(|o| o.strict = true)).await;
    assert!(said.contains("has 1 replica") && said.contains("strict"), "{said}");
}

#[tokio::test]
async fn a_version_that_loses_streams_is_refused() {
    for (version, right) in [("2.10.21", "2.10.23"), ("2.8.4", "2.9")] {
        let nats = Nats::open(Options::new([pretend(version).await])).expect("opens");
        let said = refused(&nats).await;
        assert!(said.contains(version) && said.contains(right), "{said}");
    }
}
