//! A broker in memory, of several partitions, that does what a test tells it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fanfare_broker::{
    Broker, BrokerError, DeadLetter, Message, Position, PublishError, Published, Reader, Record, Stream,
};
use tokio::sync::watch;

/// The log of a test.
#[derive(Clone)]
pub(super) struct Memory {
    state: Arc<Mutex<State>>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    incarnation: u64,
    records: BTreeMap<u32, Vec<Record>>,
    /// State whose records have left the log.
    compacted: Vec<Record>,
    /// Places that are holes: a reader passes them and gives nothing.
    ends: BTreeMap<u32, u64>,
    /// The first offset kept of each partition.
    oldest: BTreeMap<u32, u64>,
    fault: Option<BrokerError>,
    /// How long a look at the window takes.
    window_takes: Duration,
    letters: Vec<DeadLetter>,
    letters_fail: bool,
    now: i64,
}

impl Memory {
    pub(super) fn new() -> Self {
        let state = State { incarnation: 1, ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), changed: watch::Sender::new(0) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.changed.send_modify(|count| *count += 1);
        changed
    }

    /// Stores a record in a partition; time goes on by a millisecond.
    pub(super) fn append(&self, partition: u32, message: Message) -> Record {
        self.change(|state| {
            state.now += 1;
            let end = state.ends.entry(partition).or_default();
            *end += 1;
            let record = Record { partition, offset: *end, time: state.now, message };
            state.records.entry(partition).or_default().push(record.clone());
            record
        })
    }

    /// Leaves a hole at the end of a partition.
    pub(super) fn hole(&self, partition: u32) {
        self.change(|state| *state.ends.entry(partition).or_default() += 1);
    }

    /// Lets time pass.
    pub(super) fn wait(&self, passed: Duration) {
        self.change(|state| state.now += i64::try_from(passed.as_millis()).expect("short"));
    }

    /// Every call fails with this from now on, or none does.
    pub(super) fn fail(&self, fault: Option<BrokerError>) {
        self.change(|state| state.fault = fault);
    }

    /// Lets every look at the window take so long.
    pub(super) fn slow_window(&self, time: Duration) {
        self.change(|state| state.window_takes = time);
    }

    pub(super) fn fail_letters(&self, fails: bool) {
        self.change(|state| state.letters_fail = fails);
    }

    /// The streams are deleted and made anew, empty.
    pub(super) fn make_anew(&self) {
        self.change(|state| {
            state.incarnation += 1;
            (state.records, state.compacted, state.ends, state.oldest) = Default::default();
        });
    }

    /// Drops the records of a partition up to an offset; state stays.
    pub(super) fn trim(&self, partition: u32, up_to: u64) {
        self.change(|state| {
            state.oldest.insert(partition, up_to + 1);
            let records = state.records.entry(partition).or_default();
            let gone = records.extract_if(.., |record| record.offset <= up_to);
            state.compacted.extend(gone.filter(|record| record.message.stream == Stream::State));
        });
    }

    pub(super) fn letters(&self) -> Vec<DeadLetter> {
        self.state().letters.clone()
    }
}

impl State {
    fn check(&self) -> Result<(), BrokerError> {
        self.fault.clone().map_or(Ok(()), Err)
    }

    fn at(&self, offsets: impl IntoIterator<Item = (u32, u64)>) -> Position {
        let parts = offsets.into_iter().filter(|(_, offset)| *offset > 0);
        let position = Position::from_parts(self.incarnation, parts);
        let covered = self.records.values().flatten().filter(|record| position.covers(record.partition, record.offset));
        let newest = covered.map(|record| record.time).max().unwrap_or(0);
        position.with_newest(newest)
    }

    fn check_position(&self, after: &Position) -> Result<(), BrokerError> {
        if after.incarnation() != self.incarnation {
            return Err(BrokerError::OtherIncarnation { reason: "it was made anew".into() });
        }
        let oldest = self.oldest.iter().map(|(partition, oldest)| (*partition, oldest - 1));
        let trimmed = oldest.clone().any(|(partition, before)| after.offset(partition).unwrap_or(0) < before);
        if trimmed {
            let mut oldest = self.at(oldest);
            oldest.merge(after);
            return Err(BrokerError::Trimmed { oldest });
        }
        Ok(())
    }
}

