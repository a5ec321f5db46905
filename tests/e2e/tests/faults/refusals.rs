//! A server that refuses a node: the node does not start, and says what would be right.

use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::{Node, Settings};
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{StartError, skip};

/// A server with additional configuration.
async fn server(test: &str, more: &'static str) -> Option<NatsServer> {
    match NatsServer::start_with(Version::Current, |_| more.to_owned()).await {
        Ok(server) => Some(server),
        Err(StartError::Missing(why)) => {
            skip(test, &why);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Starts a node and waits for its end, which must have a sentence with one of these texts; returns its output.
async fn refused(server: &NatsServer, more: &str, words: &[&str]) -> String {
    let lines = format!("url = \"nats://{}\"\n{more}", server.address());
    let mut node = Node::prepare(Settings::default().broker(&lines).secret(SECRET));
    std::fs::write(node.folder().join("password"), "wrong").expect("written");
    node.launch();
    let status = node.end().await;
    let log = node.log();
    assert!(matches!(status.code(), Some(1 | 3)), "{status}:\n{log}");
    let last = log.lines().last().unwrap_or_default();
    assert!(words.iter().any(|word| last.contains(word)), "{last}");
    log
}

#[tokio::test]
async fn wrong_credentials_are_named() {
    let Some(server) = server("wrong credentials", "authorization { user: fanfare, password: right }").await else {
        return;
    };
    let more = "[broker.nats]\nuser = \"fanfare\"\npassword_file = \"password\"\n";
    refused(&server, more, &["login", "password"]).await;
}

#[tokio::test]
async fn a_stream_with_other_subjects_is_named() {
    let Some(server) = server("a stream with other subjects", "").await else { return };
    let client = async_nats::connect(server.address()).await.expect("a connection");
    let other = async_nats::jetstream::stream::Config {
        name: "fanfare-events".to_owned(),
        subjects: vec!["other.>".to_owned()],
        ..Default::default()
    };
    async_nats::jetstream::new(client).create_stream(other).await.expect("a stream");
    let said = refused(&server, "", &["subject"]).await;
    assert!(said.contains("events.>"), "it says what would be right: {said}");
}
