//! TLS for a node's own requests: to other nodes, from commands to their node, and to servers that only a private
//! authority has signed.

use fanfare_e2e_tests::backplane::{Backplane, Kind};
use fanfare_e2e_tests::client::{Connect, Message};
use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::front::Front;
use fanfare_e2e_tests::line::Speaking;
use fanfare_e2e_tests::stub::Stub;
use fanfare_e2e_tests::transport::{Transport, Wire};
use fanfare_e2e_tests::wait::{at_most, until};
use fanfare_e2e_tests::{HUB, NewEvent, Node, Request, Settings, Token, process};
use fanfare_test_servers::certificates::Certificates;
use fanfare_token::SigningKey;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Both listeners speak TLS, the operator's requests certificates, and the nodes present theirs to each other.
fn secured(certificates: &Certificates) -> Settings {
    let Certificates { ca, server: (certificate, key), client } = certificates;
    let shown = format!("cert_file = {certificate:?}\nkey_file = {key:?}\n");
    Settings::default()
        .section(&format!("[node.tls]\n{shown}"))
        .section(&format!("[node.operator_tls]\n{shown}client_ca_file = {ca:?}\n"))
        .section(&format!("[node.peers]\nca_file = {ca:?}\ncert_file = {:?}\nkey_file = {:?}\n", client.0, client.1))
}

async fn two(certificates: &Certificates, settings: impl Fn(Settings) -> Settings) -> Option<(Backplane, [Node; 2])> {
    let backplane = Backplane::start(Kind::Nats).await?;
    let of = |node| settings(secured(certificates).broker(&backplane.config(node)).secret(SECRET));
    let mut nodes = [0, 1].map(|node| Node::prepare(of(node)));
    for node in &mut nodes {
        Speaking::of(certificates).showing().to(node.address());
        Speaking::of(certificates).showing().to(node.admin_address());
        node.start().await;
    }
    Some((backplane, nodes))
}

async fn states(node: &Node) -> Value {
    let bearer = node.fanfare(&["token", "--operator"]).await.stdout;
    let asked = Request::get("/nodes").bearer(bearer.trim()).send(node.admin_address()).await;
    asked.expect("an answer").expect(200).json()
}

#[tokio::test]
async fn nodes_ask_each_other_and_forward_over_tls() {
    let folder = TempDir::new().expect("a folder");
    let certificates = Certificates::write(folder.path());
    let Some((_backplane, nodes)) = two(&certificates, |settings| settings).await else { return };
    let alice = Connect::new(HUB, Token::user("alice", "acme").sign());
    let turns = [nodes[0].address(), nodes[1].address()];
    for transport in [Transport::EventStream, Transport::LongPolling] {
        let mut tab = Wire::connect_in_turn(&alice, transport, &turns).await.expect("connects").expect("let in");
        assert!(tab.try_invoke("Cursor", json!([])).await.expect("answered").expect("a cursor").is_string());
        let title = format!("{transport:?}");
        nodes[1].publish(&[NewEvent::alert("acme", &title)]).await;
        loop {
            match at_most("a toast", tab.receive()).await {
                Message::Notification(_, told) if told["title"] == *title => break,
                Message::Notification(..) | Message::Ping => {}
                other => panic!("{other:?} instead of a toast"),
            }
        }
    }
    let mut forwarded = 0.0;
    for node in &nodes {
        forwarded += node.metric("fanfare_requests_forwarded_total", "answered").await;
    }
    assert!(forwarded > 0.0, "some came to the other node");

    // At the operator's ports, which request certificates.
    let states = states(&nodes[0]).await;
    assert_eq!(states["nodes"].as_array().map(Vec::len), Some(2), "{states}");
    // Commands present the nodes' own certificate.
    let listed = connections(&nodes[0], &["list", "--json"]).await;
    assert_eq!(listed.code, Some(0), "{}", listed.stderr);
    let mut letters = process::command("fanfare");
    letters.args(["deadletters", "list", "--config"]).arg(nodes[0].config());
    let letters = process::run(letters).await;
    assert_eq!(letters.code, Some(0), "{}", letters.stderr);
    let healthy = nodes[0].fanfare(&["health"]).await;
    assert_eq!(healthy.code, Some(0), "{}", healthy.stderr);
}

async fn connections(node: &Node, arguments: &[&str]) -> process::Outcome {
    let (first, rest) = arguments.split_first().expect("a subcommand");
    let mut command = process::command("fanfare");
    command.args(["connections", first, "--config"]).arg(node.config()).args(rest);
    process::run(command).await
}

