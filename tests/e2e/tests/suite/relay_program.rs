//! `fanfare relay` on a table that a service fills with plain SQL, as in docs/publishing.md.

use std::time::Duration;

use fanfare_broker::nats::{Nats, Options};
use fanfare_broker::{Broker, Position};
use fanfare_e2e_tests::client::Connect;
use fanfare_e2e_tests::cluster::SECRET;
use fanfare_e2e_tests::process::{self, Outcome, Process};
use fanfare_e2e_tests::{HUB, Node, Settings, Tab, Token, wait};
use fanfare_test_servers::nats::{NatsServer, Version};
use fanfare_test_servers::postgres::PostgresServer;
use fanfare_test_servers::{StartError, free_port, skip};
use sqlx::AnyPool;
use tempfile::TempDir;

const DOCUMENT: &str = include_str!("../../../../docs/publishing.md");

/// The SQL of the document, for PostgreSQL.
fn documented_table() -> &'static str {
    let section = DOCUMENT.split("\n### PostgreSQL\n").nth(1).expect("a section");
    let block = section.split("```sql\n").nth(1).expect("a block");
    block.split("```").next().expect("an end")
}

/// A database with the documented table, and a relay's configuration for it.
struct Service {
    server: PostgresServer,
    pool: AnyPool,
    folder: TempDir,
}

impl Service {
    async fn start(test: &str) -> Option<Self> {
        let server = match PostgresServer::start().await {
            Ok(server) => server,
            Err(StartError::Missing(why)) => {
                skip(test, &why);
                return None;
            }
            Err(error) => panic!("{error}"),
        };
        let pool = fanfare_outbox::connect(&server.url("postgres"), 2).await.expect("a pool");
        sqlx::raw_sql(documented_table()).execute(&pool).await.expect("the documented table");
        let folder = TempDir::new().expect("a folder");
        std::fs::write(folder.path().join("url"), server.url("postgres")).expect("written");
        Some(Self { server, pool, folder })
    }

    /// Writes the configuration; only PostgreSQL's notifications wake the relay soon.
    fn configure(&self, target: &str) {
        let token = Token::producer().claim("publish", ["system.*"]).sign();
        std::fs::write(self.folder.path().join("token"), token).expect("written");
        let text = format!("[database]\nurl_file = \"url\"\npoll_ms = 600000\n{target}\n[log]\nformat = \"json\"\n");
        std::fs::write(self.folder.path().join("relay.toml"), text).expect("written");
    }

    fn to_node(&self, node: &Node) {
        self.configure(&format!("[http]\nurl = \"{}\"\ntoken_file = \"token\"", node.url()));
    }

    fn command(&self, more: &[&str]) -> std::process::Command {
        let mut command = process::command("fanfare");
        command.args(["relay", "--config"]).arg(self.folder.path().join("relay.toml")).args(more);
        command
    }

    fn relay(&self) -> Process {
        Process::start("relay", self.folder.path(), self.command(&[]))
    }

    async fn check(&self) -> Outcome {
        process::run(self.command(&["--check"])).await
    }

    async fn insert(&self, event_type: &'static str, org: &str, data: String) {
        let sql = "INSERT INTO fanfare_events (source, type, org, data) VALUES ($1, $2, $3, CAST($4 AS jsonb))";
        let query = sqlx::query(sql).bind("/services/orders").bind(event_type).bind(org).bind(data);
        query.execute(&self.pool).await.expect("inserted");
    }

    async fn alert(&self, org: &str, title: &str) {
        self.insert("system.Alert", org, format!(r#"{{"org":"{org}","title":"{title}","message":"m"}}"#)).await;
    }

    async fn count(&self, condition: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) FROM fanfare_events WHERE {condition}");
        sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&self.pool).await.expect("a count")
    }
}

async fn title(tab: &mut Tab) -> String {
    tab.expect("toast").await["title"].as_str().expect("a title").to_owned()
}

