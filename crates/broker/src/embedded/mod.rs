//! The broker inside the process: a log in one folder, on one machine.
//!
//! A record is visible only after its fsync, and its offset is never used again, also after trimming and restarts. Many
//! publishers share one fsync. One thread writes. Readers at the end of the log are served from memory; all others read
//! the file.
//!
//! ```text
//! publish -> queue -> writer -> commit -> disk -> tail -> readers
//!                        \-> trim          \-> store -> readers that are behind
//! ```

mod clock;
mod codec;
mod commit;
mod condition;
mod folder;
mod inbox;
mod options;
mod queue;
mod reader;
mod store;
mod tables;
mod tail;
#[cfg(test)]
mod tests;
mod trim;
mod writer;

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::spawn_blocking;

pub use self::clock::Clock;
pub use self::folder::OpenError;
pub use self::options::{Options, Window};

use self::condition::LogCondition;
use self::folder::{DiskFile, Folder, Opener};
use self::inbox::Inbox;
use self::queue::{Job, Queue};
use self::reader::{DiskRead, LogReader, StateReader};
use self::store::{BatchLimit, Store};
use self::tail::Tail;
use self::writer::Writer;
use crate::broker::{Broker, Reader};
use crate::condition::Condition;
use crate::error::{BrokerError, PublishError};
use crate::letter::DeadLetter;
use crate::message::{Message, Published};
use crate::node_record::{NodeReader, NodeRecord, NodeTable, TableReader};
use crate::position::Position;

/// The log is one partition.
const PARTITION: u32 = 0;

/// A log in a folder of this machine, for one process at a time.
///
/// Both streams share one partition, so events and state are read in the order in which they were
/// published. Dropping the value waits for the last fsync; [`Broker::close`] does so without
/// blocking.
pub struct Embedded {
    shared: Arc<Shared>,
    head: watch::Receiver<u64>,
    queue: Arc<Queue>,
    writer: Arc<Mutex<Option<JoinHandle<()>>>>,
}

/// What the writer and the readers share.
struct Shared {
    options: Options,
    batch: BatchLimit,
    incarnation: u64,
    store: Store,
    tail: Tail,
    /// The offset of the oldest record kept.
    oldest: AtomicU64,
    reads: Arc<Semaphore>,
    condition: LogCondition,
    nodes: Nodes,
}

/// The node records of this process. There is no other node, and they do not outlive the process.
struct Nodes {
    table: Mutex<NodeTable>,
    /// Counts changes, so that readers wake up.
    changes: watch::Sender<u64>,
}

impl Shared {
    fn position(&self, offset: u64) -> Position {
        let read = (offset > 0).then_some((PARTITION, offset));
        Position::from_parts(self.incarnation, read)
    }

    /// The offset that a position refers to, if it is from this log.
    fn offset(&self, position: &Position, head: u64) -> Result<u64, BrokerError> {
        let other = |reason: String| Err(BrokerError::OtherIncarnation { reason });
        if position.incarnation() != self.incarnation {
            return other(format!(
                "it names log {:016x}, this is log {:016x}",
                position.incarnation(),
                self.incarnation
            ));
        }
        match *position.offsets() {
            [] => Ok(0),
            [(PARTITION, offset)] if offset <= head => Ok(offset),
            [(PARTITION, offset)] => other(format!("it names record {offset} of {head}")),
            _ => other("it names partitions that this log does not have".into()),
        }
    }

    /// The position after a record, with its time if it is still stored.
    async fn behind(self: &Arc<Self>, offset: u64) -> Result<Position, BrokerError> {
        Ok(self.position(offset).with_newest(self.time(offset).await?.unwrap_or_default()))
    }

    /// When a record was stored; none if it is gone.
    async fn time(self: &Arc<Self>, offset: u64) -> Result<Option<i64>, BrokerError> {
        match self.tail.time(offset) {
            None if offset >= self.oldest.load(Ordering::Acquire) => {
                DiskRead::new().get(self, move |shared: &Shared| shared.store.time(offset)).await
            }
            known => Ok(known),
        }
    }

    /// Whether the record at a position is still the one from when the position was created. A folder that was restored
    /// from a copy assigns the same offsets again, and times only rise.
    async fn is_same(self: &Arc<Self>, position: &Position, offset: u64) -> Result<bool, BrokerError> {
        Ok(position.newest() == 0 || self.time(offset).await?.is_none_or(|time| time <= position.newest()))
    }
}

impl Nodes {
    fn table(&self) -> std::sync::MutexGuard<'_, NodeTable> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Embedded {
    /// Opens the log in a folder; creates both if they are missing.
    ///
    /// After a crash the whole file is checked first, which takes about two seconds per gigabyte.
    pub fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        let opener = DiskFile { cache_bytes: options.cache_bytes };
        Self::open_with(path, options, Box::new(opener))
    }

    fn open_with(path: &Path, options: Options, opener: Box<dyn Opener>) -> Result<Self, OpenError> {
        if let Some(fault) = options.fault() {
            return Err(OpenError::Options(fault));
        }
        let (store, meta) = Store::open(Folder::lock(path)?, opener)?;
        let (queue, receiver) = Queue::new(options.queue_records, options.queue_bytes);
        let (sender, head) = watch::channel(meta.head());
        let shared = Arc::new(Shared {
            batch: BatchLimit { records: options.batch_records, bytes: options.batch_bytes },
            incarnation: meta.incarnation,
            store,
            tail: Tail::new(options.tail_bytes),
            oldest: AtomicU64::new(meta.oldest),
            reads: Arc::new(Semaphore::new(options.concurrent_reads)),
            condition: LogCondition::new(meta.age),
            nodes: Nodes { table: Mutex::default(), changes: watch::Sender::new(0) },
            options,
        });
        let inbox = Inbox::new(receiver, &shared.options);
        let writer = Writer::new(Arc::clone(&shared), inbox, sender, meta);
        let thread = std::thread::Builder::new()
            .name("log-writer".into())
            .spawn(move || writer.run())
            .map_err(|source| OpenError::Folder { path: path.to_path_buf(), source })?;
        Ok(Self { shared, head, queue: Arc::new(queue), writer: Arc::new(Mutex::new(Some(thread))) })
    }

    /// The newest visible offset, if the log is still open.
    fn visible(&self) -> Result<u64, BrokerError> {
        if self.head.has_changed().is_err() {
            return Err(BrokerError::Closed);
        }
        Ok(*self.head.borrow())
    }
}

