//! Readers that fall silent, like those of a client library that waits for something that never arrives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tempfile::TempDir;

use super::{Patience, Watched};
use crate::broker::{Broker, Reader};
use crate::embedded::{Embedded, Options};
use crate::error::{BrokerError, PublishError};
use crate::letter::DeadLetter;
use crate::message::{Message, Published, Record, Stream};
use crate::node_record::{NodeReader, NodeRecord};
use crate::position::Position;

/// A broker whose first readers fall silent forever after this many batches. The broker still answers.
pub(crate) struct Deaf {
    pub(crate) broker: Arc<dyn Broker>,
    pub(crate) after: usize,
    /// How many readers are still to fall silent.
    pub(crate) readers: AtomicUsize,
}

impl Deaf {
    fn wrap(&self, reader: Box<dyn Reader>) -> Box<dyn Reader> {
        let deaf = self.readers.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if deaf { Box::new(Silent { reader, left: self.after }) } else { reader }
    }
}

struct Silent {
    reader: Box<dyn Reader>,
    left: usize,
}

#[async_trait]
impl Reader for Silent {
    async fn next(&mut self) -> Result<Vec<Record>, BrokerError> {
        if self.left == 0 {
            return std::future::pending().await;
        }
        let batch = self.reader.next().await;
        self.left -= 1;
        batch
    }

    fn position(&self) -> &Position {
        self.reader.position()
    }
}

#[async_trait]
impl Broker for Deaf {
    async fn publish(&self, message: Message) -> Result<Published, PublishError> {
        self.broker.publish(message).await
    }

    async fn head(&self) -> Result<Position, BrokerError> {
        self.broker.head().await
    }

    async fn state(&self) -> Result<Box<dyn Reader>, BrokerError> {
        Ok(self.wrap(self.broker.state().await?))
    }

    async fn read(&self, after: &Position) -> Result<Box<dyn Reader>, BrokerError> {
        Ok(self.wrap(self.broker.read(after).await?))
    }

    async fn window(&self, age: Duration, records: u64) -> Result<Position, BrokerError> {
        self.broker.window(age, records).await
    }

    async fn dead_letter(&self, letter: DeadLetter) -> Result<(), PublishError> {
        self.broker.dead_letter(letter).await
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        self.broker.dead_letters(limit).await
    }

    async fn tell_nodes(&self, record: NodeRecord) -> Result<(), PublishError> {
        self.broker.tell_nodes(record).await
    }

    async fn read_nodes(&self) -> Result<Box<dyn NodeReader>, BrokerError> {
        self.broker.read_nodes().await
    }

    async fn close(&self) {
        self.broker.close().await;
    }
}

const SHORT: Patience =
    Patience { quiet: Duration::from_millis(50), behind: Duration::from_millis(150), longest: Duration::from_secs(1) };

fn message(stream: Stream, id: &str) -> Message {
    Message {
        stream,
        org: Some("acme".into()),
        topic: "license.LicenseUpdated".into(),
        key: (stream == Stream::State).then(|| id.to_owned()),
        id: id.into(),
        headers: vec![("ce-org".into(), "acme".into())],
        body: Bytes::from_static(b"body"),
    }
}

/// Reads a log through readers that fall silent: nothing is missing, nothing is returned twice, and each is reported.
pub(crate) async fn readers_that_fall_silent_are_reopened(broker: Arc<dyn Broker>, patience: Patience) {
    const SILENT: usize = 3;
    let deaf = Arc::new(Deaf { broker: Arc::clone(&broker), after: 1, readers: AtomicUsize::new(SILENT) });
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let watched = Watched::new(deaf, move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    })
    .with_patience(patience);
    let start = broker.head().await.expect("a head");
    let mut reader = watched.read(&start).await.expect("a reader");
    let mut seen = Vec::new();
    for n in 0..=SILENT {
        broker.publish(message(Stream::Events, &format!("silent-{n}"))).await.expect("published");
        while seen.len() <= n {
            let batch = tokio::time::timeout(Duration::from_secs(60), reader.next()).await;
            let batch = batch.expect("a reader that is silent is reopened").expect("a batch");
            seen.extend(batch.into_iter().map(|record| record.message.id));
        }
    }
    assert_eq!(seen, (0..=SILENT).map(|n| format!("silent-{n}")).collect::<Vec<_>>());
    assert_eq!(told.load(Ordering::SeqCst), SILENT);
}

fn embedded() -> (TempDir, Arc<dyn Broker>) {
    let folder = TempDir::new().expect("a folder");
    let log = Embedded::open(folder.path(), Options::default()).expect("opens");
    (folder, Arc::new(log))
}

#[tokio::test]
async fn silent_readers_of_an_embedded_log_are_reopened() {
    let (_folder, broker) = embedded();
    readers_that_fall_silent_are_reopened(broker, SHORT).await;
}

#[tokio::test]
async fn silent_readers_of_the_state_are_reopened() {
    let (_folder, broker) = embedded();
    broker.publish(message(Stream::State, "a")).await.expect("published");
    let deaf = Arc::new(Deaf { broker, after: 0, readers: AtomicUsize::new(2) });
    let watched = Watched::new(deaf, |_| {}).with_patience(SHORT);
    let mut state = watched.state().await.expect("a reader");
    let batch = tokio::time::timeout(Duration::from_secs(20), state.next()).await.expect("in time").expect("a batch");
    assert_eq!(batch.len(), 1);
    assert!(state.next().await.expect("the end").is_empty());
}

#[tokio::test]
async fn a_quiet_log_is_left_alone() {
    let (_folder, broker) = embedded();
    broker.publish(message(Stream::Events, "a")).await.expect("published");
    let told = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&told);
    let watched = Watched::new(Arc::clone(&broker), move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let head = broker.head().await.expect("a head");
    let mut reader = watched.with_patience(SHORT).read(&head).await.expect("a reader");
    tokio::time::timeout(Duration::from_secs(1), reader.next()).await.expect_err("nothing comes");
    assert_eq!(told.load(Ordering::SeqCst), 0);
    broker.publish(message(Stream::Events, "b")).await.expect("published");
    let batch = reader.next().await.expect("a batch");
    assert_eq!(batch.len(), 1, "giving up waiting has lost nothing");
}
