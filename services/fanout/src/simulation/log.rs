//! A log as the three brokers keep it: partitions with clocks of their own, holes, compaction, retention, outages.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use fanfare_broker::{Message, Position, Record, Stream};
use fanfare_e2e_tests::Random;

/// What a broker does with a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// One partition for everything, and a table of the newest state.
    Embedded,
    /// A partition of events and one of state, of which each key keeps its newest record alone.
    Nats,
    /// Several partitions of each, state compacted now and then, no de-duplication.
    Kafka,
}

/// How many partitions of each stream a log in Kafka's shape has.
const PARTITIONS: u64 = 3;

/// How long a broker knows the ids that it has stored, in milliseconds.
const DEDUP_MS: i64 = 60_000;

/// Why a read or a publish fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    Unavailable,
    OtherIncarnation,
    Trimmed(Position),
}

/// What state is kept by.
pub(super) type StateKey = (Option<String>, String, Option<String>);

#[derive(Debug, Default)]
struct Partition {
    state: bool,
    /// How far its clock is ahead, in milliseconds.
    skew: i64,
    /// The last offset that was given to a record.
    last: Option<u64>,
    time: i64,
    records: VecDeque<Record>,
    /// The newest offset that retention has taken.
    trimmed: Option<u64>,
}

/// The log.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) shape: Shape,
    pub(super) available: bool,
    incarnation: u64,
    partitions: BTreeMap<u32, Partition>,
    table: BTreeMap<StateKey, Record>,
    ids: HashMap<String, (i64, u32, u64)>,
    /// A partition that is seldom read while others have something, as if its leader were slow.
    lame: Option<u32>,
    /// How long events are kept, in milliseconds.
    retention: i64,
    /// How many records are stored now, at most so many in the whole run.
    pub(super) most_records: usize,
}

impl Log {
    pub(super) fn new(shape: Shape, retention: i64, random: &mut Random) -> Self {
        let mut log = Self {
            shape,
            available: true,
            incarnation: 0,
            partitions: BTreeMap::new(),
            table: BTreeMap::new(),
            ids: HashMap::new(),
            lame: None,
            retention,
            most_records: 0,
        };
        log.make_anew(random);
        log
    }

    /// Deletes everything, as somebody does who makes the streams anew.
    pub(super) fn make_anew(&mut self, random: &mut Random) {
        self.incarnation = random.bits() | 1;
        (self.table, self.ids) = (BTreeMap::new(), HashMap::new());
        let partitions = match self.shape {
            Shape::Embedded => vec![(0, false)],
            Shape::Nats => vec![(0, false), (1, true)],
            Shape::Kafka => (0..PARTITIONS).map(|p| (p as u32, false)).chain((10..12).map(|p| (p, true))).collect(),
        };
        self.lame = if random.chance(40) { Some(random.pick(&partitions).0) } else { None };
        let mut make = |state| Partition { state, skew: random.below(900) as i64, ..Partition::default() };
        self.partitions = partitions.into_iter().map(|(number, state)| (number, make(state))).collect();
    }

    pub(super) fn incarnation(&self) -> u64 {
        self.incarnation
    }

    fn partition_of(&self, message: &Message) -> u32 {
        let mut hasher = DefaultHasher::new();
        match (self.shape, message.stream) {
            (Shape::Embedded, _) => return 0,
            (Shape::Nats, stream) => return u32::from(stream == Stream::State),
            (Shape::Kafka, Stream::Events) => message.org.hash(&mut hasher),
            (Shape::Kafka, Stream::State) => key_of(message).hash(&mut hasher),
        }
        match message.stream {
            Stream::Events => (hasher.finish() % PARTITIONS) as u32,
            Stream::State => 10 + (hasher.finish() % 2) as u32,
        }
    }

    /// Stores a message; none if the broker had it before.
    pub(super) fn publish(&mut self, message: Message, now: i64, random: &mut Random) -> Option<Record> {
        self.ids.retain(|_, (time, ..)| *time > now - DEDUP_MS);
        if self.shape != Shape::Kafka && self.ids.contains_key(&message.id) {
            return None;
        }
        let (number, key) = (self.partition_of(&message), key_of(&message));
        let first = self.before_first().map_or(0, |before| before + 1);
        let partition = self.partitions.get_mut(&number).expect("a partition");
        let hole = if self.shape == Shape::Kafka && random.chance(8) { 1 + random.below(3) as u64 } else { 0 };
        let offset = partition.last.map_or(first, |last| last + 1) + hole;
        partition.last = Some(offset);
        partition.time = partition.time.max(now + partition.skew);
        let record = Record { partition: number, offset, time: partition.time, message };
        self.ids.insert(record.message.id.clone(), (now, number, offset));
        if record.message.stream == Stream::State {
            if self.shape == Shape::Nats {
                partition.records.retain(|old| key_of(&old.message) != key);
            }
            self.table.insert(key, record.clone());
        }
        partition.records.push_back(record.clone());
        self.most_records = self.most_records.max(partition.records.len());
        Some(record)
    }

