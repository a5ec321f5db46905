//! The tables of the file, and the row with the log's bookkeeping.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::{SystemTime, UNIX_EPOCH};

use redb::{ReadableTable, Table, TableDefinition, WriteTransaction};

use super::clock::milliseconds;

type Bytes = &'static [u8];

/// Offset to record.
pub(super) const LOG: TableDefinition<'_, u64, Bytes> = TableDefinition::new("log");
/// De-duplication id to the offset of the first record with it.
pub(super) const IDS: TableDefinition<'_, Bytes, u64> = TableDefinition::new("ids");
/// Offset to the newest record of a state key; in log order.
pub(super) const STATE: TableDefinition<'_, u64, Bytes> = TableDefinition::new("state");
/// State key to the offset of its newest record.
pub(super) const STATE_KEYS: TableDefinition<'_, Bytes, u64> = TableDefinition::new("state_keys");
/// Source partition and offset to dead letter.
pub(super) const LETTERS: TableDefinition<'_, (u32, u64), Bytes> = TableDefinition::new("letters");
/// The rows of [`Meta`]. This table has the same shape in every format, so that an older program can report that a file
/// is too new for it.
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// The format that this program writes.
pub(super) const FORMAT: u64 = 1;

/// The log's bookkeeping; changes in the same transaction as the log itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meta {
    /// The incarnation of the log.
    pub(super) incarnation: u64,
    /// The offset of the next record.
    pub(super) next: u64,
    /// The offset of the oldest record kept; `next` if there is none.
    pub(super) oldest: u64,
    /// The offset from which records have their id in the table of ids.
    pub(super) ids_from: u64,
    /// The bytes of all stored records.
    pub(super) log_bytes: u64,
    /// The newest broker time assigned.
    pub(super) last_time: i64,
    /// The time of the clock for removals when it was last stored; 0 as long as there is nothing to remove.
    pub(super) age: i64,
}

impl Meta {
    /// The start of a new log. Offsets start at 1, so that 0 means: before the first.
    pub(super) fn new() -> Self {
        Self { incarnation: random(), next: 1, oldest: 1, ids_from: 1, log_bytes: 0, last_time: 0, age: 0 }
    }

    /// The offset of the newest record; 0 if there never was one.
    pub(super) fn head(&self) -> u64 {
        self.next - 1
    }

    pub(super) fn load(table: &impl ReadableTable<&'static str, u64>) -> Result<Self, redb::Error> {
        let row = |name: &str| -> Result<u64, redb::Error> {
            match table.get(name)? {
                Some(value) => Ok(value.value()),
                None => Err(damaged(format!("the row {name} is missing"))),
            }
        };
        let last_time = row("last_time")?.cast_signed();
        // Files of earlier versions lack it. Their newest time comes from a clock that may have been ahead.
        let age = table.get("age")?.map(|value| value.value().cast_signed());
        let meta = Self {
            incarnation: row("incarnation")?,
            next: row("next")?,
            oldest: row("oldest")?,
            ids_from: row("ids_from")?,
            log_bytes: row("log_bytes")?,
            last_time,
            age: age.unwrap_or_else(|| last_time.min(wall_time())),
        };
        if meta.oldest == 0 || meta.oldest > meta.next || meta.ids_from > meta.next {
            return Err(damaged(format!("impossible offsets: {meta:?}")));
        }
        Ok(meta)
    }

    pub(super) fn save(&self, table: &mut Table<'_, &'static str, u64>) -> Result<(), redb::Error> {
        let rows = [
            ("incarnation", self.incarnation),
            ("next", self.next),
            ("oldest", self.oldest),
            ("ids_from", self.ids_from),
            ("log_bytes", self.log_bytes),
            ("last_time", self.last_time.cast_unsigned()),
            ("age", self.age.cast_unsigned()),
        ];
        for (name, value) in rows {
            table.insert(name, value)?;
        }
        Ok(())
    }
}

fn wall_time() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, milliseconds)
}

/// All tables, open for one write transaction.
pub(super) struct Tables<'t> {
    pub(super) log: Table<'t, u64, Bytes>,
    pub(super) ids: Table<'t, Bytes, u64>,
    pub(super) state: Table<'t, u64, Bytes>,
    pub(super) state_keys: Table<'t, Bytes, u64>,
    pub(super) letters: Table<'t, (u32, u64), Bytes>,
    pub(super) meta: Table<'t, &'static str, u64>,
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            log: transaction.open_table(LOG)?,
            ids: transaction.open_table(IDS)?,
            state: transaction.open_table(STATE)?,
            state_keys: transaction.open_table(STATE_KEYS)?,
            letters: transaction.open_table(LETTERS)?,
            meta: transaction.open_table(META)?,
        })
    }
}

pub(super) fn damaged(reason: impl Into<String>) -> redb::Error {
    redb::Error::Corrupted(reason.into())
}

/// A number that differs for each log: the hasher's keys come from the operating system.
fn random() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    hasher.write_u128(now.map_or(0, |d| d.as_nanos()));
    hasher.write_u32(std::process::id());
    hasher.finish()
}
