//! The embedded log of a stopped node, read and written as the node itself would.

use std::path::Path;

use bytes::Bytes;
use fanfare_broker::embedded::{Embedded, Options};
use fanfare_broker::{Broker as _, BrokerError, DeadLetter, Message, Position, Record, Stream};

/// An open log.
#[derive(Debug)]
pub struct Log(Embedded);

impl Log {
    /// Opens the log in a folder.
    ///
    /// # Panics
    /// If it is damaged or in use.
    pub fn open(folder: &Path) -> Self {
        Self(Embedded::open(folder, Options::default()).expect("a sound log that nobody uses"))
    }

    /// Every stored record, from the first.
    ///
    /// # Panics
    /// If the log cannot be read.
    pub async fn records(&self) -> Vec<Record> {
        let head = self.0.head().await.expect("a head");
        let mut reader = match self.0.read(&Position::start(head.incarnation())).await {
            Err(BrokerError::Trimmed { oldest }) => self.0.read(&oldest).await,
            opened => opened,
        }
        .expect("a reader");
        let mut records: Vec<Record> = Vec::new();
        while records.last().map(|record| record.offset) != head.offset(0) {
            records.extend(reader.next().await.expect("a batch"));
        }
        records
    }

    /// Every dead letter, the oldest first.
    ///
    /// # Panics
    /// If the log cannot be read.
    pub async fn dead_letters(&self) -> Vec<DeadLetter> {
        let mut letters = self.0.dead_letters(1000).await.expect("letters");
        letters.reverse();
        letters
    }

    /// Adds a record that no fan-out has checked.
    ///
    /// # Panics
    /// If it is not stored.
    pub async fn append(&self, topic: &str, org: Option<&str>, id: &str, headers: &[(&str, &str)], body: &[u8]) {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let message = Message {
            stream: Stream::Events,
            org: org.map(str::to_owned),
            topic: topic.to_owned(),
            key: None,
            id: id.to_owned(),
            headers: headers.iter().map(owned).collect(),
            body: Bytes::copy_from_slice(body),
        };
        self.0.publish(message).await.expect("stored");
    }

    /// Closes the log.
    pub async fn close(self) {
        self.0.close().await;
    }
}
