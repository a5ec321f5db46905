//! Positions: the end of the log, the start of the replay window, and whether a position is from this log.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::cluster::{Cluster, Log};
use super::names::Part;
use crate::error::BrokerError;
use crate::message::Stream;
use crate::position::Position;

/// How far apart the clocks of node and brokers may be, tried in this order, in milliseconds.
const SKEWS: [i64; 5] = [0, 1_000, 60_000, 3_600_000, 86_400_000];

/// How often a log that seems to have lost its end is checked again: a broker that has just restarted may first report
/// an end that is too low.
const SECOND_LOOKS: u32 = 4;

/// The pause before such a check.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// The offset of the next record, by partition.
pub(super) type Ends = BTreeMap<Part, u64>;

/// The position after the last visible record.
pub(super) fn head(cluster: &Cluster) -> Result<Position, BrokerError> {
    let log = cluster.log()?;
    let ends = cluster.ends(&log.parts)?;
    before(cluster, log.incarnation, &ends)
}

/// The position just before these offsets. Nothing that it covers is younger than its `newest`.
fn before(cluster: &Cluster, incarnation: u64, next: &Ends) -> Result<Position, BrokerError> {
    let read = next.iter().filter_map(|(part, next)| Some((cluster.names.number(*part), next.checked_sub(1)?)));
    let position = Position::from_parts(incarnation, read);
    if position.offsets().is_empty() {
        return Ok(position);
    }
    Ok(position.with_newest(not_younger_than(cluster, next)?))
}

/// A time such that no record before these offsets is younger; 0 if none is found.
fn not_younger_than(cluster: &Cluster, next: &Ends) -> Result<i64, BrokerError> {
    let now = now();
    for skew in SKEWS {
        let time = now + skew;
        let younger = cluster.since(next.keys().map(|part| (*part, time + 1)))?;
        let covered = |(part, first): (&Part, &Option<u64>)| first.is_some_and(|first| first < next[part]);
        if !younger.iter().any(covered) {
            return Ok(time);
        }
    }
    tracing::warn!("brokers store records a day ahead of this node's clock, so a recreated log may not be noticed");
    Ok(0)
}

/// The position just before the window: records not older than `age`, the newest `records` of them by the broker's
/// time, over all partitions.
///
/// Only partitions of events are counted: state is compacted, so its offsets say little about the number of records.
/// State is read from the time at which the events start.
pub(super) fn window(cluster: &Cluster, age: Duration, records: u64) -> Result<Position, BrokerError> {
    let Log { parts, incarnation } = cluster.log()?;
    let (starts, ends) = (cluster.starts(&parts)?, cluster.ends(&parts)?);
    let oldest = now().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)).max(0);
    let from = |time: i64| -> Result<Ends, BrokerError> {
        let since = cluster.since(parts.iter().map(|part| (*part, time)))?;
        let offset = |part: &Part| since.get(part).copied().flatten().unwrap_or(ends[part]);
        Ok(parts.iter().map(|part| (*part, offset(part).clamp(starts[part], ends[part].max(starts[part])))).collect())
    };
    let is_event = |part: &Part| cluster.names.topics[part.topic].stream == Stream::Events;
    let count = |from: &Ends| from.iter().filter(|(part, _)| is_event(part)).map(|(part, at)| ends[part] - at).sum();
    if records == 0 {
        return before(cluster, incarnation, &ends);
    }
    let mut first = from(oldest)?;
    let all: u64 = count(&first);
    if all > records {
        // The latest time since which there are enough records.
        let (mut enough, mut too_few) = (oldest, now() + SKEWS[SKEWS.len() - 1]);
        while too_few - enough > 1 {
            let middle = enough + (too_few - enough) / 2;
            let offsets = from(middle)?;
            if count(&offsets) >= records {
                (enough, first) = (middle, offsets);
            } else {
                too_few = middle;
            }
        }
        // Of the records stored in that very millisecond, some exceed the number.
        let next = from(enough + 1)?;
        let mut excess = count(&first).saturating_sub(records);
        for (part, offset) in first.iter_mut().filter(|(part, _)| is_event(part)) {
            let dropped = excess.min(next[part].saturating_sub(*offset));
            *offset += dropped;
            excess -= dropped;
        }
    }
    before(cluster, incarnation, &first)
}

/// The last record that was read of a partition, or that a position covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) offset: u64,
    /// No record up to here is younger; 0 if unknown.
    pub(super) time: i64,
}

