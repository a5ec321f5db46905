//! Faults that waiting does not fix are reported in a sentence: what is there, and what would be right.

use fanfare_test_servers::nats::Version;

use super::super::{Login, Nats, OpenError, Options};
use super::event;
use super::server::Server;
use crate::broker::Broker;
use crate::error::{BrokerError, PublishError};

/// The broker's error on first use.
async fn refused(nats: &Nats) -> String {
    match nats.head().await {
        Err(BrokerError::Refused(said)) => said,
        other => panic!("must be refused, got {other:?}"),
    }
}

async fn not_stored(nats: &Nats) -> String {
    match nats.publish(event("1")).await {
        Err(PublishError::NotStored(said)) => said,
        other => panic!("must not be stored, got {other:?}"),
    }
}

fn has(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{part:?} is missing in: {said}");
    }
}

#[tokio::test]
async fn a_wrong_password() {
    let server = Server::configured("a_wrong_password", |_| "authorization { user: fanfare, password: right }".into());
    let Some(server) = server.await else { return };
    let login = |password: &str| Login::Password { user: "fanfare".into(), password: password.into() };
    let nats = server.nats(|o| o.login = login("wrong"));
    has(&refused(&nats).await, &["does not accept this login"]);
    has(&not_stored(&nats).await, &["does not accept this login"]);
    has(&refused(&server.nats(|_| {})).await, &["none is configured"]);
    server.nats(|o| o.login = login("right")).head().await.expect("is let in");
}

#[tokio::test]
async fn a_password_that_is_changed_while_we_are_connected() {
    let test = "a_password_that_is_changed_while_we_are_connected";
    let server = Server::configured(test, |_| "authorization { user: a, password: before }".into()).await;
    let Some(server) = server else { return };
    let nats = server.nats(|o| o.login = Login::Password { user: "a".into(), password: "before".into() });
    let head = nats.head().await.expect("is let in");
    let mut reader = nats.read(&head).await.expect("a reader");
    {
        let mut process = server.process().await;
        process.kill();
        process.configure("authorization { user: a, password: after }");
        process.start_again().await.expect("starts again");
    }
    let said = loop {
        match reader.next().await {
            Err(BrokerError::Unavailable(_)) => {}
            Err(BrokerError::Refused(said)) => break said,
            other => panic!("{other:?}"),
        }
    };
    has(&said, &["does not accept this login"]);
}

#[tokio::test]
async fn a_missing_stream_that_may_not_be_made() {
    let Some(server) = Server::current("a_missing_stream_that_may_not_be_made").await else { return };
    let nats = server.nats(|o| o.create = false);
    let said = refused(&nats).await;
    has(&said, &["there is no stream fanfare-", "configured not to create it", "limits retention"]);
    has(&not_stored(&nats).await, &["there is no stream fanfare-"]);
}

#[tokio::test]
async fn a_missing_stream_without_the_right_to_make_it() {
    let rights = r#"authorization { users: [{ user: a, password: a, permissions: {
        publish: ["events.>", "state.>", "$JS.API.STREAM.INFO.*"], subscribe: "_INBOX.>" } }] }"#;
    let test = "a_missing_stream_without_the_right_to_make_it";
    let Some(server) = Server::configured(test, |_| rights.into()).await else { return };
    let nats = server.nats(|o| o.login = Login::Password { user: "a".into(), password: "a".into() });
    let said = refused(&nats).await;
    has(&said, &["there is no stream fanfare-", "may not create it", "$JS.API.STREAM.CREATE.fanfare-", "it needs"]);
}

#[tokio::test]
async fn no_right_to_publish_or_to_be_answered() {
    let rights = r#"authorization { users: [
        { user: node, password: a },
        { user: mute, password: a, permissions: { publish: ["$JS.API.>"], subscribe: "_INBOX.>" } },
        { user: deaf, password: a, permissions: { publish: ">", subscribe: "none" } }] }"#;
    let Some(server) = Server::configured("no_right_to_publish_or_to_be_answered", |_| rights.into()).await else {
        return;
    };
    let login = |user: &str| Login::Password { user: user.into(), password: "a".into() };
    server.nats(|o| o.login = login("node")).head().await.expect("makes the streams");
    let mute = server.nats(|o| o.login = login("mute"));
    // Other subjects may be allowed.
    let foreign = mute.publish(event("1")).await.expect_err("may not publish");
    assert!(matches!(foreign, PublishError::Refused(_)), "{foreign:?}");
    has(&foreign.to_string(), &["may not use the subject events.acme.license.LicenseUpdated"]);
    let deaf = server.nats(|o| o.login = login("deaf"));
    has(&refused(&deaf).await, &["may not subscribe to _INBOX.>"]);
    // The server sends that once per connection.
    has(&refused(&deaf).await, &["may not subscribe to _INBOX.>"]);
    has(&not_stored(&deaf).await, &["may not subscribe to _INBOX.>"]);
}

/// Missing streams are created whatever the others are like.
async fn remove_all(server: &Server) {
    for stream in ["events", "state", "deadletter", "nodes"] {
        server.operate(&format!("STREAM.DELETE.fanfare-{stream}"), "").await;
    }
}