/// The configured name covers addresses that no certificate names; a stranger's certificate is refused.
#[tokio::test]
async fn a_node_is_asked_only_if_its_certificate_has_the_name_that_all_have() {
    let folder = TempDir::new().expect("a folder");
    let certificates = Certificates::write(folder.path());
    for (names, known) in
        [("\"localhost\"", 2), ("\"elsewhere.example\", \"localhost\"", 2), ("\"elsewhere.example\"", 1)]
    {
        let named = |settings: Settings| {
            let sections =
                settings.sections.replace("[node.peers]", &format!("[node.peers]\nserver_names = [{names}]"));
            Settings { sections, ..settings }
        };
        let Some((_backplane, nodes)) = two(&certificates, named).await else { return };
        let states = until("both nodes", async || {
            let states = states(&nodes[0]).await;
            let all = [&states["nodes"], &states["missing"]].map(|list| list.as_array().map_or(0, Vec::len));
            (all[0] + all[1] == 2).then_some(states)
        })
        .await;
        assert_eq!(states["nodes"].as_array().map(Vec::len), Some(known), "{names}: {states}");
        if known == 1 {
            assert!(states["missing"].to_string().contains("certificate"), "{states}");
        }
    }
}

#[tokio::test]
async fn commands_trust_the_certificate_that_their_configuration_names() {
    let folder = TempDir::new().expect("a folder");
    let certificates = Certificates::write(folder.path());
    let (certificate, key) = &certificates.server;
    let shown = format!("cert_file = {certificate:?}\nkey_file = {key:?}\n");
    let settings =
        Settings::default().section(&format!("[node.tls]\n{shown}")).section(&format!("[node.operator_tls]\n{shown}"));
    let mut node = Node::prepare(settings);
    Speaking::of(&certificates).to(node.address());
    Speaking::of(&certificates).to(node.admin_address());
    node.start().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    let body = json!({ "org": "acme", "severity": "info", "title": "by command", "message": "m" }).to_string();
    let published = node.fanfare(&["publish", "system.Alert", &body]).await;
    assert_eq!(published.code, Some(0), "{}", published.stderr);
    assert_eq!(tab.expect("toast").await["title"], "by command");
    let listed = connections(&node, &["list"]).await;
    assert!(listed.code == Some(0) && listed.stdout.contains("alice"), "{listed:?}");
    assert_eq!(node.fanfare(&["health"]).await.code, Some(0));

    // Another one in its place, which the node does not know yet.
    let other = Certificates::write(&TempDir::new_in(folder.path()).expect("a folder").keep());
    let text = std::fs::read_to_string(node.config()).expect("a configuration");
    let text = text.replace(&certificate.display().to_string(), &other.server.0.display().to_string());
    let text = text.replace(&key.display().to_string(), &other.server.1.display().to_string());
    std::fs::write(node.config(), text).expect("written");
    let refused = connections(&node, &["list"]).await;
    assert_eq!(refused.code, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("certificate"), "{}", refused.stderr);
    assert_eq!(node.fanfare(&["health"]).await.code, Some(3));
}

#[tokio::test]
async fn keys_come_from_a_server_that_an_authority_of_its_own_vouches_for() {
    let folder = TempDir::new().expect("a folder");
    let certificates = Certificates::write(folder.path());
    let key = SigningKey::generate().expect("a key");
    let stub = Stub::with_keys(vec![key.jwk()]).await;
    let front = Front::before(stub.address(), &certificates).await;
    let token = Token::user("alice", "acme").claim("iss", "https://issuer.example").sign_with(&key);
    for (ca, status) in [(format!("ca_file = {:?}\n", certificates.ca), 200), (String::new(), 503)] {
        let jwks = format!("{}/keys", front.url());
        let settings = Settings::default().issuer("https://issuer.example", &jwks, &format!("{ca}users = true"));
        let node = Node::start_with(settings).await;
        assert_eq!(node.negotiate(&token).await, status, "{ca}");
    }
}

#[tokio::test]
async fn an_authorizer_is_asked_that_an_authority_of_its_own_vouches_for() {
    let folder = TempDir::new().expect("a folder");
    let certificates = Certificates::write(folder.path());
    let stub = Stub::start("{}").await;
    let front = Front::before(stub.address(), &certificates).await;
    for (ca, allows) in [(format!("ca_file = {:?}\n", certificates.ca), true), (String::new(), false)] {
        let url = format!("{}/lists/{{list}}", front.url());
        let mut settings = Settings::default().section(&format!("[authorizer.lists]\nurl = \"{url}\"\n{ca}"));
        settings.hubs = format!(
            "[hub.\"{HUB}\"]\n[hub.\"{HUB}\".method.Open]\narguments = [\"list\"]\njoin = \"list:{{list}}\"\nauthorizer = \"lists\"\n"
        );
        let node = Node::start_with(settings).await;
        let mut tab = node.tab(&Token::user("alice", "acme")).await;
        let opened = tab.try_invoke("Open", json!(["groceries"])).await.expect("an answer");
        assert_eq!(opened.is_ok(), allows, "{ca}: {opened:?}");
    }
    assert_eq!(stub.requests().len(), 1, "who does not trust it asks nothing");
}