/// A reader's anchors, by partition.
pub(super) type Anchors = BTreeMap<Part, Anchor>;

/// The result of [`compare`].
pub(super) struct Compared {
    /// All existing partitions, each with the offset of its next record.
    pub(super) ends: Ends,
}

/// Compares what was read with the current log: are the records the same, and is what comes next still stored?
///
/// Records of one topic are stored with growing times. A topic that was recreated, or lost its end because a broker
/// that lacked records became the leader, has younger records in the same places.
pub(super) fn compare(cluster: &Cluster, read: &Anchors, position: &Position) -> Result<Compared, BrokerError> {
    let mut looks = 0;
    loop {
        let log = cluster.log()?;
        if log.incarnation != position.incarnation() {
            let (its, ours) = (position.incarnation(), log.incarnation);
            let reason = format!("it is one of {its:016x}, this cluster with these topics is {ours:016x}");
            return Err(BrokerError::OtherIncarnation { reason });
        }
        let Some(reason) = lost(cluster, read, &log.parts)? else { break };
        looks += 1;
        if looks > SECOND_LOOKS {
            return Err(BrokerError::OtherIncarnation { reason });
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    let stamped = read.iter().filter(|(_, anchor)| anchor.time > 0);
    let younger = cluster.since(stamped.map(|(part, anchor)| (*part, anchor.time + 1)))?;
    for (part, first) in younger {
        let anchor = read[&part];
        if first.is_some_and(|first| first <= anchor.offset) {
            let name = cluster.names.name(part);
            let reason = format!("record {} of {name}/{} is younger than it was", anchor.offset, part.partition);
            return Err(BrokerError::OtherIncarnation { reason });
        }
    }
    let parts = cluster.log()?.parts;
    let (starts, ends) = (cluster.starts(&parts)?, cluster.ends(&parts)?);
    kept(cluster, &starts, position)?;
    Ok(Compared { ends })
}

/// What the log has lost at its end.
fn lost(cluster: &Cluster, read: &Anchors, parts: &[Part]) -> Result<Option<String>, BrokerError> {
    let ends = cluster.ends(parts)?;
    let lost = read.iter().find_map(|(part, anchor)| {
        let name = cluster.names.name(*part);
        match ends.get(part) {
            None => Some(format!("the topic {name} has no partition {}", part.partition)),
            Some(end) if *end <= anchor.offset => {
                Some(format!("record {} of {name}/{} is not there, its end is {end}", anchor.offset, part.partition))
            }
            Some(_) => None,
        }
    });
    Ok(lost)
}

/// Whether the records after a position are still stored.
fn kept(cluster: &Cluster, starts: &Ends, position: &Position) -> Result<(), BrokerError> {
    let mut oldest = position.clone();
    let mut trimmed = false;
    for (part, start) in starts {
        let number = cluster.names.number(*part);
        let next = position.offset(number).map_or(0, |read| read + 1);
        if let Some(gone) = start.checked_sub(1)
            && *start > next
        {
            oldest.advance_to(number, gone);
            trimmed = true;
        }
    }
    if trimmed {
        return Err(BrokerError::Trimmed { oldest });
    }
    Ok(())
}

/// The anchors of the partitions that a position names.
pub(super) fn anchors(cluster: &Cluster, position: &Position) -> Result<Anchors, BrokerError> {
    let other = |reason: String| Err(BrokerError::OtherIncarnation { reason });
    let mut anchors = Anchors::new();
    for &(number, offset) in position.offsets() {
        let Some(part) = cluster.names.part(number) else {
            return other(format!("it names partition {number}, which belongs to none of these topics"));
        };
        anchors.insert(part, Anchor { offset, time: position.newest() });
    }
    Ok(anchors)
}

fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

/// The same position, with a time that is at least that of every record it covers.
pub(super) fn stamped(cluster: &Cluster, position: Position) -> Result<Position, BrokerError> {
    if position.newest() > 0 || position.offsets().is_empty() {
        return Ok(position);
    }
    let covered =
        position.offsets().iter().filter_map(|(number, offset)| Some((cluster.names.part(*number)?, *offset)));
    let next: Ends = covered.map(|(part, offset)| (part, offset + 1)).collect();
    let newest = not_younger_than(cluster, &next)?;
    Ok(position.with_newest(newest))
}
