//! A broker over a log in memory, and the faults that a test can inject.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use tokio::sync::watch;

use super::Shape;
use super::log::{Log, Stored};
use super::reader::{LogReader, StateReader};
use crate::broker::{Broker, Reader};
use crate::error::{BrokerError, PublishError};
use crate::letter::DeadLetter;
use crate::limits::Limits;
use crate::message::{Message, Published, Record};
use crate::node_record::{NodeReader, NodeRecord, TableReader};
use crate::position::Position;

/// A broker whose log is in memory. Clones are one handle: closing one closes them all.
#[derive(Debug, Clone)]
pub struct Memory {
    server: Arc<Server>,
    closed: Arc<AtomicBool>,
}

/// The server side: it outlives the handles.
#[derive(Debug)]
struct Server {
    held: Mutex<Held>,
    /// Counts changes, so that readers wake up.
    changes: watch::Sender<u64>,
}

#[derive(Debug)]
struct Held {
    log: Log,
    clock: Clock,
    fault: Option<BrokerError>,
    letters_fail: bool,
    window_takes: Duration,
    letter_takes: Duration,
}

/// The source of time. Each record's time is later than the last, whatever happens to the log.
#[derive(Debug)]
enum Clock {
    System { last: i64 },
    Virtual { now: i64 },
}

impl Clock {
    fn now(&self) -> i64 {
        match self {
            Self::System { last } => {
                let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                i64::try_from(now.as_millis()).unwrap_or(i64::MAX).max(*last)
            }
            Self::Virtual { now } => *now,
        }
    }

    fn tick(&mut self) -> i64 {
        let now = self.now();
        match self {
            Self::System { last } => {
                *last = now.max(*last + 1);
                *last
            }
            Self::Virtual { now } => {
                *now += 1;
                *now
            }
        }
    }
}

impl Clock {
    /// The next log's incarnation: in virtual time the same in each run, else unique in the process.
    fn incarnation(&self, before: u64) -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        match self {
            // Even, so that no two differ only in the last bit.
            Self::System { .. } => 2 * NEXT.fetch_add(1, Ordering::Relaxed),
            Self::Virtual { .. } => before + 1,
        }
    }
}

impl Memory {
    /// An empty log on the system's clock.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self::with_clock(shape, Clock::System { last: 0 })
    }

    /// An empty log in virtual time: time advances only by a millisecond with each record, and in [`Self::wait`].
    #[must_use]
    pub fn in_virtual_time(shape: Shape) -> Self {
        Self::with_clock(shape, Clock::Virtual { now: 0 })
    }

    fn with_clock(shape: Shape, clock: Clock) -> Self {
        let held = Held {
            log: Log::new(shape, clock.incarnation(0)),
            clock,
            fault: None,
            letters_fail: false,
            window_takes: Duration::ZERO,
            letter_takes: Duration::ZERO,
        };
        let server = Server { held: Mutex::new(held), changes: watch::Sender::new(0) };
        Self { server: Arc::new(server), closed: Arc::default() }
    }

    /// Another handle of the same log, as another process would have.
    #[must_use]
    pub fn open_again(&self) -> Self {
        Self { server: Arc::clone(&self.server), closed: Arc::default() }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.server.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the log in one step, and wakes all readers.
    pub fn change<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        self.set(|held| change(&mut held.log))
    }

    fn set<T>(&self, change: impl FnOnce(&mut Held) -> T) -> T {
        let changed = change(&mut self.held());
        self.server.changes.send_modify(|count| *count += 1);
        changed
    }

    /// Reads the log even if this handle's connection fails.
    pub fn look<T>(&self, look: impl FnOnce(&Log) -> T) -> T {
        look(&self.held().log)
    }

    /// Reads the log, unless this handle is closed or the log fails.
    pub(super) fn ask<T>(&self, look: impl FnOnce(&Log) -> Result<T, BrokerError>) -> Result<T, BrokerError> {
        if self.closed.load(Ordering::Relaxed) {
            return Err(BrokerError::Closed);
        }
        let held = self.held();
        held.fault.clone().map_or(Ok(()), Err)?;
        look(&held.log)
    }

    pub(super) fn changes(&self) -> watch::Receiver<u64> {
        self.server.changes.subscribe()
    }

    /// Stores a record at the end of a partition, whatever its key is.
    pub fn append(&self, partition: u32, message: Message) -> Record {
        self.set(|held| {
            let now = held.clock.tick();
            held.log.append(partition, message, now)
        })
    }

    /// Advances the time, if it is virtual.
    pub fn wait(&self, passed: Duration) {
        self.set(|held| {
            if let Clock::Virtual { now } = &mut held.clock {
                *now += i64::try_from(passed.as_millis()).unwrap_or(i64::MAX);
            }
        });
    }

    /// From now on every call fails with this error, or none does.
    pub fn fail(&self, fault: Option<BrokerError>) {
        self.set(|held| held.fault = fault);
    }

    /// Whether dead letters are refused.
    pub fn fail_letters(&self, fails: bool) {
        self.set(|held| held.letters_fail = fails);
    }

    /// Makes every read of the window and every letter take this long.
    pub fn slow(&self, window: Duration, letter: Duration) {
        self.set(|held| (held.window_takes, held.letter_takes) = (window, letter));
    }

    /// Deletes the streams and creates them again, empty.
    pub fn recreate(&self) {
        self.set(|held| {
            let incarnation = held.clock.incarnation(held.log.incarnation());
            held.log.recreate(incarnation);
        });
    }
}

