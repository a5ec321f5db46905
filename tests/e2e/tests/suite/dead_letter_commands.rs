//! `fanfare deadletters`: records that no node could use are listed, shown and published again.

use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::process::Outcome;
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Request, Settings, Token};
use fanfare_test_servers::kafka::KafkaServer;
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{StartError, skip};
use serde_json::{Value, json};

/// A version of the license event that only some nodes know.
const NEWER: &str = r#"{ "type": "record", "name": "LicenseUpdated", "namespace": "fanfare.license", "fields": [
    { "name": "org", "type": "string", "aliases": ["org_id"] },
    { "name": "plan", "type": "string" },
    { "name": "seats", "type": "int" },
    { "name": "expires_at", "type": ["null", { "type": "long", "logicalType": "timestamp-millis" }], "default": null },
    { "name": "note", "type": "string", "default": "" } ] }"#;

const NEWER_PATH: &str = "license/LicenseUpdated.v3.avsc";

/// A type that is never published, so that the folder of schemas is never empty.
const OTHER: &str = r#"{ "type": "record", "name": "Nothing", "fields": [{ "name": "org", "type": "string" }] }"#;

/// A node whose schemas are added and removed.
struct Rollout {
    node: Node,
}

impl Rollout {
    /// A node that knew the newer version and has stored such an event, and now has only the older version.
    async fn too_early(mut settings: Settings, note: &str) -> Self {
        settings.schemas = vec![("test/Nothing.v1.avsc".into(), OTHER.into()), (NEWER_PATH.into(), NEWER.into())];
        let mut rollout = Self { node: Node::start_with(settings).await };
        let body = json!({ "org": "acme", "plan": "pro", "seats": 5, "note": note });
        rollout.node.publish(&[NewEvent::new("license.LicenseUpdated", "too-early", &body)]).await;
        rollout.node.stop().await;
        std::fs::remove_file(rollout.schema()).expect("removed");
        rollout.node.start().await;
        rollout
    }

    /// Adds the newer version to the node.
    async fn finish(&mut self) {
        self.node.stop().await;
        std::fs::write(self.schema(), NEWER).expect("written");
        self.node.start().await;
    }

    fn schema(&self) -> std::path::PathBuf {
        self.node.folder().join("schemas").join(NEWER_PATH)
    }

    async fn letters(&self, arguments: &[&str]) -> Outcome {
        letters(&self.node, arguments).await
    }
}

/// Runs a command with the subcommand before the configuration.
async fn letters(node: &Node, arguments: &[&str]) -> Outcome {
    let (first, rest) = arguments.split_first().expect("a subcommand");
    let mut command = fanfare_e2e_tests::process::command("fanfare");
    command.args(["deadletters", first, "--config"]).arg(node.config()).args(rest);
    fanfare_e2e_tests::process::run(command).await
}

/// The letters in the command's list, once there are some.
async fn listed(node: &Node) -> Vec<Value> {
    until("a dead letter", async || {
        let outcome = letters(node, &["list", "--json"]).await;
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        let lines = outcome.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON"));
        Some(lines.collect::<Vec<Value>>()).filter(|letters| !letters.is_empty())
    })
    .await
}

#[tokio::test]
async fn an_event_that_came_before_its_schema_is_published_again() {
    from_rollout_to_replay(Settings::default()).await;
}

#[tokio::test]
async fn an_event_that_came_before_its_schema_is_published_again_on_nats() {
    let server = match NatsServer::start(Version::Current).await {
        Err(StartError::Missing(reason)) => return skip("dead letters on NATS", &reason),
        server => server.expect("a server"),
    };
    let settings = Settings::default().secret(SECRET).broker(&format!("url = \"nats://{}\"", server.address()));
    from_rollout_to_replay(settings).await;
}

#[tokio::test]
async fn an_event_that_came_before_its_schema_is_published_again_on_kafka() {
    let server = match KafkaServer::start().await {
        Err(StartError::Missing(reason)) => return skip("dead letters on Kafka", &reason),
        server => server.expect("a server"),
    };
    let settings = Settings::default().secret(SECRET).broker(&format!("url = \"kafka://{}\"", server.address()));
    let checked = Node::prepare(settings.clone()).fanfare(&["check"]).await;
    if checked.stderr.contains("this build has no Kafka") {
        return skip("dead letters on Kafka", "this build has no Kafka");
    }
    from_rollout_to_replay(settings).await;
}

