//! Shared by the tests: a database of their own, and a publisher with a memory.

// Each test file uses its own part of this, and a failing helper should end the test.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

#[path = "../../src/testing.rs"]
mod testing;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fanfare_event::vocabulary::system::{Alert, Severity};
use fanfare_event::{Attributes, Encoded, Id, Timestamp, TypeName, encode};
use fanfare_outbox::{Outbox, PublishError, Publisher, Relay, RelayOptions, RelayStats, connect};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// How long a test waits for what must happen.
pub const SOON: Duration = Duration::from_secs(30);

/// The test's own database: a file, or a database on the server in FANFARE_TEST_POSTGRES.
pub struct Database {
    pub url: String,
    _folder: tempfile::TempDir,
}

impl Database {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = match std::env::var("FANFARE_TEST_POSTGRES") {
            Ok(server) => new_postgres(&server).await,
            Err(_) => format!("sqlite://{}?mode=rwc", folder.path().join("producer.db").display()),
        };
        Self { url, _folder: folder }
    }

    pub async fn outbox(&self) -> Outbox {
        outbox(&self.url).await
    }

    pub async fn execute(&self, sql: &'static str) {
        let pool = connect(&self.url, 1).await.unwrap();
        sqlx::query(sql).execute(&pool).await.unwrap();
    }

    /// The result of a counting statement.
    pub async fn count(&self, sql: &'static str) -> i64 {
        let pool = connect(&self.url, 1).await.unwrap();
        sqlx::query_scalar(sql).fetch_one(&pool).await.unwrap()
    }
}

pub async fn outbox(url: &str) -> Outbox {
    Outbox::install(connect(url, 4).await.unwrap()).await.unwrap()
}

async fn new_postgres(server: &str) -> String {
    let name = format!("fanfare_{}", uuid::Uuid::now_v7().simple());
    let pool = connect(&format!("{server}/postgres"), 1).await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&pool).await.unwrap();
    format!("{server}/{name}")
}

pub fn event(org: &str, number: u32) -> Encoded {
    testing::encoded(Some(org), number)
}

/// An alert, whose org is optional.
pub fn alert(id: &str, org: Option<&str>, user: Option<&str>, title: &str) -> Encoded {
    let parsed = |name: Option<&str>| name.map(|name| Id::parse(name).unwrap());
    let alert = Alert {
        org: parsed(org),
        user: parsed(user),
        severity: Severity::Info,
        title: title.to_owned(),
        message: String::new(),
        raised_by: String::new(),
        link: None,
    };
    let attributes = Attributes {
        id: id.to_owned(),
        source: "/services/test".to_owned(),
        event_type: TypeName::parse("system.Alert").unwrap(),
        time: Timestamp(0),
        subject: None,
        org: parsed(org),
        data_version: None,
        traceparent: None,
    };
    encode(attributes, &alert).unwrap()
}

/// Commits each event in its own transaction.
pub async fn commit(outbox: &Outbox, events: impl IntoIterator<Item = Encoded>) {
    for event in events {
        let mut tx = outbox.begin().await.unwrap();
        outbox.append(&mut tx, &event).await.unwrap();
        tx.commit().await.unwrap();
        outbox.wake();
    }
}

/// The answer for an event, given how often it was published before.
pub type Answer = Box<dyn FnMut(&Encoded, u32) -> Result<(), PublishError> + Send>;

/// A publisher that remembers what it received and answers as configured.
#[derive(Clone)]
pub struct Recorder(Arc<Mutex<Record>>);

struct Record {
    answer: Answer,
    delay: Duration,
    attempts: HashMap<String, u32>,
    published: Vec<Encoded>,
    in_flight: HashMap<String, u32>,
    most_in_flight: usize,
    overtaken: bool,
}

