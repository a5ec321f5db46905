//! One write transaction for a group of jobs: one fsync for all of them.

use bytes::Bytes;
use redb::{Database, ReadableTable, ReadableTableMetadata};

use super::PARTITION;
use super::codec;
use super::options::Options;
use super::queue::{Entry, Job, Letter, Publish};
use super::tables::{Meta, Tables, damaged};
use super::trim;
use crate::age_clock::AgeClock;
use crate::message::{Message, Published};

/// Trimming is part of each append: for each new record up to this many old ones may be removed, so the log shrinks to
/// its bounds even under constant load.
const TRIM_PER_APPEND: usize = 2;

/// The outcome of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Published(Published),
    Letter { new: bool },
    Nothing,
}

impl Outcome {
    fn is_new(self) -> bool {
        match self {
            Self::Published(published) => !published.duplicate,
            Self::Letter { new } => new,
            Self::Nothing => false,
        }
    }
}

/// The outcome of a group.
pub(super) struct Committed {
    pub(super) meta: Meta,
    /// One for each job.
    pub(super) outcomes: Vec<Outcome>,
    /// The broker time of the records.
    pub(super) time: i64,
    /// Trimming stopped at its limit; there may be more to trim.
    pub(super) more_to_trim: bool,
}

/// Why a group was not committed.
pub(super) enum Failure {
    /// Nothing was written.
    Before(String),
    /// The disk failed during the write; part of it may be stored.
    During(String),
}

impl From<redb::Error> for Failure {
    fn from(error: redb::Error) -> Self {
        Self::Before(error.to_string())
    }
}

/// Writes a group and waits until it is on disk.
pub(super) fn group(
    database: &Database,
    before: Meta,
    entries: &mut [Entry],
    options: &Options,
    age: &mut AgeClock,
) -> Result<Committed, Failure> {
    let transaction = database.begin_write().map_err(redb::Error::from)?;
    let mut meta = before;
    // Broker time never goes back, whatever the machine's clock does.
    let now = options.clock.now().max(meta.last_time);
    meta.last_time = now;
    meta.age = age.pass(now, options.clock.elapsed());
    let mut outcomes = Vec::with_capacity(entries.len());
    let (limit, trimmed);
    {
        let mut tables = Tables::open(&transaction)?;
        for entry in entries {
            outcomes.push(match &mut entry.job {
                Job::Publish(publish) => append(&mut tables, &mut meta, publish, options)?,
                Job::Letter(letter) => keep_letter(&mut tables, letter, options.letters)?,
                _ => Outcome::Nothing,
            });
        }
        let appended = usize::try_from(meta.next - before.next).unwrap_or(usize::MAX);
        limit = appended.saturating_mul(TRIM_PER_APPEND);
        trimmed = trim::step(&mut tables, &mut meta, now, options, limit)?;
        meta.save(&mut tables.meta)?;
    }
    // A group that contains only duplicates needs no fsync.
    if trimmed > 0 || outcomes.iter().any(|o| o.is_new()) {
        transaction.commit().map_err(|e| Failure::During(e.to_string()))?;
    } else {
        meta = before;
        transaction.abort().map_err(redb::Error::from)?;
    }
    Ok(Committed { meta, outcomes, time: now, more_to_trim: limit > 0 && trimmed == limit })
}

/// Trims while there is nothing to write. Returns how many entries were removed.
pub(super) fn trim(
    database: &Database,
    before: Meta,
    options: &Options,
    limit: usize,
    age: &mut AgeClock,
) -> Result<(Meta, usize), Failure> {
    let transaction = database.begin_write().map_err(redb::Error::from)?;
    let mut meta = before;
    let now = options.clock.now().max(meta.last_time);
    meta.age = age.pass(meta.last_time, options.clock.elapsed());
    let gone;
    {
        let mut tables = Tables::open(&transaction)?;
        gone = trim::step(&mut tables, &mut meta, now, options, limit)?;
        meta.save(&mut tables.meta)?;
    }
    if gone > 0 {
        transaction.commit().map_err(|e| Failure::During(e.to_string()))?;
    } else {
        transaction.abort().map_err(redb::Error::from)?;
    }
    Ok((meta, gone))
}

/// Writes existing data again, to find out whether the disk accepts writes.
pub(super) fn probe(database: &Database, meta: Meta) -> Result<Meta, Failure> {
    let transaction = database.begin_write().map_err(redb::Error::from)?;
    meta.save(&mut Tables::open(&transaction)?.meta)?;
    transaction.commit().map_err(|e| Failure::During(e.to_string()))?;
    Ok(meta)
}

fn append(
    tables: &mut Tables<'_>,
    meta: &mut Meta,
    publish: &mut Publish,
    options: &Options,
) -> Result<Outcome, redb::Error> {
    let id = publish.message.id.as_bytes();
    let known = tables.ids.get(id)?.map(|row| row.value());
    if let Some(first) = known {
        let row = tables.log.get(first)?;
        let row = row.ok_or_else(|| damaged(format!("record {first} of a known id is missing")))?;
        let time = codec::time(row.value()).unwrap_or(i64::MIN);
        if options.dedup.holds(first, time, meta.next, meta.age) {
            return Ok(Outcome::Published(Published {
                partition: PARTITION,
                offset: first,
                duplicate: true,
                conflicting: conflicts(row.value(), &publish.message),
            }));
        }
    }
    let offset = meta.next;
    codec::stamp(&mut publish.encoded, meta.last_time);
    tables.log.insert(offset, publish.encoded.as_slice())?;
    tables.ids.insert(id, offset)?;
    if let Some(key) = &publish.state_key {
        let older = if publish.message.is_tombstone() {
            tables.state_keys.remove(key.as_slice())?
        } else {
            tables.state.insert(offset, publish.encoded.as_slice())?;
            tables.state_keys.insert(key.as_slice(), offset)?
        };
        if let Some(older) = older.map(|row| row.value()) {
            tables.state.remove(older)?;
        }
    }
    meta.next += 1;
    meta.log_bytes += publish.encoded.len() as u64;
    Ok(Outcome::Published(Published { partition: PARTITION, offset, duplicate: false, conflicting: false }))
}

/// Whether a message with a known id has other content than the first one. Headers may differ: a second attempt has its
/// own trace.
fn conflicts(first: &[u8], message: &Message) -> bool {
    let Some(first) = codec::decode(0, Bytes::copy_from_slice(first)) else {
        return true;
    };
    let first = first.message;
    first.body != message.body
        || first.stream != message.stream
        || first.topic != message.topic
        || first.org != message.org
        || first.key != message.key
}

fn keep_letter(tables: &mut Tables<'_>, letter: &Letter, limit: u64) -> Result<Outcome, redb::Error> {
    let new = tables.letters.get(letter.source)?.is_none();
    if new {
        tables.letters.insert(letter.source, letter.encoded.as_slice())?;
    }
    while tables.letters.len()? > limit {
        tables.letters.pop_first()?;
    }
    Ok(Outcome::Letter { new })
}
