//! The one trait that all brokers implement.

use std::cmp::Reverse;
use std::time::Duration;

use async_trait::async_trait;

use crate::condition::Condition;
use crate::error::{BrokerError, PublishError};
use crate::letter::{DeadLetter, LETTERS_KEPT};
use crate::message::{Message, Published, Record};
use crate::node_record::{NodeReader, NodeRecord};
use crate::position::Position;

/// How long one record of the log is waited for.
const RECORD_PATIENCE: Duration = Duration::from_secs(10);

/// A log of messages that every node reads by itself.
///
/// Records of one partition are read in the order in which they were stored. A publisher that
/// waits for each answer finds its messages for one partition in the order it sent them.
#[async_trait]
pub trait Broker: Send + Sync + 'static {
    /// Stores a message. The answer comes once the message survives a crash of the broker process.
    ///
    /// Dropping the future early leaves the outcome unknown.
    async fn publish(&self, message: Message) -> Result<Published, PublishError>;

    /// The position of the last visible record.
    ///
    /// The first call of any kind connects, compares the streams with what they must be, and makes those that are
    /// missing where it may. It fails with [`BrokerError::Unavailable`] while the broker is away, and with
    /// [`BrokerError::Refused`] if waiting is no help.
    async fn head(&self) -> Result<Position, BrokerError>;

    /// Where the log ends, as a producer may ask with no more rights than to publish: its incarnation, and the last
    /// offset that each partition has given.
    ///
    /// A producer that knows a later offset of one of them, or another incarnation, knows that the log has lost its end:
    /// what it has published since is to be published again.
    async fn ends(&self) -> Result<Position, BrokerError> {
        self.head().await
    }

    /// For how long after its acknowledgement a message may still be lost, when machines lose their power: for so long a
    /// producer should be able to publish it again. Zero where an acknowledgement is for good.
    fn horizon(&self) -> Duration {
        Duration::ZERO
    }

    /// Reads the newest [`crate::Stream::State`] record of each key, oldest first within each
    /// partition.
    ///
    /// [`Reader::next`] gives an empty batch once everything that existed at the call was read. Of
    /// a key that changes meanwhile the newer record comes. A broker that compacts in the
    /// background may also give older records of a key and tombstones: the last record read of a
    /// key counts, and a key whose last record is a tombstone is removed.
    async fn state(&self) -> Result<Box<dyn Reader>, BrokerError>;

    /// Reads all records of both streams strictly after a position, then waits for new ones.
    ///
    /// Fails with [`BrokerError::OtherIncarnation`] if the position is not one of this stream, and
    /// with [`BrokerError::Trimmed`] if records after it are no longer kept.
    async fn read(&self, after: &Position) -> Result<Box<dyn Reader>, BrokerError>;

    /// The position just before the oldest record of the replay window: records not older than
    /// `age`, at most `records` of them, whichever ends first.
    async fn window(&self, age: Duration, records: u64) -> Result<Position, BrokerError>;

    /// Keeps a record that could not be used. There is one letter for each record, the first one
    /// written, however many nodes write it. In a log that was made anew it takes the place of a letter about the old
    /// one's record in that place.
    async fn dead_letter(&self, letter: DeadLetter) -> Result<(), PublishError>;

    /// The newest dead letters, at most `limit`, by source position within each partition, newest
    /// first.
    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BrokerError>;

    /// A page of dead letters in the order of their source positions, the last position first: at most `limit` of
    /// those before `before`, or from the end.
    ///
    /// This default reads all letters that are kept, with their bodies; a broker that can seek should do that.
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

    /// One record of the log by its place, if it is still kept.
    ///
    /// This default reads the log from just before that place; a broker that can get one record should do that.
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

    /// Keeps what a node says of itself, in place of what was said of the same thing before. The log does not hold it: it
    /// has no position, and no cursor and no window covers it.
    ///
    /// A node is the only writer of what it says, but that any node may take back what one has said that is gone.
    async fn tell_nodes(&self, record: NodeRecord) -> Result<(), PublishError>;

    /// Reads what nodes say of themselves, from the newest record of each on.
    ///
    /// The stream is compared with what it must be, and made where it is missing, with those of the log. Producers need
    /// no right to it.
    async fn read_nodes(&self) -> Result<Box<dyn NodeReader>, BrokerError>;

    /// How the broker is, as far as it knows without asking anybody: cheap, for the probes of a node.
    async fn condition(&self) -> Condition {
        Condition::default()
    }

    /// Finishes what was accepted and gives back what the broker holds. Later calls fail, and
    /// readers end with [`BrokerError::Closed`].
    async fn close(&self);
}

/// Reads records in order.
#[async_trait]
pub trait Reader: Send {
    /// The next records in a batch of bounded size. Waits until there are some.
    ///
    /// A batch of a log's reader may be empty where the reader moved on over a hole and found no record behind it;
    /// [`Self::position`] then says how far it came. Cancel safe: if the future is dropped, the next call gives what
    /// it would have given. After [`BrokerError::Unavailable`] it may be asked again and goes on where it was; any
    /// other error ends it.
    async fn next(&mut self) -> Result<Vec<Record>, BrokerError>;

    /// How far the reader has come: every record up to here was given or never will be, for instance because
    /// its place is a hole.
    fn position(&self) -> &Position;
}