/// The same on every broker.
async fn from_rollout_to_replay(settings: Settings) {
    let mut rollout = Rollout::too_early(settings, "hello").await;
    let letter = listed(&rollout.node).await.remove(0);
    let id = letter["id"].as_str().expect("an id").to_owned();
    assert_eq!((&letter["topic"], &letter["org"]), (&json!("license.LicenseUpdated"), &json!("acme")));
    assert_eq!(letter["kind"], "body");

    let table = rollout.letters(&["list"]).await;
    assert_eq!(table.code, Some(0), "{table:?}");
    let row = table.stdout.lines().nth(1).expect("a row below the heads");
    assert!(row.starts_with(&id) && row.contains("acme") && row.contains("fingerprint"), "{table:?}");

    let file = rollout.node.folder().join("body");
    let shown = rollout.letters(&["show", &id, "--body", file.to_str().expect("UTF-8")]).await;
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.contains("ce-id: too-early") && shown.stdout.contains("unusable: "), "{shown:?}");
    assert_eq!(std::fs::read(&file).expect("a body")[..2], [0xc3, 0x01]);
    let shown = rollout.letters(&["show", &id]).await;
    assert!(shown.stdout.contains("00000000  c3 01 "), "{shown:?}");

    let refused = rollout.letters(&["replay", &id]).await;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        refused.stdout.contains("dead letter again") && refused.stdout.contains("0 stored, 1 refused"),
        "{refused:?}"
    );

    rollout.finish().await;
    let mut alice = rollout.node.tab(&Token::user("alice", "acme")).await;
    let mut carol = rollout.node.tab(&Token::user("carol", "globex")).await;
    let shown = rollout.letters(&["show", &id]).await;
    assert!(shown.stdout.contains("could be used") && shown.stdout.contains("\"note\": \"hello\""), "{shown:?}");
    let dry = rollout.letters(&["replay", "--all", "--reason", "body", "--dry-run"]).await;
    assert_eq!((dry.code, dry.stdout.lines().last()), (Some(0), Some("1 would be stored, 0 refused")), "{dry:?}");
    let none = rollout.letters(&["replay", "--all", "--reason", "conflict"]).await;
    assert_eq!((none.code, none.stdout.as_str()), (Some(0), "no dead letters\n"), "{none:?}");
    let stored = rollout.letters(&["replay", "--all"]).await;
    assert_eq!((stored.code, stored.stdout.lines().last()), (Some(0), Some("1 stored, 0 refused")), "{stored:?}");
    assert_eq!(alice.expect("toast").await["title"], "License updated");
    rollout.node.publish(&[NewEvent::alert("globex", "only this")]).await;
    assert_eq!(carol.expect("toast").await["title"], "only this", "a replay reaches its own org alone");
}

#[tokio::test]
async fn letters_need_the_node_secret() {
    let node = Node::start_default().await;
    // Sealed with the same secret, for another purpose.
    let negotiate =
        Request::post(format!("{HUB}/negotiate?negotiateVersion=1")).bearer(Token::user("a", "acme").sign());
    let negotiated = negotiate.send(node.address()).await.expect("an answer").expect(200).json();
    let sealed = negotiated["connectionToken"].as_str().expect("a token").to_owned();
    let replay = Request::post("/deadletters/replay").json(&json!({ "ids": ["0-1"] }));
    for request in [Request::get("/deadletters"), Request::get("/deadletters/0-1"), replay] {
        let answer = request.send(node.admin_address()).await.expect("an answer").expect(401);
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        assert!(answer.json()["error"].as_str().expect("a text").contains("fanfare deadletters"), "{}", answer.text());
        for bearer in [&sealed, &Token::producer().sign(), &Token::user("bob", "acme").roles(&["admin"]).sign()] {
            let answer =
                request.clone().bearer(bearer).send(node.admin_address()).await.expect("an answer").expect(401);
            assert!(answer.json()["error"].as_str().expect("a text").contains("node's secret"), "{}", answer.text());
        }
        let preflight = Request::new("OPTIONS", "/deadletters").header("origin", "https://evil.example");
        let answer = preflight.send(node.admin_address()).await.expect("an answer");
        assert!(answer.header("access-control-allow-origin").is_none(), "{answer:?}");
        // The public port does not serve it.
        assert_ne!(request.send(node.address()).await.expect("an answer").status, 200);
    }
    // The node's configuration with another secret.
    std::fs::write(node.folder().join("fanout/node.secret"), [b'x'; 32]).expect("written");
    let outcome = letters(&node, &["list"]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("does not let us in"), "{outcome:?}");
}

#[tokio::test]
async fn faults_are_reported_in_a_sentence() {
    let mut node = Node::start_default().await;
    for (arguments, code, part) in [
        (&["show", "0-99"][..], 1, "there is no dead letter 0-99"),
        (&["show", "17"], 2, "for instance 0-17"),
        (&["list", "--limit", "0"], 2, "1 to 1000"),
        (&["replay"], 2, "<ID>"),
        (&["replay", "0-1", "--all"], 2, "cannot be used with"),
        (&["replay", "--all", "--reason", "boddy"], 2, "possible values"),
        (&["replay", "0-1", "--reason", "body"], 2, "cannot be used with"),
    ] {
        let outcome = letters(&node, arguments).await;
        assert_eq!(outcome.code, Some(code), "{arguments:?} {outcome:?}");
        assert!(outcome.stderr.contains(part), "{arguments:?} {outcome:?}");
    }
    let outcome = letters(&node, &["replay", "0-99"]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stdout.contains("0-99  refused: there is no such dead letter"), "{outcome:?}");
    let empty = letters(&node, &["list"]).await;
    assert_eq!((empty.code, empty.stdout.as_str()), (Some(0), "no dead letters\n"));
    node.stop().await;
    let away = letters(&node, &["list"]).await;
    assert_eq!(away.code, Some(3), "{away:?}");
    assert!(away.stderr.contains("no node answers at http://127.0.0.1:"), "{away:?}");
    let fresh = Node::prepare(Settings::default());
    let outcome = letters(&fresh, &["list"]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("node.secret") && !fresh.folder().join("fanout").exists(), "{outcome:?}");
}