#[async_trait]
impl Broker for Memory {
    async fn publish(&self, message: Message) -> Result<Published, PublishError> {
        Limits::default().check(&message)?;
        self.ask(|_| Ok(())).map_err(|error| PublishError::NotStored(error.to_string()))?;
        let stored = self.set(|held| {
            let now = held.clock.tick();
            held.log.publish(message, now)
        });
        Ok(match stored {
            Stored::Before(published) => published,
            Stored::New(Record { partition, offset, .. }) => {
                Published { partition, offset, duplicate: false, conflicting: false }
            }
        })
    }

    async fn head(&self) -> Result<Position, BrokerError> {
        self.ask(|log| Ok(log.head()))
    }

    async fn state(&self) -> Result<Box<dyn Reader>, BrokerError> {
        let incarnation = self.ask(|log| Ok(log.incarnation()))?;
        Ok(Box::new(StateReader::new(self.clone(), incarnation)))
    }

    async fn read(&self, after: &Position) -> Result<Box<dyn Reader>, BrokerError> {
        self.ask(|log| log.check(after))?;
        Ok(Box::new(LogReader::new(self.clone(), after.clone())))
    }

    async fn window(&self, age: Duration, records: u64) -> Result<Position, BrokerError> {
        let takes = self.held().window_takes;
        tokio::time::sleep(takes).await;
        let since = self.held().clock.now().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        self.ask(|log| Ok(log.window(since, records)))
    }

    async fn dead_letter(&self, letter: DeadLetter) -> Result<(), PublishError> {
        let takes = self.held().letter_takes;
        tokio::time::sleep(takes).await;
        self.ask(|_| Ok(())).map_err(|error| PublishError::NotStored(error.to_string()))?;
        let mut held = self.held();
        if held.letters_fail {
            return Err(PublishError::NotStored("letters are refused".into()));
        }
        held.log.keep_letter(letter);
        Ok(())
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        self.ask(|log| {
            let mut letters: Vec<DeadLetter> = log.letters().cloned().collect();
            letters.sort_unstable_by_key(|letter| Reverse(letter.place()));
            letters.truncate(limit);
            Ok(letters)
        })
    }

    async fn record_at(&self, partition: u32, offset: u64) -> Result<Option<Record>, BrokerError> {
        self.ask(|log| Ok(log.record_at(partition, offset).cloned()))
    }

    async fn tell_nodes(&self, record: NodeRecord) -> Result<(), PublishError> {
        record.check(&Limits::default())?;
        self.ask(|_| Ok(())).map_err(|error| PublishError::NotStored(error.to_string()))?;
        self.change(|log| log.nodes_mut().tell(record));
        Ok(())
    }

    async fn read_nodes(&self) -> Result<Box<dyn NodeReader>, BrokerError> {
        let (last, incarnation) = self.ask(|log| Ok((log.nodes().last(), log.incarnation())))?;
        let memory = self.clone();
        let page = move |place, most| {
            memory.ask(|log| match log.incarnation() == incarnation {
                true => log.nodes().after(place, most),
                false => Err(BrokerError::OtherIncarnation { reason: "the log was recreated".into() }),
            })
        };
        Ok(Box::new(TableReader::new(last, self.changes(), Box::new(page))))
    }

    async fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.server.changes.send_modify(|count| *count += 1);
    }
}
