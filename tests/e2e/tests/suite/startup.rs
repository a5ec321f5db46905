//! How a node starts and stops: faults at the start, and closing its tabs at the end.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use fanfare_e2e_tests::client::{Connect, Message};
use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::http::Request;
use fanfare_e2e_tests::process::{self, Outcome, expect_parts};
use fanfare_e2e_tests::wait::until;
use fanfare_e2e_tests::{HUB, NewEvent, Node, Platform, Settings, Token};
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::{StartError, free_port, skip};

/// How long a node may take to end beyond its drain time: requests in flight, telemetry, the log.
const SLACK: Duration = Duration::from_secs(4);

async fn serve(node: &Node) -> Outcome {
    process::run(node.serve()).await
}

/// One line on stderr, without a panic, a backtrace or Rust's debug output.
fn expect_one_sentence(outcome: &Outcome, code: i32, parts: &[&str]) {
    assert_eq!(outcome.code, Some(code), "{outcome:?}");
    // Log lines are JSON for a node and start with a date for a producer.
    let is_log = |line: &&str| line.starts_with('{') || line.starts_with("20");
    let told: Vec<&str> = outcome.stderr.lines().filter(|line| !is_log(line)).collect();
    let [line] = told[..] else { panic!("not one line: {outcome:?}") };
    expect_parts(line, parts);
    for foreign in ["panicked", "Error {", "Some(", "os error 0", "backtrace"] {
        assert!(!line.contains(foreign), "{line}");
    }
}

#[tokio::test]
async fn a_port_in_use() {
    for admin in [false, true] {
        let node = Node::prepare(Settings::default());
        let address = if admin { node.admin_address() } else { node.address() };
        let _taken = TcpListener::bind(address).expect("free until now");
        let told = format!("cannot listen on {address}: the port is in use by another process");
        expect_one_sentence(&serve(&node).await, 1, &["fanfare: ", &told]);
        assert!(!node.folder().join("log").exists(), "ports come before anything is written");
    }
}

#[tokio::test]
async fn more_memory_than_the_machine_has() {
    let node = Node::prepare(Settings::default().section("[limits]\nretained_bytes = 200000000000\n"));
    let parts =
        ["retained_bytes, waiting_bytes and resume_memory_bytes of [limits] come to 19", "raise the limit of memory"];
    expect_one_sentence(&serve(&node).await, 1, &parts);
}

#[tokio::test]
async fn a_data_folder_that_cannot_be_written() {
    for (what, told) in [("log", "the event log cannot be opened"), ("fanout", "the data folder")] {
        let node = Node::prepare(Settings::default());
        // A file in the place of the folder stops root as well, who ignores permissions.
        std::fs::write(node.folder().join(what), "not a folder").expect("written");
        let path = node.folder().join(what).display().to_string();
        expect_one_sentence(&serve(&node).await, 1, &["fanfare: ", told, &path]);
    }
}

#[tokio::test]
async fn a_log_that_another_node_has_open() {
    let node = Node::start_default().await;
    let mut second = Node::prepare(Settings::default());
    let text = std::fs::read_to_string(second.config()).expect("a config");
    let log = node.folder().join("log").display().to_string();
    std::fs::write(second.config(), text.replace("embedded:log", &format!("embedded:{log}"))).expect("written");
    expect_one_sentence(&serve(&second).await, 1, &["already open", "only one process"]);
    drop(node);
    second.start().await;
}

#[tokio::test]
async fn a_log_that_is_damaged() {
    let node = Node::prepare(Settings::default());
    std::fs::create_dir(node.folder().join("log")).expect("a folder");
    std::fs::write(node.folder().join("log/log.redb"), "this is no database").expect("written");
    expect_one_sentence(&serve(&node).await, 1, &["the event log cannot be opened", "move the folder away"]);
}