#[tokio::test]
async fn rows_reach_tabs_in_order_whatever_is_killed() {
    let Some(mut service) = Service::start("the relay on PostgreSQL").await else { return };
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    service.to_node(&node);
    let relay = service.relay();

    let mut rolled_back = service.pool.begin().await.expect("begun");
    let sql = "INSERT INTO fanfare_events (source, type, org, data) VALUES ('/s', 'system.Alert', 'acme', '{}')";
    sqlx::query(sql).execute(&mut *rolled_back).await.expect("inserted");
    rolled_back.rollback().await.expect("rolled back");
    service.alert("acme", "first").await;
    assert_eq!(title(&mut tab).await, "first", "by what PostgreSQL tells, since the next poll is in 10 minutes");

    for number in 0..40 {
        service.alert("acme", &format!("{number}")).await;
        service.alert("globex", "elsewhere").await;
    }
    relay.kill();
    let relay = service.relay();
    for number in 0..40 {
        assert_eq!(title(&mut tab).await, number.to_string());
    }
    service.server.kill();
    tokio::time::sleep(Duration::from_millis(300)).await;
    service.server.start_again().await.expect("started");
    wait::until("a database that answers", async || sqlx::query("SELECT 1").execute(&service.pool).await.ok()).await;
    service.alert("acme", "after-the-outage").await;
    assert_eq!(title(&mut tab).await, "after-the-outage");
    wait::until("an empty table", async || (service.count("TRUE").await == 0).then_some(())).await;
    relay.terminate();
    assert!(relay.end().await.success());
}