#[async_trait]
impl Broker for Memory {
    async fn publish(&self, message: Message) -> Result<Published, PublishError> {
        let record = self.append(0, message);
        Ok(Published { partition: record.partition, offset: record.offset, duplicate: false, conflicting: false })
    }

    async fn head(&self) -> Result<Position, BrokerError> {
        let state = self.state();
        state.check()?;
        Ok(state.at(state.ends.clone()))
    }

    async fn state(&self) -> Result<Box<dyn Reader>, BrokerError> {
        let state = self.state();
        state.check()?;
        let mut newest = BTreeMap::new();
        for record in state
            .compacted
            .iter()
            .chain(state.records.values().flatten())
            .filter(|record| record.message.stream == Stream::State)
        {
            let Message { org, topic, key, .. } = &record.message;
            newest.insert((org.clone(), topic.clone(), key.clone()), record.clone());
        }
        let position = Position::start(state.incarnation);
        Ok(Box::new(Given { records: newest.into_values().collect(), position }))
    }

    async fn read(&self, after: &Position) -> Result<Box<dyn Reader>, BrokerError> {
        let state = self.state();
        state.check()?;
        state.check_position(after)?;
        let changed = self.changed.subscribe();
        Ok(Box::new(Following { log: self.clone(), changed, position: after.clone() }))
    }

    async fn window(&self, age: Duration, records: u64) -> Result<Position, BrokerError> {
        let takes = self.state().window_takes;
        tokio::time::sleep(takes).await;
        let state = self.state();
        state.check()?;
        let since = state.now.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
        let edges = state.ends.iter().map(|(partition, end)| {
            let kept = state.records.get(partition).map_or(&[][..], Vec::as_slice);
            let by_count = kept.len().saturating_sub(usize::try_from(records).unwrap_or(usize::MAX));
            let first = kept.iter().skip(by_count).find(|record| record.time >= since);
            (*partition, first.map_or(*end, |first| first.offset - 1))
        });
        Ok(state.at(edges))
    }

    async fn dead_letter(&self, letter: DeadLetter) -> Result<(), PublishError> {
        // As slow as a broker that is far away.
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut state = self.state();
        if state.letters_fail {
            return Err(PublishError::NotStored("no".into()));
        }
        state.letters.push(letter);
        Ok(())
    }

    async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BrokerError> {
        Ok(self.letters().into_iter().take(limit).collect())
    }

    async fn close(&self) {}
}

/// Gives records once.
struct Given {
    records: Vec<Record>,
    position: Position,
}

#[async_trait]
impl Reader for Given {
    async fn next(&mut self) -> Result<Vec<Record>, BrokerError> {
        Ok(std::mem::take(&mut self.records))
    }

    fn position(&self) -> &Position {
        &self.position
    }
}

struct Following {
    log: Memory,
    changed: watch::Receiver<u64>,
    position: Position,
}

#[async_trait]
impl Reader for Following {
    async fn next(&mut self) -> Result<Vec<Record>, BrokerError> {
        loop {
            self.changed.borrow_and_update();
            let batch: Vec<Record> = {
                let state = self.log.state();
                state.check()?;
                state.check_position(&self.position)?;
                // The last partition first: no one may rely on an order between partitions.
                let unread = state.records.iter().rev().flat_map(|(partition, records)| {
                    let read = self.position.offset(*partition).unwrap_or(0);
                    &records[records.partition_point(|record| record.offset <= read)..]
                });
                let batch = unread.take(3).cloned().collect();
                let moved = if Vec::is_empty(&batch) { state.at(state.ends.clone()) } else { self.position.clone() };
                drop(state);
                if Vec::is_empty(&batch) && moved > self.position {
                    self.position.merge(&moved);
                    return Ok(batch);
                }
                batch
            };
            if !batch.is_empty() {
                batch.iter().for_each(|record| {
                    self.position.advance(record);
                });
                return Ok(batch);
            }
            self.changed.changed().await.map_err(|_| BrokerError::Closed)?;
        }
    }

    fn position(&self) -> &Position {
        &self.position
    }
}
