//! A table that services in other languages fill, here in SQLite, as docs/publishing.md says.

// A failing helper should end the test.
#![allow(clippy::unwrap_used)]

mod support;

use fanfare_event::Registry;
use fanfare_outbox::{Outbox, OutboxError, connect};
use sqlx::AnyPool;
use support::{Recorder, commit, event, quick, start, until, until_empty};

const DOCUMENT: &str = include_str!("../../../docs/publishing.md");

struct Table {
    pool: AnyPool,
    _folder: tempfile::TempDir,
}

impl Table {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("shop.db").display());
        let pool = connect(&url, 4).await.unwrap();
        let section = DOCUMENT.split("\n### SQLite\n").nth(1).unwrap().split("```sql\n").nth(1).unwrap();
        sqlx::raw_sql(section.split("```").next().unwrap()).execute(&pool).await.unwrap();
        Self { pool, _folder: folder }
    }

    async fn insert(&self, id: &str, event_type: &str, org: Option<&str>, data: &str) {
        let sql = "INSERT INTO fanfare_events (id, source, type, org, data, subject, dataversion, time)
            VALUES ($1, '/services/shop', $2, $3, $4, 'a subject', 1, '2026-01-02T03:04:05.678Z')";
        let query = sqlx::query(sql).bind(id).bind(event_type).bind(org).bind(data);
        query.execute(&self.pool).await.unwrap();
    }

    async fn outbox(&self) -> Outbox {
        Outbox::open_json(self.pool.clone(), "fanfare_events", Registry::builtin()).await.unwrap()
    }
}