#[async_trait]
impl Broker for Embedded {
    async fn publish(&self, message: Message) -> Result<Published, PublishError> {
        self.shared.options.limits.check(&message)?;
        let (answer, outcome) = oneshot::channel();
        self.queue.push(Job::publish(message, answer))?;
        outcome.await.unwrap_or_else(|_| Err(unanswered()))
    }

    async fn head(&self) -> Result<Position, BrokerError> {
        let head = self.visible()?;
        self.shared.behind(head).await
    }

    async fn state(&self) -> Result<Box<dyn Reader>, BrokerError> {
        self.visible()?;
        let reader = StateReader::new(Arc::clone(&self.shared), self.head.clone());
        Ok(Box::new(reader))
    }

    async fn read(&self, after: &Position) -> Result<Box<dyn Reader>, BrokerError> {
        let head = self.visible()?;
        let offset = self.shared.offset(after, head)?;
        if !self.shared.is_same(after, offset).await? {
            let reason = format!("record {offset} is younger than it was");
            return Err(BrokerError::OtherIncarnation { reason });
        }
        let next = offset + 1;
        let oldest = self.shared.oldest.load(Ordering::Acquire);
        if next < oldest {
            return Err(BrokerError::Trimmed { oldest: self.shared.position(oldest - 1) });
        }
        let reader = LogReader::new(Arc::clone(&self.shared), self.head.clone(), next);
        Ok(Box::new(reader))
    }

    async fn window(&self, age: Duration, records: u64) -> Result<Position, BrokerError> {
        let head = self.visible()?;
        let window = Window { age, records };
        let since = window.since(self.shared.options.clock.now());
        let by_count = (head + 1).saturating_sub(records);
        let first = by_count.max(self.shared.oldest.load(Ordering::Acquire));
        let search = move |shared: &Shared| shared.store.oldest_since(since, first, head);
        let oldest = DiskRead::new().get(&self.shared, search).await?;
        self.shared.behind(oldest - 1).await
    }

    async fn dead_letter(&self, letter: DeadLetter) -> Result<(), PublishError> {
        let letter = letter.cut();
        let (answer, outcome) = oneshot::channel();
        self.queue.push(Job::letter(&letter, answer))?;
        outcome.await.unwrap_or_else(|_| Err(unanswered()))
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        // There is one partition, so the last position is the highest.
        self.dead_letters_before(None, limit).await
    }

    async fn dead_letters_before(
        &self,
        before: Option<(u32, u64)>,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, BrokerError> {
        self.visible()?;
        let read = move |shared: &Shared| shared.store.letters(before, limit);
        DiskRead::new().get(&self.shared, read).await
    }

    async fn tell_nodes(&self, record: NodeRecord) -> Result<(), PublishError> {
        record.check(&self.shared.options.limits)?;
        self.visible().map_err(|error| PublishError::NotStored(error.to_string()))?;
        self.shared.nodes.table().tell(record);
        self.shared.nodes.changes.send_modify(|count| *count += 1);
        Ok(())
    }

    async fn read_nodes(&self) -> Result<Box<dyn NodeReader>, BrokerError> {
        self.visible()?;
        let (shared, head) = (Arc::clone(&self.shared), self.head.clone());
        let (last, changes) = (shared.nodes.table().last(), shared.nodes.changes.subscribe());
        let page = move |place, most| match head.has_changed() {
            Ok(_) => shared.nodes.table().after(place, most),
            Err(_) => Err(BrokerError::Closed),
        };
        Ok(Box::new(TableReader::new(last, changes, Box::new(page))))
    }

    async fn condition(&self) -> Condition {
        self.shared.condition.read()
    }

    async fn close(&self) {
        let (queue, writer) = (Arc::clone(&self.queue), Arc::clone(&self.writer));
        // Fails only if the process is ending anyway.
        let _ = spawn_blocking(move || end(&queue, &writer)).await;
        self.shared.nodes.changes.send_modify(|count| *count += 1);
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        end(&self.queue, &self.writer);
    }
}

impl fmt::Debug for Embedded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Embedded").field("incarnation", &self.shared.incarnation).finish_non_exhaustive()
    }
}

/// Ends the writer and waits for it. The second caller waits for the first.
fn end(queue: &Queue, writer: &Mutex<Option<JoinHandle<()>>>) {
    let mut writer = writer.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(thread) = writer.take() {
        queue.close();
        // A writer that panicked has ended too.
        let _ = thread.join();
    }
}

fn unanswered() -> PublishError {
    PublishError::Unknown("the log was closed before it answered".into())
}
