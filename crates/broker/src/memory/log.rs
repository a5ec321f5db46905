//! The log itself: what is stored and what was removed. It has no clock: time is an argument.

use std::collections::{BTreeMap, HashMap};

use super::partition::Partition;
use super::{Shape, StateKey, key_of};
use crate::letter::{DeadLetter, LETTERS_KEPT};
use crate::message::{Message, Published, Record, Stream};
use crate::node_record::NodeTable;
use crate::position::Position;

/// How long ids are remembered, in milliseconds.
const DEDUP_MS: i64 = 60_000;

/// The outcome of storing a message.
#[derive(Debug, Clone)]
pub enum Stored {
    /// It is this record.
    New(Record),
    /// Its id is that of an earlier record.
    Before(Published),
}

/// A log in the shape of one of the brokers.
#[derive(Debug, Clone)]
pub struct Log {
    pub(super) shape: Shape,
    pub(super) incarnation: u64,
    pub(super) partitions: BTreeMap<u32, Partition>,
    /// The newest state of each key.
    pub(super) table: BTreeMap<StateKey, Record>,
    /// The records with remembered ids, and until when.
    ids: HashMap<String, (i64, Record)>,
    letters: BTreeMap<(u32, u64), DeadLetter>,
    /// The nodes' records.
    nodes: NodeTable,
}

impl Log {
    /// An empty log.
    #[must_use]
    pub fn new(shape: Shape, incarnation: u64) -> Self {
        let mut log = Self {
            shape,
            incarnation,
            partitions: BTreeMap::new(),
            table: BTreeMap::new(),
            ids: HashMap::new(),
            letters: BTreeMap::new(),
            nodes: NodeTable::default(),
        };
        log.recreate(incarnation);
        log
    }

    /// Deletes every record, like somebody who recreates the streams. Dead letters stay: they are a stream of their
    /// own.
    pub fn recreate(&mut self, incarnation: u64) {
        self.incarnation = incarnation;
        (self.table, self.ids) = (BTreeMap::new(), HashMap::new());
        self.nodes = NodeTable::default();
        let make = |(number, is_state)| (number, Partition { is_state, ..Partition::default() });
        self.partitions = self.shape.partitions().into_iter().map(make).collect();
    }

    /// The shape.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The nodes' records.
    #[must_use]
    pub fn nodes(&self) -> &NodeTable {
        &self.nodes
    }

    /// The same, for writing.
    pub fn nodes_mut(&mut self) -> &mut NodeTable {
        &mut self.nodes
    }

    /// The incarnation of the log.
    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// The numbers of the partitions.
    pub fn partitions(&self) -> impl Iterator<Item = u32> {
        self.partitions.keys().copied()
    }

    /// Sets how far the clock of a partition is ahead, in milliseconds.
    pub fn set_skew(&mut self, partition: u32, skew: i64) {
        self.partitions.entry(partition).or_default().skew = skew;
    }

    /// The partition of a message.
    #[must_use]
    pub fn partition_of(&self, message: &Message) -> u32 {
        self.shape.partition_of(message)
    }

    /// Stores a message in its partition, unless its id is known.
    pub fn publish(&mut self, message: Message, now: i64) -> Stored {
        self.ids.retain(|_, (until, _)| *until > now);
        let known = self.ids.get(&message.id).filter(|_| self.shape != Shape::Kafka);
        if let Some((_, first)) = known {
            let conflicting = key_of(&first.message) != key_of(&message) || first.message.body != message.body;
            let (partition, offset) = (first.partition, first.offset);
            return Stored::Before(Published { partition, offset, duplicate: true, conflicting });
        }
        let partition = self.partition_of(&message);
        Stored::New(self.append(partition, message, now))
    }

    /// Stores a message at the end of a partition, which is created if it does not exist.
    pub fn append(&mut self, partition: u32, message: Message, now: i64) -> Record {
        let offset = self.hole(partition, 1);
        let end = self.partitions.entry(partition).or_default();
        end.time = end.time.max(now + end.skew);
        let record = Record { partition, offset, time: end.time, message };
        if record.message.stream == Stream::State {
            let key = key_of(&record.message);
            if self.shape == Shape::Nats {
                end.records.retain(|old| key_of(&old.message) != key);
            }
            self.table.insert(key, record.clone());
        }
        end.records.push_back(record.clone());
        if self.shape != Shape::Kafka {
            self.ids.insert(record.message.id.clone(), (now + DEDUP_MS, record.clone()));
        }
        record
    }

    /// Leaves this many places without a record at the end of a partition; returns the offset of the last.
    pub fn hole(&mut self, partition: u32, places: u64) -> u64 {
        let before_first = self.shape.first_offset();
        let end = self.partitions.entry(partition).or_default();
        let last = end.last.map_or(before_first, |last| last + 1) + places.saturating_sub(1);
        *end.last.insert(last)
    }

    /// Removes records that were stored before a time, as the retention does; state stays.
    pub fn trim_before(&mut self, time: i64) {
        for partition in self.partitions.values_mut().filter(|partition| !partition.is_state) {
            while partition.records.front().is_some_and(|record| record.time < time) {
                partition.trim_front();
            }
        }
    }

    /// Removes all but the newest records of each partition of events, as a bound in bytes does in a flood.
    pub fn trim_to(&mut self, most: usize) {
        for partition in self.partitions.values_mut().filter(|partition| !partition.is_state) {
            while partition.records.len() > most {
                partition.trim_front();
            }
        }
    }

    /// Removes the events up to a position, like an operator who purges.
    pub fn purge(&mut self, through: &Position) {
        for (number, partition) in self.partitions.iter_mut().filter(|(_, partition)| !partition.is_state) {
            while partition.records.front().is_some_and(|record| through.covers(*number, record.offset)) {
                partition.trim_front();
            }
        }
    }

    /// Compacts the state, as Kafka does in the background; the newest record of a partition stays.
    pub fn compact(&mut self) {
        if self.shape != Shape::Kafka {
            return;
        }
        let table = &self.table;
        for partition in self.partitions.values_mut().filter(|partition| partition.is_state) {
            let last = partition.records.back().map(|record| record.offset);
            partition.records.retain(|record| {
                let newest = table.get(&key_of(&record.message)).map(|newest| newest.offset);
                newest == Some(record.offset) || last == Some(record.offset)
            });
        }
    }

    /// Stores a letter; the first one about a record stays.
    pub fn keep_letter(&mut self, letter: DeadLetter) {
        let place = letter.place();
        if self.letters.get(&place).is_some_and(|known| known.is_about_the_same(&letter)) {
            return;
        }
        self.letters.insert(place, letter.cut());
        if self.letters.len() > LETTERS_KEPT {
            self.letters.pop_first();
        }
    }

    /// All letters by the places of their records.
    pub fn letters(&self) -> impl DoubleEndedIterator<Item = &DeadLetter> {
        self.letters.values()
    }

    /// The number of records in the fullest partition.
    #[must_use]
    pub fn most_records(&self) -> usize {
        self.partitions.values().map(|partition| partition.records.len()).max().unwrap_or(0)
    }
}
