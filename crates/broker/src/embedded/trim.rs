//! Removes what is older than the retention, in small steps.

use redb::ReadableTable;

use super::clock::milliseconds;
use super::codec;
use super::options::Options;
use super::tables::{Meta, Tables, damaged};

/// What the next step would examine.
struct Oldest {
    time: i64,
    bytes: u64,
    id: String,
}

/// Removes ids outside the de-duplication window and records outside the retention, at most `limit` of both. Returns
/// how many were removed; fewer than `limit` means that nothing is left to do.
///
/// Removal by age uses the clock that the log keeps for it. By the machine's clock, one hour in which it is days ahead
/// would empty the log. `now` only limits what is protected from the bound of bytes.
pub(super) fn step(
    tables: &mut Tables<'_>,
    meta: &mut Meta,
    now: i64,
    options: &Options,
    limit: usize,
) -> Result<usize, redb::Error> {
    let mut gone = 0;
    while gone < limit && meta.ids_from < meta.next {
        let record = look(tables, meta.ids_from)?;
        if options.dedup.holds(meta.ids_from, record.time, meta.next, meta.age) {
            break;
        }
        forget_id(tables, meta, &record.id)?;
        gone += 1;
    }
    while gone < limit && meta.oldest < meta.next {
        let record = look(tables, meta.oldest)?;
        if !may_go(&record, meta, now, options) {
            break;
        }
        // A known id always has its record, so that a second one can be compared with it.
        if meta.ids_from == meta.oldest {
            forget_id(tables, meta, &record.id)?;
        }
        tables.log.remove(meta.oldest)?;
        meta.log_bytes = meta.log_bytes.saturating_sub(record.bytes);
        meta.oldest += 1;
        gone += 1;
    }
    Ok(gone)
}

fn may_go(record: &Oldest, meta: &Meta, now: i64, options: &Options) -> bool {
    let (offset, next) = (meta.oldest, meta.next);
    let protected = options.protected.holds(offset, record.time, next, now);
    let protected_by_age = options.protected.holds(offset, record.time, next, meta.age);
    let expired = record.time < meta.age.saturating_sub(milliseconds(options.retention_age));
    (expired && !protected_by_age) || (!protected && meta.log_bytes > options.retention_bytes)
}

fn look(tables: &Tables<'_>, offset: u64) -> Result<Oldest, redb::Error> {
    let row = tables.log.get(offset)?;
    let encoded = row.as_ref().map(|row| row.value()).unwrap_or_default();
    match (codec::time(encoded), codec::id(encoded)) {
        (Some(time), Some(id)) => Ok(Oldest { time, bytes: encoded.len() as u64, id }),
        _ => Err(damaged(format!("record {offset} is missing or damaged"))),
    }
}

fn forget_id(tables: &mut Tables<'_>, meta: &mut Meta, id: &str) -> Result<(), redb::Error> {
    let known = tables.ids.get(id.as_bytes())?.map(|row| row.value());
    // A later record may have taken over the id.
    if known == Some(meta.ids_from) {
        tables.ids.remove(id.as_bytes())?;
    }
    meta.ids_from += 1;
    Ok(())
}