    /// Drops what is older than the retention.
    pub(super) fn trim(&mut self, now: i64) {
        let horizon = now - self.retention;
        for partition in self.partitions.values_mut().filter(|partition| !partition.state) {
            while partition.records.front().is_some_and(|record| record.time < horizon) {
                partition.trimmed = partition.records.pop_front().map(|record| record.offset);
            }
        }
    }

    /// Drops all but the newest records of each partition of events, as a bound in bytes does in a flood.
    pub(super) fn cut(&mut self, most: usize) {
        for partition in self.partitions.values_mut().filter(|partition| !partition.state) {
            while partition.records.len() > most {
                partition.trimmed = partition.records.pop_front().map(|record| record.offset);
            }
        }
    }

    /// Compacts the state, as Kafka does in the background; its newest records stay as they are.
    pub(super) fn compact(&mut self) {
        if self.shape != Shape::Kafka {
            return;
        }
        let table = &self.table;
        for partition in self.partitions.values_mut().filter(|partition| partition.state) {
            let last = partition.last;
            let is_newest = |record: &Record| {
                let newest = table.get(&key_of(&record.message)).map(|newest| newest.offset);
                newest == Some(record.offset) || last == Some(record.offset)
            };
            partition.records.retain(is_newest);
        }
    }

    pub(super) fn head(&self) -> Result<Position, Fault> {
        self.reachable()?;
        let ends =
            self.partitions.iter().filter_map(|(number, part)| Some((*number, part.last.or(self.before_first())?)));
        Ok(Position::from_parts(self.incarnation, ends))
    }

    /// The place before the first of a partition: that of Kafka is no number.
    fn before_first(&self) -> Option<u64> {
        (self.shape != Shape::Kafka).then_some(0)
    }

    fn reachable(&self) -> Result<(), Fault> {
        if self.available { Ok(()) } else { Err(Fault::Unavailable) }
    }

    /// The newest state, as the broker gives it to a node that starts.
    pub(super) fn state(&self) -> Result<Vec<Record>, Fault> {
        self.reachable()?;
        if self.shape == Shape::Embedded {
            let mut newest: Vec<Record> = self.table.values().cloned().collect();
            newest.sort_by_key(|record| record.offset);
            return Ok(newest);
        }
        let state = self.partitions.values().filter(|partition| partition.state);
        Ok(state.flat_map(|partition| partition.records.iter().cloned()).collect())
    }

    /// The position just before the window.
    pub(super) fn window(&self, age_ms: i64, records: u64, now: i64) -> Result<Position, Fault> {
        self.reachable()?;
        let most = usize::try_from(records).unwrap_or(usize::MAX);
        let before = self.partitions.iter().filter_map(|(number, partition)| {
            let skipped = partition.records.len().saturating_sub(most);
            let mut newest = partition.records.iter().skip(skipped);
            match newest.find(|record| record.time >= now - age_ms) {
                Some(oldest) => Some((*number, oldest.offset.checked_sub(1)?)),
                None => Some((*number, partition.last.or(self.before_first())?)),
            }
        });
        Ok(Position::from_parts(self.incarnation, before))
    }

    /// Some of the records behind a position, all of one partition, and how far the reader has come then.
    pub(super) fn read(&self, after: &Position, random: &mut Random) -> Result<(Vec<Record>, Position), Fault> {
        self.reads(after)?;
        let behind =
            |(number, partition): &(&u32, &Partition)| partition.last.is_some_and(|l| !after.covers(**number, l));
        let behind: Vec<_> = self.partitions.iter().filter(behind).collect();
        if behind.is_empty() {
            return Ok((Vec::new(), after.clone()));
        }
        let mut at = random.below(behind.len());
        if self.lame == Some(*behind[at].0) && !random.chance(15) {
            at = random.below(behind.len());
        }
        let (number, partition) = behind[at];
        let most = 1 + random.below(12);
        let unread = partition.records.iter().filter(|record| !after.covers(*number, record.offset));
        let records: Vec<Record> = unread.take(most).cloned().collect();
        let end = if records.len() < most { partition.last } else { records.last().map(|record| record.offset) };
        let mut position = after.clone();
        position.advance_to(*number, end.expect("something is behind"));
        Ok((records, position))
    }

    /// Whether a reader may begin behind a position.
    pub(super) fn reads(&self, after: &Position) -> Result<(), Fault> {
        self.reachable()?;
        if after.incarnation() != self.incarnation {
            return Err(Fault::OtherIncarnation);
        }
        let lost = |(number, partition): (&u32, &Partition)| {
            partition.trimmed.filter(|trimmed| !after.covers(*number, *trimmed)).map(|trimmed| (*number, trimmed))
        };
        let mut oldest = after.clone();
        for (number, trimmed) in self.partitions.iter().filter_map(lost) {
            oldest.advance_to(number, trimmed);
        }
        if oldest == *after { Ok(()) } else { Err(Fault::Trimmed(oldest)) }
    }
}

/// What newer state takes the place of.
pub(super) fn key_of(message: &Message) -> StateKey {
    (message.org.clone(), message.topic.clone(), message.key.clone())
}