#[tokio::test]
async fn rows_that_no_node_accepts_are_parked_and_the_rest_continues() {
    let Some(service) = Service::start("parked rows on PostgreSQL").await else { return };
    let node = Node::start_default().await;
    let mut tab = node.tab(&Token::user("alice", "acme")).await;
    service.to_node(&node);
    service.insert("orders.Shipped", "acme", "{}".to_owned()).await;
    service.insert("system.Alert", "acme", r#"{"org":"acme","title":7,"message":"m"}"#.to_owned()).await;
    service.insert("system.Alert", "acme", r#"{"org":"globex","title":"t","message":"m"}"#.to_owned()).await;
    service.alert("acme", "good").await;
    let _relay = service.relay();
    assert_eq!(title(&mut tab).await, "good");
    let condition = |told: &str| format!("parked_reason LIKE '%{told}%'");
    for told in ["no schema of orders.Shipped", "title", "two orgs"] {
        assert_eq!(service.count(&condition(told)).await, 1, "{told}");
    }
    // Once fixed, it is tried again.
    let mend = "UPDATE fanfare_events SET parked_reason = NULL, data = jsonb_set(data, '{title}', '\"mended\"') \
                WHERE parked_reason LIKE '%title%'";
    sqlx::query(mend).execute(&service.pool).await.expect("mended");
    service.alert("acme", "behind").await;
    assert_eq!((title(&mut tab).await, title(&mut tab).await), ("mended".to_owned(), "behind".to_owned()));
}

#[tokio::test]
async fn a_table_that_is_not_as_documented_is_named() {
    let Some(mut service) = Service::start("a wrong table on PostgreSQL").await else { return };
    service.configure("[http]\nurl = \"http://127.0.0.1:9\"\ntoken_file = \"token\"");
    let sound = service.check().await;
    assert_eq!(sound.code, Some(0), "{sound:?}");
    sqlx::query("ALTER TABLE fanfare_events DROP COLUMN parked_reason").execute(&service.pool).await.expect("dropped");
    let outcome = service.check().await;
    let told = ["fanfare_events", "docs/publishing.md", "parked_reason"];
    assert!(outcome.code == Some(1) && told.iter().all(|part| outcome.stderr.contains(part)), "{outcome:?}");
    sqlx::query("DROP TABLE fanfare_events").execute(&service.pool).await.expect("dropped");
    let outcome = service.check().await;
    assert!(outcome.code == Some(1) && outcome.stderr.contains("does not exist"), "{outcome:?}");
    service.server.kill();
    let outcome = service.check().await;
    assert!(outcome.code == Some(3) && outcome.stderr.contains("cannot be reached"), "{outcome:?}");
}

#[tokio::test]
async fn rows_go_straight_to_nats() {
    let Some(service) = Service::start("the relay from PostgreSQL to NATS").await else { return };
    let nats = match NatsServer::start(Version::Current).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("the relay from PostgreSQL to NATS", &why),
        Err(error) => panic!("{error}"),
    };
    let broker = Nats::open(Options::new([nats.address()])).expect("a client");
    let start = Position::start(broker.head().await.expect("streams").incarnation());
    service.configure(&format!("[broker]\nurl = \"nats://{}\"", nats.address()));
    let _relay = service.relay();
    for number in 0..20 {
        service.alert("acme", &format!("{number}")).await;
    }
    let mut reader = broker.read(&start).await.expect("a reader");
    let mut read = Vec::new();
    while read.len() < 20 {
        let batch = wait::at_most("records", reader.next()).await.expect("records");
        read.extend(batch.into_iter().map(|record| record.message));
    }
    assert!(read.iter().all(|message| message.org.as_deref() == Some("acme") && message.topic == "system.Alert"));
    let bodies = read.iter().map(|message| fanfare_event::Registry::builtin().decode(&message.body).expect("a record"));
    let titles: Vec<_> = bodies.map(|body| body.get("title").and_then(|t| t.as_str().map(str::to_owned))).collect();
    let expected: Vec<_> = (0..20).map(|number| Some(number.to_string())).collect();
    assert_eq!(titles, expected);
}

/// The store is rolled back as in a power failure; the server itself reports how long the relay must keep its rows.
#[tokio::test]
async fn a_logout_that_nats_has_forgotten_holds_for_a_node_that_starts_afterwards() {
    let Some(service) = Service::start("a logout on a store that is put back").await else { return };
    let port = free_port();
    let monitored = format!("http: \"127.0.0.1:{port}\"");
    let mut nats = match NatsServer::start_with(Version::Current, |_| monitored.clone()).await {
        Ok(server) => server,
        Err(StartError::Missing(why)) => return skip("a logout on a store that is put back", &why),
        Err(error) => panic!("{error}"),
    };
    let broker = format!("url = \"nats://{}\"", nats.address());
    let mut node = Node::start_with(Settings::default().broker(&broker).secret(SECRET)).await;
    service.configure(&format!("[broker]\n{broker}\nmonitor = [\"http://127.0.0.1:{port}\"]"));
    let _relay = service.relay();
    let token = Token::user("alice", "acme");
    let mut tab = node.tab(&token).await;
    tab.cursor().await;
    nats.keep_files().await;
    let logout = r#"{"org": "acme", "user": "alice", "session": null, "reason": "bye"}"#;
    service.insert("auth.UserLoggedOut", "acme", logout.to_owned()).await;
    assert_eq!(tab.expect("logout").await["reason"], "bye");
    node.stop().await;
    let published = async || (service.count("published_at IS NOT NULL").await == 1).then_some(());
    wait::until("the row to be published and kept", published).await;
    let log = || process::read(&process::log_path(service.folder.path(), "relay"));
    assert!(log().contains("\"kept_seconds\":300"), "as the server says: {}", log());

    nats.restore_files().await;
    wait::until("the relay to notice", async || {
        log().contains("what the broker has lost is published again").then_some(())
    })
    .await;
    wait::until("the row to be published again", published).await;
    node.start().await;
    let connect = Connect::new(HUB, token.sign());
    let refused = connect.open(node.address(), None).await.expect("an answer").expect_err("refused");
    assert_eq!(refused.status, 401, "{}", refused.text());
}