#[tokio::test]
async fn streams_that_are_not_as_they_must_be() {
    for version in [Version::Current, Version::Debian] {
        let server = Server::start(version, |_| {}).await;
        if let Some(why) = crate::contract::Fixture::missing(&server) {
            fanfare_test_servers::skip("streams_that_are_not_as_they_must_be", &why);
            continue;
        }
        let limits = r#""retention":"limits","storage":"file""#;
        let hour = 3_600_000_000_000u64;
        let cases = [
            (
                "events",
                r#""subjects":["orders.>"]"#.to_owned(),
                vec!["has the subjects orders.>", "events.> and no other"],
            ),
            (
                "events",
                r#""subjects":["events.>","orders.>"]"#.to_owned(),
                vec!["has the subjects events.>, orders.>", "events.> and no other"],
            ),
            (
                "events",
                r#""mirror":{"name":"elsewhere"}"#.to_owned(),
                vec!["is a mirror of elsewhere", "events.> and no other", "elsewhere among its `sources`"],
            ),
            (
                "events",
                r#""subjects":["events.>"],"max_age":60000000000"#.to_owned(),
                vec!["a max_age of 60s", "replay window of 600s"],
            ),
            (
                "events",
                r#""subjects":["events.>"],"max_msgs_per_subject":1"#.to_owned(),
                vec!["at most 1 messages per subject", "no such limit"],
            ),
            ("state", r#""subjects":["state.>"]"#.to_owned(), vec!["max_msgs_per_subject -1", "must have 1"]),
            (
                "state",
                format!(r#""subjects":["state.>"],"max_msgs_per_subject":1,"max_age":{hour}"#),
                vec!["a max_age of 3600s", "none"],
            ),
            (
                "state",
                r#""subjects":["state.>"],"max_msgs_per_subject":1,"max_msgs":10"#.to_owned(),
                vec!["a limit of messages", "none"],
            ),
            ("deadletter", r#""subjects":["fanfare.deadletter.>"]"#.to_owned(), vec!["must have 1"]),
            ("nodes", r#""subjects":["fanfare.nodes.>"]"#.to_owned(), vec!["max_msgs_per_subject -1", "must have 1"]),
        ];
        for (stream, config, said) in cases {
            let name = format!("fanfare-{stream}");
            let config = format!(r#"{{"name":"{name}",{limits},{config}}}"#);
            let made = server.operate(&format!("STREAM.CREATE.{name}"), &config).await;
            assert!(!made.contains("\"error\""), "{made}");
            has(&refused(&server.nats(|_| {})).await, &[&[format!("stream {name} has").as_str()], &said[..]].concat());
            remove_all(&server).await;
        }
        let queue = r#"{"name":"fanfare-events","subjects":["events.>"],"retention":"workqueue","storage":"file"}"#;
        server.operate("STREAM.CREATE.fanfare-events", queue).await;
        has(&refused(&server.nats(|_| {})).await, &["workqueue retention", "limits retention"]);
        remove_all(&server).await;
        server.operate("STREAM.CREATE.theirs", r#"{"name":"theirs","subjects":["events.acme.>"]}"#).await;
        has(&refused(&server.nats(|_| {})).await, &["subjects events.> are taken by stream theirs"]);
    }
}

/// A reader that may create a consumer but not pull from it reports that, instead of trying forever.
#[tokio::test]
async fn no_right_to_pull() {
    let rights = r#"authorization { users: [{ user: operator, password: a }, { user: node, password: a, permissions: {
        publish: ["$JS.API.STREAM.>", "$JS.API.CONSUMER.CREATE.>"], subscribe: "_INBOX.>" } }] }"#;
    let Some(server) = Server::configured("no_right_to_pull", |_| rights.into()).await else { return };
    let login = |user: &str| Login::Password { user: user.into(), password: "a".into() };
    server.nats(|o| o.login = login("operator")).publish(event("1")).await.expect("published");
    let node = server.nats(|o| o.login = login("node"));
    let first = crate::Position::start(node.head().await.expect("a head").incarnation());
    let mut reader = node.read(&first).await.expect("a reader");
    for _ in 0..2 {
        match reader.next().await {
            Err(BrokerError::Refused(said)) => has(&said, &["may not use the subject $JS.API.CONSUMER.MSG.NEXT."]),
            other => panic!("must be refused, got {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_without_jetstream() {
    let Some(server) = Server::current("a_server_without_jetstream").await else { return };
    {
        let mut process = server.process().await;
        process.kill();
        process.configure_alone("");
        process.start_again().await.expect("starts again");
    }
    has(&refused(&server.nats(|_| {})).await, &["without JetStream"]);
}

#[tokio::test]
async fn options_that_cannot_be_used() {
    type Fault = fn(&mut Options);
    let faults: [(Fault, &str); 7] = [
        (|o| o.servers.clear(), "no NATS server is given"),
        (|o| o.servers = vec!["http://a b".into()], "a server is host:port"),
        (|o| o.prefix = "a.b".into(), "\"a.b\" is not 1 to 32 letters"),
        (|o| o.replicas = 6, "6 replicas; a stream has 1 to 5"),
        (|o| o.retention_age = std::time::Duration::from_secs(1), "longer than events are kept"),
        (|o| o.login = Login::CredentialsFile("missing.creds".into()), "missing.creds: "),
        (|o| o.login = Login::CredentialsFile(file!().into()), "refusals.rs"),
    ];
    for (fault, said) in faults {
        let mut options = Options::default();
        fault(&mut options);
        let error: OpenError = Nats::open(options).err().expect("refused");
        has(&error.to_string(), &[said]);
    }
}

#[test]
fn secrets_are_in_no_log() {
    for login in [
        Login::Token("canary".into()),
        Login::Nkey("canary".into()),
        Login::Password { user: "a".into(), password: "canary".into() },
    ] {
        let options = Options { login, ..Options::default() };
        assert!(!format!("{options:?}").contains("canary"));
    }
}
