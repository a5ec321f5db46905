//! The login at the broker, which changes while the node runs: tried first, without losing a tab or an event.

use std::fs;

use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{NewEvent, Node, Settings, Tab, Token};
use fanfare_test_servers::kafka::KafkaServer;
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{Signal, StartError, skip};

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const REPLACED: &str = "logged in to the broker anew";
const OF_NO_USE: &str = "the changed login at the broker is of no use: the one before stays";

fn users(users: &[(&str, &str)]) -> String {
    let users = users.iter().map(|(user, password)| format!("{{ user: {user}, password: {password} }}"));
    format!("authorization {{ users: [{}] }}", users.collect::<Vec<_>>().join(", "))
}

/// On a busy machine a Kafka that was just started is without a leader for a moment, and the producer comes again.
async fn hears(node: &Node, tab: &mut Tab, title: &str) {
    let (event, token) = (NewEvent::alert("acme", title), Token::producer().sign());
    until("an event to be stored", async || (node.post(&token, &event).await.status == 202).then_some(())).await;
    assert_eq!(tab.expect("toast").await["title"], title);
}

async fn logins(node: &Node, outcome: &str) -> f64 {
    node.metric("fanfare_broker_logins", &format!("outcome=\"{outcome}\"")).await
}

async fn wait_for(node: &Node, outcome: &str, count: f64) {
    until(outcome, async || (logins(node, outcome).await >= count).then_some(())).await;
    let refused = f64::from(u8::from(outcome == "faulty"));
    assert_eq!(node.metric("fanfare_broker_login_refused", "").await, refused);
}

#[tokio::test]
async fn a_node_on_nats_logs_in_anew_and_a_login_of_no_use_changes_nothing() {
    let both = users(&[("node", "a"), ("other", "b")]);
    let server = match NatsServer::start_with(Version::Current, |_| both.clone()).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("logins at NATS", &why),
        Err(error) => panic!("{error}"),
    };
    let login = "[broker.nats]\nuser = \"node\"\npassword_file = \"first\"\n";
    let lines = format!("url = \"nats://{}\"\n{login}", server.address());
    let mut node = Node::prepare(Settings::default().broker(&lines).secret(SECRET));
    for (file, password) in [("first", "a"), ("second", "b")] {
        fs::write(node.folder().join(file), password).expect("written");
    }
    node.start().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    hears(&node, &mut tab, "1").await;

    // Another user, whom the server knows already, at a signal; then it forgets the first.
    node.edit_config(login, "[broker.nats]\nuser = \"other\"\npassword_file = \"second\"\n");
    node.reload("applied").await;
    wait_for(&node, "replaced", 1.0).await;
    assert_eq!(node.lines(REPLACED).len(), 1, "{}", node.log());
    hears(&node, &mut tab, "2").await;
    let changes = |password: &str| {
        server.configure(&users(&[("other", password)]));
        server.signal(Signal::HangUp);
    };
    changes("b");
    hears(&node, &mut tab, "3").await;

    // The node has the new password before the server: the wrong way round. It goes on as it was, says so once, and tries
    // again until the server knows it.
    fs::write(node.folder().join("second"), "c").expect("written");
    wait_for(&node, "faulty", 1.0).await;
    let told = node.lines(OF_NO_USE);
    let fault = told[0]["fault"].as_str().unwrap_or_default();
    assert!(fault.contains("does not accept this login"), "{fault}");
    hears(&node, &mut tab, "4").await;
    changes("c");
    wait_for(&node, "replaced", 2.0).await;
    assert_eq!(node.lines(OF_NO_USE).len(), 1, "{}", node.log());
    hears(&node, &mut tab, "5").await;

    // A file that is gone is a fault, too, until it is there again.
    fs::remove_file(node.folder().join("second")).expect("removed");
    wait_for(&node, "faulty", 2.0).await;
    hears(&node, &mut tab, "6").await;
    fs::write(node.folder().join("second"), "c").expect("written");
    let over = async || (node.metric("fanfare_broker_login_refused", "").await < 1.0).then_some(());
    until("the login to be as it was", over).await;
    // How streams are made is another matter.
    node.edit_config("user = \"other\"", "create = false\nuser = \"other\"");
    node.reload("needs_start").await;
    assert_eq!(node.lines("restart needed: [broker.nats] create changed").len(), 1, "{}", node.log());
    hears(&node, &mut tab, "7").await;
}

const KAFKA: &str = r#"listener.security.protocol.map=CLIENTS:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.clients.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username="other" password="b" user_other="b" user_node="a";"#;

#[tokio::test]
async fn a_node_on_kafka_logs_in_anew_and_a_login_of_no_use_changes_nothing() {
    let mut server = match KafkaServer::start_with(KAFKA).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("logins at Kafka", &why),
        Err(error) => panic!("{error}"),
    };
    let lines = format!("url = \"kafka://{}\"\n[broker.kafka]\nproperties_file = \"login\"\n", server.address());
    let mut node = Node::prepare(Settings::default().broker(&lines).secret(SECRET));
    let write = |node: &Node, user: &str, password: &str, more: &str| {
        let login = format!(
            "security.protocol=SASL_PLAINTEXT\nsasl.mechanism=PLAIN\nsasl.username={user}\nsasl.password={password}\n{more}"
        );
        fs::write(node.folder().join("login"), login).expect("written");
    };
    write(&node, "node", "a", "");
    node.start().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    hears(&node, &mut tab, "1").await;

    write(&node, "other", "guessed", "");
    wait_for(&node, "faulty", 1.0).await;
    let told = node.lines(OF_NO_USE);
    let fault = told[0]["fault"].as_str().unwrap_or_default();
    assert!(fault.contains("password") && !fault.contains("guessed"), "{fault}");
    hears(&node, &mut tab, "2").await;
    write(&node, "other", "b", "");
    wait_for(&node, "replaced", 1.0).await;
    hears(&node, &mut tab, "3").await;

    // The server forgets the first user.
    let file = server.folder().join("server.properties");
    let known = fs::read_to_string(&file).expect("the properties");
    fs::write(&file, known.replace(" user_node=\"a\"", "")).expect("written");
    server.stop().await;
    server.start_again().await.expect("starts again");
    hears(&node, &mut tab, "4").await;

    // What is no login waits for a start.
    write(&node, "other", "b", "linger.ms=7\n");
    node.reload("needs_start").await;
    let named = "restart needed: [broker.kafka] properties_file changed";
    assert_eq!(node.lines(named).len(), 1, "{}", node.log());
}