/// The replaced text in a file, its replacement, and the reported fault.
const FAULTS: [(&str, &str, &str, &str); 12] = [
    ("fanfare.toml", "[node]", "[node", "fanfare.toml:1:"),
    (
        "fanfare.toml",
        "drain_seconds",
        "drain_secnds",
        "[node] has no key `drain_secnds` (did you mean `drain_seconds`?)",
    ),
    ("fanfare.toml", "\"embedded:log\"", "\"embeded:log\"", "there is no broker `embeded` (did you mean `embedded`?)"),
    ("fanfare.toml", "format = \"json\"", "format = \"jsno\"", "unknown log format \"jsno\""),
    ("fanfare.toml", "\"routes.toml\"", "\"rotues.toml\"", "rotues.toml does not exist"),
    ("fanfare.toml", "[hub.\"/hubs/notifications\"]", "[hub.\"/\"]", "a hub cannot live at `/`"),
    (
        "routes.toml",
        "\"license.FlagToggled\"",
        "\"license.FlagTogled\"",
        "there is no event `license.FlagTogled` (did you mean `license.FlagToggled`?)",
    ),
    (
        "routes.toml",
        "flag = \"{flag}\", enabled = \"{enabled}\"",
        "flag = \"{flg}\", enabled = \"{enabled}\"",
        "license.FlagToggled has no field `flg` (did you mean `flag`?)",
    ),
    (
        "routes.toml",
        "groups = [\"org:{org}\"]",
        "groups = [\"orgs:{org}\"]",
        "the hub /hubs/notifications has no group `orgs:{org}` (did you mean `org:{org}`?)",
    ),
    (
        "routes.toml",
        "groups = [\"org:{org}\"]",
        "groups = [\"org:{orgn}\"]",
        "has no field `orgn` (did you mean `org`?)",
    ),
    (
        "routes.toml",
        "hub = \"/hubs/notifications\"",
        "hub = \"/hubs/notification\"",
        "no hub /hubs/notification (did you mean `/hubs/notifications`?)",
    ),
    (
        "routes.toml",
        "retain = true",
        "retian = true",
        "the route `flag-toggled` has no key `retian` (did you mean `retain`?)",
    ),
];

#[tokio::test]
async fn a_broken_configuration_is_reported_with_its_place() {
    let node = Node::prepare(Settings::default().drain_seconds(2));
    for (file, right, wrong, told) in FAULTS {
        let path = node.folder().join(file);
        let sound = std::fs::read_to_string(&path).expect("a file");
        let at = sound.find(right).unwrap_or_else(|| panic!("no {right} in {file}"));
        let line = sound[..at].lines().count().max(1) + usize::from(sound[..at].ends_with('\n'));
        std::fs::write(&path, sound.replacen(right, wrong, 1)).expect("written");
        let (checked, served) = tokio::join!(node.fanfare(&["check"]), serve(&node));
        std::fs::write(&path, &sound).expect("written");
        assert_eq!(checked.code, Some(1), "{checked:?}");
        assert_eq!((served.code, &served.stderr), (Some(1), &checked.stderr), "both say the same");
        let place = format!("{}:", path.display());
        let fault = checked.stderr.lines().find(|line| line.contains(told));
        let fault = fault.unwrap_or_else(|| panic!("expected {told}\ntold {}", checked.stderr));
        let place = fault.strip_prefix(&place).unwrap_or_else(|| panic!("no file: {fault}"));
        let mut numbers = place.splitn(3, ':').map(str::parse::<usize>);
        let (Some(Ok(found)), Some(Ok(1..))) = (numbers.next(), numbers.next()) else { panic!("no place: {fault}") };
        // An unclosed section is noticed after it.
        assert!(found == line || wrong == "[node", "line {found} is told, {line} is wrong: {fault}");
        assert!(checked.stdout.is_empty(), "{checked:?}");
    }
    assert!(!node.folder().join("log").exists(), "nothing was started");
}

#[tokio::test]
async fn a_good_configuration_is_reported_in_one_line() {
    let node = Node::prepare(Settings::default());
    let outcome = node.fanfare(&["check"]).await;
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
    for part in ["is sound", "13 routes", "1 hub", "development signing key"] {
        assert!(outcome.stdout.contains(part), "{}", outcome.stdout);
    }
    assert_eq!(outcome.stdout.lines().count(), 1);
    // Several faults are reported at once.
    let text = std::fs::read_to_string(node.config()).expect("a config");
    std::fs::write(node.config(), text.replace("listen = \"127", "listen = \"x127")).expect("written");
    let outcome = node.fanfare(&["check"]).await;
    assert_eq!((outcome.code, outcome.stderr.lines().count()), (Some(1), 2), "{}", outcome.stderr);
    std::fs::remove_file(node.config()).expect("removed");
    expect_one_sentence(&node.fanfare(&["check"]).await, 1, &["fanfare.toml: cannot be read: No such file"]);
}