fn flag(enabled: bool) -> String {
    format!(r#"{{"org": "acme", "flag": "dark", "enabled": {enabled}}}"#)
}

#[tokio::test]
async fn rows_become_events_in_their_order() {
    let table = Table::new().await;
    for number in 0..40 {
        table.insert(&format!("{number:02}"), "license.FlagToggled", None, &flag(number % 2 == 0)).await;
    }
    let (outbox, recorder) = (table.outbox().await, Recorder::accepting());
    let relay = start(&outbox, recorder.clone(), quick());
    until_empty(&outbox).await;
    relay.stop().await;
    let published = recorder.published();
    let ids: Vec<_> = published.iter().map(|event| event.attributes.id.as_str()).collect();
    assert!(ids.len() == 40 && ids.is_sorted(), "{ids:?}");
    let first = &published[0];
    assert_eq!(first.key.as_deref(), Some("dark"));
    let attributes = &first.attributes;
    assert_eq!((attributes.source.as_str(), attributes.time.0), ("/services/shop", 1_767_323_045_678));
    assert_eq!((attributes.org.as_ref().unwrap().as_str(), attributes.data_version), ("acme", Some(1)));
    assert_eq!(attributes.subject.as_deref(), Some("a subject"));
    let record = Registry::builtin().decode(&first.body).unwrap();
    assert_eq!(record.get("enabled").unwrap().as_bool(), Some(true));
}

#[tokio::test]
async fn rows_that_are_no_events_are_parked_with_the_column_at_fault() {
    let table = Table::new().await;
    table.insert("1", "nothing", None, "{}").await;
    table.insert("2", "shop.Unknown", None, "{}").await;
    table.insert("3", "license.FlagToggled", Some("globex"), &flag(true)).await;
    table.insert("4", "license.FlagToggled", Some("acme"), r#"{"org": "acme"}"#).await;
    table.insert("5\n", "license.FlagToggled", Some("acme"), &flag(true)).await;
    table.insert("6", "license.FlagToggled", Some("acme"), &flag(true)).await;
    let (outbox, recorder) = (table.outbox().await, Recorder::accepting());
    let relay = start(&outbox, recorder.clone(), quick());
    until("five that are parked", || relay.stats.parked() == 5).await;
    until_empty(&outbox).await;
    let parked = outbox.parked(10).await.unwrap();
    let told: Vec<_> = parked.iter().map(|parked| (parked.event_id.trim(), parked.reason.as_str())).collect();
    for (at, (id, part)) in
        [("1", "column type"), ("2", "no schema of shop.Unknown"), ("3", "two orgs"), ("4", "flag"), ("5", "ce-id")]
            .into_iter()
            .enumerate()
    {
        assert!(told[at].0 == id && told[at].1.contains(part), "{told:?}");
    }
    assert_eq!(recorder.ids(), ["6"]);
    relay.stop().await;
}

/// One such row kept all others from being read.
#[tokio::test]
async fn a_row_with_null_where_an_event_needs_text_is_parked_and_the_others_go_on() {
    let table = Table::new().await;
    let loose = "DROP TABLE fanfare_events; CREATE TABLE fanfare_events (seq INTEGER PRIMARY KEY, id TEXT, source TEXT,
        type TEXT, org INTEGER, subject TEXT, time TEXT, dataversion INTEGER, traceparent TEXT, data TEXT,
        attempts INTEGER DEFAULT 0, parked_reason TEXT, published_at INTEGER, place TEXT)";
    sqlx::raw_sql(loose).execute(&table.pool).await.unwrap();
    for missing in ["id", "source", "type", "time", "data"] {
        table.insert(missing, "license.FlagToggled", None, &flag(true)).await;
        let sql = format!("UPDATE fanfare_events SET {missing} = NULL WHERE id = $1");
        sqlx::query(sqlx::AssertSqlSafe(sql)).bind(missing).execute(&table.pool).await.unwrap();
    }
    table.insert("good", "license.FlagToggled", None, &flag(true)).await;
    let twice = r#"{"org": "acme", "flag": "dark", "flag": "light", "enabled": true}"#;
    table.insert("twice", "license.FlagToggled", None, twice).await;
    // A number where text is wanted is read as its text.
    let numbered = r#"{"org": "7", "flag": "dark", "enabled": true}"#;
    table.insert("numbered", "license.FlagToggled", Some("7"), numbered).await;
    let (outbox, recorder) = (table.outbox().await, Recorder::accepting());
    let relay = start(&outbox, recorder.clone(), quick());
    until("six that are parked", || relay.stats.parked() == 6).await;
    until_empty(&outbox).await;
    let mut ids = recorder.ids();
    ids.sort();
    assert_eq!(ids, ["good", "numbered"]);
    let parked = outbox.parked(10).await.unwrap();
    let reasons: Vec<_> = parked.iter().map(|parked| parked.reason.as_str()).collect();
    for (reason, column) in reasons.iter().zip(["id", "source", "type", "time", "data"]) {
        assert!(reason.starts_with(&format!("column {column}")), "{reasons:?}");
    }
    assert!(reasons[5].contains("`flag` is duplicated"), "{reasons:?}");
    relay.stop().await;
}

#[tokio::test]
async fn a_table_of_others_is_checked_and_not_appended_to() {
    let table = Table::new().await;
    let outbox = table.outbox().await;
    let mut tx = outbox.begin().await.unwrap();
    assert!(matches!(outbox.append(&mut tx, &event("acme", 1)).await, Err(OutboxError::NotOurs(_))));
    drop(tx);
    let open = async |name| Outbox::open_json(table.pool.clone(), name, Registry::builtin()).await;
    assert!(open("missing").await.is_err_and(|error| error.to_string().contains("docs/publishing.md")));
    assert!(matches!(open("a b").await, Err(OutboxError::TableName(_))));
    sqlx::raw_sql("ALTER TABLE fanfare_events DROP COLUMN place").execute(&table.pool).await.unwrap();
    let told = open("fanfare_events").await.err().unwrap().to_string();
    assert!(told.contains("place"), "{told}");
    // Its own outbox may be in the same database.
    let own = Outbox::install(table.pool.clone()).await.unwrap();
    commit(&own, [event("acme", 1)]).await;
    assert_eq!(own.pending().await.unwrap(), 1);
}
