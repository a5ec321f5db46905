//! The trait that all brokers implement.

use std::cmp::Reverse;
use std::time::Duration;

use async_trait::async_trait;

use crate::condition::Condition;
use crate::error::{BrokerError, PublishError};
use crate::letter::{DeadLetter, LETTERS_KEPT};
use crate::message::{Message, Published, Record};
use crate::node_record::{NodeReader, NodeRecord};
use crate::position::Position;

/// How long one record of the log may take to arrive.
const RECORD_PATIENCE: Duration = Duration::from_secs(10);

/// A log of messages that every node reads independently.
///
/// Records of one partition are read in the order in which they were stored. If a publisher waits for each answer, its
/// messages are stored in the order in which it sent them, within each partition.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Stores a message. The answer comes once the message survives a crash of the broker process.
    ///
    /// Dropping the future early leaves the outcome unknown.
    async fn publish(&self, message: Message) -> Result<Published, PublishError>;

    /// The position of the last visible record.
    ///
    /// The first call of any kind connects, checks the streams, and creates missing ones if it is allowed to. It fails
    /// with [`BrokerError::Unavailable`] while the broker is unreachable, and with [`BrokerError::Refused`] if waiting
    /// does not help.
    async fn head(&self) -> Result<Position, BrokerError>;

    /// The end of the log, for a producer that has only the right to publish: the log's incarnation, and the last
    /// offset assigned in each partition.
    ///
    /// If a producer knows a later offset of a partition, or another incarnation, the log has lost its end. The
    /// producer must then publish again what it has published since.
    async fn ends(&self) -> Result<Position, BrokerError> {
        self.head().await
    }

    /// How long after its acknowledgement a message may still be lost if machines lose power. A producer should be able
    /// to publish it again for that long. Zero if an acknowledgement is final.
    fn horizon(&self) -> Duration {
        Duration::ZERO
    }

    /// Reads the newest [`crate::Stream::State`] record of each key, oldest first within each
    /// partition.
    ///
    /// [`Reader::next`] returns an empty batch once everything that existed at the call was read. If a key changes
    /// meanwhile, the newer record is returned. A broker that compacts in the background may also return older records
    /// of a key, and tombstones. The last record of a key counts, and a key whose last record is a tombstone is
    /// removed.
    async fn state(&self) -> Result<Box<dyn Reader>, BrokerError>;

    /// Reads all records of both streams strictly after a position, then waits for new ones.
    ///
    /// Fails with [`BrokerError::OtherIncarnation`] if the position is from another stream, and with
    /// [`BrokerError::Trimmed`] if records after it were removed.
    async fn read(&self, after: &Position) -> Result<Box<dyn Reader>, BrokerError>;

    /// The position just before the oldest record of the replay window: records not older than
    /// `age`, at most `records` of them, whichever ends first.
    async fn window(&self, age: Duration, records: u64) -> Result<Position, BrokerError>;

    /// Stores a record that could not be used. Each record has one letter: the first one written, however many nodes
    /// write it. In a recreated log, a letter replaces the old log's letter about the same place.
    async fn dead_letter(&self, letter: DeadLetter) -> Result<(), PublishError>;

    /// The newest dead letters, at most `limit`, by source position within each partition, newest
    /// first.
    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BrokerError>;

    /// A page of dead letters by source position, the highest first: at most `limit` of those before `before`, or from
    /// the end.
    ///
    /// This default reads all stored letters with their bodies; a broker that can seek should override it.
    async fn dead_letters_before(
        &self,
        before: Option<(u32, u64)>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, BrokerError> {
        let mut letters = self.dead_letters(LETTERS_KEPT).await?;
        letters.retain(|letter| before.is_none_or(|place| letter.place() < place));
        letters.sort_unstable_by_key(|letter| Reverse(letter.place()));
        letters.truncate(limit);
        Ok(letters)
    }

    /// The dead letter about one record, if there is one.
    async fn dead_letter_at(&self, partition: u32, offset: u64) -> Result<Option<DeadLetter>, BrokerError> {
        let behind = offset.checked_add(1).map(|behind| (partition, behind));
        let letters = self.dead_letters_before(behind, 1).await?;
        Ok(letters.into_iter().find(|letter| letter.place() == (partition, offset)))
    }

    /// The record at a place of the log, if it is still stored.
    ///
    /// This default reads the log from just before that place; a broker that can fetch one record should override it.
    async fn record_at(&self, partition: u32, offset: u64) -> Result<Option<Record>, BrokerError> {
        let head = self.head().await?;
        if !head.covers(partition, offset) {
            return Ok(None);
        }
        let others = head.offsets().iter().copied().filter(|(other, _)| *other != partition);
        let before = offset.checked_sub(1).map(|before| (partition, before));
        let after = Position::from_parts(head.incarnation(), others.chain(before)).with_newest(head.newest());
        let mut reader = match self.read(&after).await {
            Err(BrokerError::Trimmed { .. }) => return Ok(None),
            opened => opened?,
        };
        while !reader.position().covers(partition, offset) {
            let batch = tokio::time::timeout(RECORD_PATIENCE, reader.next()).await;
            let batch = batch.map_err(|_| BrokerError::Unavailable("a record did not come in time".into()))??;
            let found = batch.into_iter().find(|record| (record.partition, record.offset) == (partition, offset));
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Stores a node's record in place of the node's previous record with the same name. These records are not in the
    /// log: they have no position, and no cursor or window covers them.
    ///
    /// Only the node itself writes its records, but any node may remove the records of a node that is gone.
    async fn tell_nodes(&self, record: NodeRecord) -> Result<(), PublishError>;

    /// Reads the nodes' records, starting with the newest of each.
    ///
    /// The stream is checked and created like those of the log. Producers need no right to it.
    async fn read_nodes(&self) -> Result<Box<dyn NodeReader>, BrokerError>;

    /// The broker's condition as far as it is known without a request: cheap, for a node's probes.
    async fn condition(&self) -> Condition {
        Condition::default()
    }

    /// Finishes accepted messages and releases the broker's resources. Later calls fail, and readers end with
    /// [`BrokerError::Closed`].
    async fn close(&self);
}

/// Reads records in order.
#[async_trait]
pub trait Reader: Send {
    /// The next records, in a batch of bounded size. Waits until there are some.
    ///
    /// A batch of a log's reader is empty if the reader passed a hole and found no record after it; [`Self::position`]
    /// then tells how far it has come. Cancel safe: if the future is dropped, the next call returns what this one would
    /// have returned. After [`BrokerError::Unavailable`] the caller may call again, and the reader continues where it
    /// was. Any other error ends the reader.
    async fn next(&mut self) -> Result<Vec<Record>, BrokerError>;

    /// How far the reader has come: every record up to here was returned or never will be, for instance because its
    /// place is a hole.
    fn position(&self) -> &Position;
}
