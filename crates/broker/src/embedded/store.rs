//! The open file, shared by the writer and the readers.

use std::ops::Bound;
use std::sync::{PoisonError, RwLock};

use bytes::Bytes;
use redb::{Database, ReadableDatabase};

use super::codec;
use super::folder::{Folder, OpenError, Opener};
use super::tables::{LETTERS, LOG, Meta, STATE, damaged};
use crate::error::BrokerError;
use crate::letter::DeadLetter;
use crate::message::Record;

/// The result of reading the log.
pub(super) enum Found {
    /// Records without a gap, from the requested one.
    Records(Vec<Record>),
    /// The requested record was trimmed; this is the oldest stored one, if there is any.
    Trimmed(Option<u64>),
}

/// The bounds of one read.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchLimit {
    pub(super) records: usize,
    pub(super) bytes: usize,
}

/// The file of one log. After a disk failure it is closed and reopened, because the database then refuses all work.
pub(super) struct Store {
    folder: Folder,
    opener: Box<dyn Opener>,
    incarnation: u64,
    database: RwLock<Slot>,
}

/// The file, or why it is not open.
enum Slot {
    Open(Database),
    Failed,
    Closed,
}

impl Store {
    pub(super) fn open(folder: Folder, opener: Box<dyn Opener>) -> Result<(Self, Meta), OpenError> {
        let (database, meta) = folder.open_or_create(opener.as_ref())?;
        let incarnation = meta.incarnation;
        let database = RwLock::new(Slot::Open(database));
        Ok((Self { folder, opener, incarnation, database }, meta))
    }

    /// Closes the file and opens it again. It stays closed if that fails.
    pub(super) fn reopen(&self) -> Result<Meta, OpenError> {
        let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // The old one must be dropped first: it holds the lock of the file.
        *slot = Slot::Failed;
        let opener = self.opener.as_ref();
        let (database, meta) = self.folder.open_again(opener, self.incarnation)?;
        *slot = Slot::Open(database);
        Ok(meta)
    }

    /// Closes the file for good, after its current users, and unlocks the folder.
    pub(super) fn close(&self) {
        let mut slot = self.database.write().unwrap_or_else(PoisonError::into_inner);
        *slot = Slot::Closed;
        self.folder.unlock();
    }

    /// Runs work on the open file.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Database) -> T) -> Result<T, BrokerError> {
        let slot = self.database.read().unwrap_or_else(PoisonError::into_inner);
        match &*slot {
            Slot::Open(database) => Ok(work(database)),
            Slot::Failed => {
                Err(BrokerError::Unavailable("the file of the log is closed after a failure of the disk".into()))
            }
            Slot::Closed => Err(BrokerError::Closed),
        }
    }

    fn reading<T>(&self, read: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, BrokerError> {
        self.with(read)?.map_err(|error| match error {
            redb::Error::Corrupted(reason) => BrokerError::Damaged(reason),
            other => BrokerError::Unavailable(other.to_string()),
        })
    }

    /// Reads the log records from `first` to `last`, inclusive.
    pub(super) fn log(&self, first: u64, last: u64, limit: BatchLimit) -> Result<Found, BrokerError> {
        self.reading(|database| {
            let table = database.begin_read()?.open_table(LOG)?;
            let mut batch = Batch::new(limit);
            for row in table.range(first..=last)? {
                let (offset, encoded) = row?;
                let offset = offset.value();
                if batch.records.is_empty() && offset != first {
                    return Ok(Found::Trimmed(Some(offset)));
                }
                if !batch.push(offset, encoded.value())? {
                    break;
                }
            }
            if batch.records.is_empty() {
                return Ok(Found::Trimmed(None));
            }
            Ok(Found::Records(batch.records))
        })
    }

    /// Reads the newest state records with offsets from `first` to `last`, inclusive.
    pub(super) fn state(&self, first: u64, last: u64, limit: BatchLimit) -> Result<Vec<Record>, BrokerError> {
        self.reading(|database| {
            let table = database.begin_read()?.open_table(STATE)?;
            let mut batch = Batch::new(limit);
            for row in table.range(first..=last)? {
                let (offset, encoded) = row?;
                if !batch.push(offset.value(), encoded.value())? {
                    break;
                }
            }
            Ok(batch.records)
        })
    }

    /// When a record was stored, if it still is.
    pub(super) fn time(&self, offset: u64) -> Result<Option<i64>, BrokerError> {
        self.reading(|database| {
            let table = database.begin_read()?.open_table(LOG)?;
            Ok(table.get(offset)?.and_then(|encoded| codec::time(encoded.value())))
        })
    }

    /// The offset of the oldest record from `first` to `last` that was stored at `since` or later; `last + 1` if there
    /// is none.
    pub(super) fn oldest_since(&self, since: i64, first: u64, last: u64) -> Result<u64, BrokerError> {
        self.reading(|database| {
            let table = database.begin_read()?.open_table(LOG)?;
            let (mut low, mut high) = (first, last + 1);
            while low < high {
                let middle = low + (high - low) / 2;
                // A record trimmed since the call counts as too old.
                let time = match table.get(middle)? {
                    Some(encoded) => codec::time(encoded.value()),
                    None => Some(i64::MIN),
                };
                if time.ok_or_else(|| damaged(format!("record {middle} has no time")))? < since {
                    low = middle + 1;
                } else {
                    high = middle;
                }
            }
            Ok(low)
        })
    }

    /// The dead letters before a source position, or from the end; the highest position first.
    pub(super) fn letters(&self, before: Option<(u32, u64)>, limit: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        self.reading(|database| {
            let table = database.begin_read()?.open_table(LETTERS)?;
            let end = before.map_or(Bound::Unbounded, Bound::Excluded);
            let rows = table.range::<(u32, u64)>((Bound::Unbounded, end))?;
            rows.rev()
                .take(limit)
                .map(|row| {
                    let (source, encoded) = row?;
                    let source = source.value();
                    codec::decode_letter(source, Bytes::copy_from_slice(encoded.value()))
                        .ok_or_else(|| damaged(format!("dead letter of record {}", source.1)))
                })
                .collect()
        })
    }
}

/// Collects decoded records up to a limit.
struct Batch {
    limit: BatchLimit,
    bytes: usize,
    records: Vec<Record>,
}

impl Batch {
    fn new(limit: BatchLimit) -> Self {
        Self { limit, bytes: 0, records: Vec::new() }
    }

    /// Adds a record unless the batch is full. The first one always fits.
    fn push(&mut self, offset: u64, encoded: &[u8]) -> Result<bool, redb::Error> {
        self.bytes += encoded.len();
        let full = self.records.len() >= self.limit.records || self.bytes > self.limit.bytes;
        if full && !self.records.is_empty() {
            return Ok(false);
        }
        let record = codec::decode(offset, Bytes::copy_from_slice(encoded))
            .ok_or_else(|| damaged(format!("record {offset} cannot be decoded")))?;
        self.records.push(record);
        Ok(true)
    }
}