#[tokio::test]
async fn an_incompatible_schema_is_reported_by_field() {
    let old = r#"{"type":"record","name":"Changed","fields":[{"name":"id","type":"string"}]}"#;
    let new =
        r#"{"type":"record","name":"Changed","fields":[{"name":"id","type":"string"},{"name":"level","type":"int"}]}"#;
    let schemas = [("tickets/Changed.v1.avsc", old), ("tickets/Changed.v2.avsc", new)];
    let schemas = schemas.map(|(path, text)| (path.to_owned(), text.to_owned())).to_vec();
    let node = Node::prepare(Settings { schemas, ..Settings::default() });
    let outcome = node.fanfare(&["check"]).await;
    expect_one_sentence(&outcome, 1, &["Changed.v2.avsc", "level"]);
}

#[tokio::test]
async fn usage_is_its_own_exit_code() {
    let node = Node::prepare(Settings::default());
    for arguments in [&["serve", "--no-such-option"][..], &["publish"], &["publish", "license.FlagToggled"], &["token"]]
    {
        let outcome = node.fanfare(arguments).await;
        assert_eq!(outcome.code, Some(2), "{arguments:?}: {outcome:?}");
        assert!(outcome.stderr.contains("Usage:"), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_stopping_node_ends_its_lease() {
    let mut node = Node::start_with(Settings::default().drain_seconds(3)).await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    node.publish(&[NewEvent::alert("acme", "last")]).await;
    tab.expect("toast").await;
    let began = Instant::now();
    node.terminate();
    assert_eq!(tab.next().await, Message::Close(None, true), "an invitation to come back");
    assert_eq!(tab.next().await, Message::SocketClosed(Some(1001)));
    drop(tab);
    assert_eq!(node.end().await.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(3) + SLACK, "took {:?}", began.elapsed());
    assert!(node.lines("some connections did not end in time").is_empty(), "{}", node.log());
    // The earlier events are there again, for the returning tab.
    node.start().await;
    node.tab(&Token::user("alice", "acme")).await.cursor().await;
}

#[tokio::test]
async fn a_node_does_not_wait_for_a_tab_that_does_not_listen() {
    let mut node = Node::start_with(Settings::default().drain_seconds(1)).await;
    let _deaf = node.tab(&Token::user("alice", "acme")).await;
    // One in the middle of its handshake, and one that has sent half of a request.
    let connect = Connect::new(HUB, Token::user("bob", "acme").sign());
    let _speechless = connect.open(node.address(), None).await.expect("connects").expect("not refused");
    let mut half = std::net::TcpStream::connect(node.address()).expect("connects");
    std::io::Write::write_all(&mut half, b"POST /events HTTP/1.1\r\ncontent-le").expect("written");
    let began = Instant::now();
    assert_eq!(node.stop().await.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(1) + SLACK, "took {:?}", began.elapsed());
}

#[tokio::test]
async fn a_draining_node_accepts_no_connections() {
    let mut node = Node::start_with(Settings::default().drain_seconds(2)).await;
    let mut deaf = node.tab(&Token::user("alice", "acme")).await;
    node.terminate();
    assert_eq!(deaf.next().await, Message::Close(None, true));
    let connect = Connect::new(HUB, Token::user("bob", "acme").sign());
    // It listens while it drains, to answer so: a proxy tries another node, and no client meets a closed port.
    let refused = connect.negotiate(node.address()).await.expect("an answer");
    assert_eq!(refused.status, 503, "{}", refused.text());
    drop(deaf);
    assert_eq!(node.end().await.code(), Some(0));
}

#[tokio::test]
async fn a_client_between_two_polls_is_sent_the_close_of_a_stopping_node() {
    let mut node = Node::start_with(Settings::default().drain_seconds(20)).await;
    let token = Token::user("alice", "acme").sign();
    let negotiated = Connect::new(HUB, token.clone()).negotiate(node.address()).await.expect("an answer");
    let id = negotiated.json()["connectionToken"].as_str().expect("a token").to_owned();
    let path = format!("{HUB}?id={id}");
    let poll = Request::get(&path).bearer(token.as_str());
    assert_eq!(poll.send(node.address()).await.expect("opened").status, 200);
    let handshake = "{\"protocol\":\"json\",\"version\":1}\u{1e}";
    let handshake = Request::post(&path).bearer(token.as_str()).body("text/plain", handshake);
    assert_eq!(handshake.send(node.address()).await.expect("taken").status, 200);
    assert!(poll.send(node.address()).await.expect("answered").text().starts_with("{}"));

    let began = Instant::now();
    node.terminate();
    let drains = Request::get("/readyz");
    until("a node that drains", async || {
        drains.send(node.admin_address()).await.ok().filter(|answer| answer.status == 503)
    })
    .await;
    let told = poll.send(node.address()).await.expect("somebody listens").text();
    assert!(told.contains("\"allowReconnect\":true"), "{told}");
    assert_eq!(node.end().await.code(), Some(0));
    assert!(began.elapsed() < SLACK, "the node waited for nobody: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_producer_that_cannot_start_reports_why_in_one_sentence() {
    let node = Node::prepare(Settings::default());
    let (folder, free) = (node.folder().join("second"), node.address().to_string());
    let taken = TcpListener::bind(node.admin_address()).expect("free until now");
    let in_use = taken.local_addr().expect("an address").to_string();
    let file = node.config();
    for name in ["fanfare-auth", "fanfare-license", "fanfare-export"] {
        for (listen, data, told) in [(&in_use, &folder, &in_use), (&free, &file, &file.display().to_string())] {
            let mut command = process::command(name);
            command.args(["--listen", listen, "--data"]).arg(data);
            expect_one_sentence(&process::run(command).await, 1, &[told]);
        }
        let mut command = process::command(name);
        command.args(["--listen", "nowhere"]);
        let outcome = process::run(command).await;
        assert!(outcome.code == Some(2) && outcome.stderr.contains("nowhere"), "{outcome:?}");
    }
}

#[tokio::test]
async fn producers_stop_in_order() {
    let mut platform = Platform::start().await;
    platform.export.start().await;
    for producer in [&mut platform.auth, &mut platform.license, &mut platform.export] {
        let began = Instant::now();
        assert_eq!(producer.stop().await.code(), Some(0));
        assert!(began.elapsed() < Duration::from_secs(5) + SLACK, "took {:?}", began.elapsed());
        assert!(!producer.log().contains("panicked"), "{}", producer.log());
    }
}

/// Clients cannot find out how often files are synced to disk; a server's monitoring port reports it.
#[tokio::test]
async fn the_sync_settings_of_nats_servers_are_printed() {
    let monitored = async |sync: &str| {
        let port = free_port();
        let more = format!("http: \"127.0.0.1:{port}\"");
        let server = NatsServer::start_with(Version::Current, |_| more.clone()).await?;
        if !sync.is_empty() {
            let store =
                format!("jetstream {{ store_dir: {:?}, sync_interval: {sync} }}\n", server.folder().join("data"));
            server.configure_alone(&format!("{store}{more}"));
        }
        Ok((server, port))
    };
    let mut servers = match [monitored("").await, monitored("always").await, monitored("10s").await] {
        [Ok(one), Ok(two), Ok(three)] => [one, two, three],
        [Err(StartError::Missing(why)), ..] => return skip("the monitoring port of NATS", &why),
        [one, ..] => panic!("{:?}", one.err()),
    };
    for (server, _) in &mut servers[1..] {
        server.kill();
        server.start_again().await.expect("started");
    }
    let mut ports: Vec<_> = servers.iter().map(|(_, port)| *port).collect();
    ports.push(free_port());
    let urls: Vec<_> = ports.iter().map(|port| format!("\"http://127.0.0.1:{port}\"")).collect();
    let broker = format!("url = \"nats://127.0.0.1:4222\"\n[broker.nats]\nmonitor = [{}]", urls.join(", "));
    let node = Node::prepare(Settings::default().broker(&broker).secret(SECRET));
    let checked = node.fanfare(&["check"]).await;
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let told = ["every 120 s", "before an event is acknowledged", "every 10 s", "is not known"];
    for (port, expected) in ports.iter().zip(told) {
        let server = format!("NATS server at http://127.0.0.1:{port}/: ");
        let line = checked.stdout.lines().find(|line| line.starts_with(&server));
        assert!(line.is_some_and(|line| line.contains(expected)), "{expected}: {}", checked.stdout);
    }
}