impl Recorder {
    pub fn new(answer: impl FnMut(&Encoded, u32) -> Result<(), PublishError> + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Record {
            answer: Box::new(answer),
            delay: Duration::ZERO,
            attempts: HashMap::new(),
            published: Vec::new(),
            in_flight: HashMap::new(),
            most_in_flight: 0,
            overtaken: false,
        })))
    }

    pub fn accepting() -> Self {
        Self::new(|_, _| Ok(()))
    }

    pub fn slow(self, delay: Duration) -> Self {
        self.0.lock().unwrap().delay = delay;
        self
    }

    pub fn published(&self) -> Vec<Encoded> {
        self.0.lock().unwrap().published.clone()
    }

    pub fn ids(&self) -> Vec<String> {
        self.published().into_iter().map(|event| event.attributes.id).collect()
    }

    /// The ids of one org's events, in the order in which they were first accepted.
    pub fn first_ids_of(&self, org: &str) -> Vec<String> {
        let mut ids = Vec::new();
        for event in self.published() {
            let of_org = event.attributes.org.as_ref().is_some_and(|found| found.as_str() == org);
            if of_org && !ids.contains(&event.attributes.id) {
                ids.push(event.attributes.id);
            }
        }
        ids
    }

    pub fn attempts(&self, id: &str) -> u32 {
        self.0.lock().unwrap().attempts.get(id).copied().unwrap_or(0)
    }

    pub fn most_in_flight(&self) -> usize {
        self.0.lock().unwrap().most_in_flight
    }

    /// Whether two events of one org were ever in flight together.
    pub fn overtaken(&self) -> bool {
        self.0.lock().unwrap().overtaken
    }

    /// Waits until this many events were accepted.
    pub async fn wait_for(&self, count: usize) {
        until("events to be published", || self.0.lock().unwrap().published.len() >= count).await;
    }
}

/// Counts an event as in flight for as long as it lives, even if the publication is dropped.
struct InFlight(Arc<Mutex<Record>>, String);

impl Drop for InFlight {
    fn drop(&mut self) {
        let mut record = self.0.lock().unwrap();
        record.in_flight.retain(|org, count| {
            *count -= u32::from(*org == self.1);
            *count > 0
        });
    }
}

#[async_trait]
impl Publisher for Recorder {
    async fn publish(&self, event: &Encoded) -> Result<(), PublishError> {
        let org = event.attributes.org.as_ref().map(ToString::to_string).unwrap_or_default();
        let delay = {
            let mut record = self.0.lock().unwrap();
            let of_org = record.in_flight.entry(org.clone()).or_insert(0);
            *of_org += 1;
            record.overtaken |= *of_org > 1;
            record.most_in_flight = record.most_in_flight.max(record.in_flight.len());
            record.delay
        };
        let _in_flight = InFlight(Arc::clone(&self.0), org);
        sleep(delay).await;
        let mut record = self.0.lock().unwrap();
        let attempts = record.attempts.entry(event.attributes.id.clone()).or_insert(0);
        let before = *attempts;
        *attempts += 1;
        (record.answer)(event, before)?;
        record.published.push(event.clone());
        Ok(())
    }
}

/// A relay that runs until it is stopped.
pub struct Running {
    pub stats: Arc<RelayStats>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

pub fn start(outbox: &Outbox, publisher: impl Publisher, options: RelayOptions) -> Running {
    let relay = Relay::new(outbox, publisher, options);
    let stats = relay.stats();
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(relay.run(async move { drop(stopped.await) }));
    Running { stats, stop: Some(stop), task }
}

impl Running {
    pub async fn stop(mut self) {
        drop(self.stop.take());
        timeout(SOON, &mut self.task).await.expect("the relay did not stop").unwrap();
    }

    /// Ends the relay at once, like a crash: it neither finishes nor releases its lease.
    pub async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

pub fn quick() -> RelayOptions {
    RelayOptions {
        lease: Duration::from_secs(2),
        first_pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(50),
        ..RelayOptions::default()
    }
}

pub async fn until(what: &str, mut reached: impl FnMut() -> bool) {
    let deadline = Instant::now() + SOON;
    while !reached() {
        assert!(Instant::now() < deadline, "waited too long for {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

pub async fn until_empty(outbox: &Outbox) {
    let deadline = Instant::now() + SOON;
    while outbox.pending().await.unwrap() > 0 {
        assert!(Instant::now() < deadline, "the outbox does not get empty");
        sleep(Duration::from_millis(5)).await;
    }
}

/// A generator of pseudo-random numbers that are the same for the same seed.
pub struct Seeded(pub u64);

impl Seeded {
    pub fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)) % limit
    }
}
