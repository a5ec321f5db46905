//! The broker of a run: the log in memory that passes the brokers' contract, and what chance does to it.

use fanfare_broker::memory::{self, Stored};
use fanfare_broker::{BrokerError, Message, Position, Record};
use fanfare_e2e_tests::Random;

pub(super) use fanfare_broker::memory::{Shape, StateKey, key_of};

/// Why a read or a publish fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    Unavailable,
    OtherIncarnation,
    Trimmed(Position),
}

impl From<BrokerError> for Fault {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::OtherIncarnation { .. } => Self::OtherIncarnation,
            BrokerError::Trimmed { oldest } => Self::Trimmed(oldest),
            _ => Self::Unavailable,
        }
    }
}

impl From<Fault> for BrokerError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Unavailable => Self::Unavailable("cut off".to_owned()),
            Fault::OtherIncarnation => Self::OtherIncarnation { reason: "recreated".to_owned() },
            Fault::Trimmed(oldest) => Self::Trimmed { oldest },
        }
    }
}

/// The log.
#[derive(Debug)]
pub(super) struct Log {
    log: memory::Log,
    pub(super) shape: Shape,
    pub(super) available: bool,
    /// A partition that is read so often of a hundred times while others have something, as if its leader were slow.
    lame: Option<(u32, usize)>,
    /// How long events are kept, in milliseconds.
    retention: i64,
}

impl Log {
    pub(super) fn new(shape: Shape, retention: i64, random: &mut Random) -> Self {
        let mut log = Self { log: memory::Log::new(shape, 1), shape, available: true, lame: None, retention };
        log.recreate(random);
        log
    }

    /// Deletes everything, as somebody does who makes the streams anew.
    pub(super) fn recreate(&mut self, random: &mut Random) {
        self.log.recreate(random.bits() | 1);
        let partitions: Vec<u32> = self.log.partitions().collect();
        self.lame = random.chance(40).then(|| (*random.pick(&partitions), *random.pick(&[20, 2])));
        for partition in partitions {
            self.log.set_skew(partition, random.below(900) as i64);
        }
    }

    pub(super) fn incarnation(&self) -> u64 {
        self.log.incarnation()
    }

    /// Stores a message; none if the broker had it before.
    pub(super) fn publish(&mut self, message: Message, now: i64, random: &mut Random) -> Option<Record> {
        let partition = self.log.partition_of(&message);
        self.leave_holes(partition, random);
        let stored = match self.log.publish(message, now) {
            Stored::New(record) => Some(record),
            Stored::Before(_) => None,
        };
        self.leave_holes(partition, random);
        stored
    }

    /// The marks of a transaction, for instance.
    fn leave_holes(&mut self, partition: u32, random: &mut Random) {
        if self.shape == Shape::Kafka && random.chance(5) {
            self.log.hole(partition, 1 + random.below(3) as u64);
        }
    }

    /// Drops what is older than the retention.
    pub(super) fn trim(&mut self, now: i64) {
        self.log.trim_before(now - self.retention);
    }

    /// Drops all but the newest records of each partition of events, as a bound in bytes does in a flood.
    pub(super) fn cut(&mut self, most: usize) {
        self.log.trim_to(most);
    }

    /// Compacts the state, as Kafka does in the background; its newest records stay as they are.
    pub(super) fn compact(&mut self) {
        self.log.compact();
    }

    pub(super) fn head(&self) -> Result<Position, Fault> {
        self.reachable()?;
        Ok(self.log.head())
    }

    fn reachable(&self) -> Result<(), Fault> {
        if self.available { Ok(()) } else { Err(Fault::Unavailable) }
    }

    /// The next of the newest state behind a position; none at the end.
    pub(super) fn state(&self, after: &Position, random: &mut Random) -> Result<Vec<Record>, Fault> {
        self.reachable()?;
        if after.incarnation() != self.incarnation() {
            return Err(Fault::OtherIncarnation);
        }
        Ok(self.log.state(after, 1 + random.below(12)))
    }

    /// The position just before the window.
    pub(super) fn window(&self, age_ms: i64, records: u64, now: i64) -> Result<Position, Fault> {
        self.reachable()?;
        Ok(self.log.window(now.saturating_sub(age_ms), records))
    }

    /// Some of the records behind a position, all of one partition, and how far the reader has come then.
    pub(super) fn read(&self, after: &Position, random: &mut Random) -> Result<(Vec<Record>, Position), Fault> {
        self.reads(after)?;
        let behind = self.log.unread(after);
        if behind.is_empty() {
            return Ok((Vec::new(), after.clone()));
        }
        let mut partition = *random.pick(&behind);
        if let Some((lame, often)) = self.lame
            && lame == partition
            && !random.chance(often)
        {
            let others: Vec<u32> = behind.into_iter().filter(|other| *other != lame).collect();
            partition = if others.is_empty() { lame } else { *random.pick(&others) };
        }
        Ok(self.log.read(after, partition, 1 + random.below(12)))
    }

    /// Whether a reader may begin behind a position.
    pub(super) fn reads(&self, after: &Position) -> Result<(), Fault> {
        self.reachable()?;
        Ok(self.log.check(after)?)
    }
}
