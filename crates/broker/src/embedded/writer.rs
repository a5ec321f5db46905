//! The writer thread: takes what waits, writes it with one fsync, and wakes all who wait for it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use redb::Database;
use tokio::sync::{oneshot, watch};

use super::Shared;
use super::commit::{self, Committed, Failure, Outcome};
use super::inbox::{Inbox, Next};
use super::queue::{Entry, Job, Publish, Room};
use super::tables::Meta;
use crate::age_clock::AgeClock;
use crate::condition::Writes;
use crate::error::PublishError;
use crate::message::{Message, Published, Record};

/// How often an idle writer looks for something to trim.
const TICK: Duration = Duration::from_secs(1);
/// How many ids and records one trimming transaction removes, so that a publish never waits long.
const TRIM_STEP: usize = 1000;
/// How long the writer waits before it tries again to reopen a log.
const REOPEN_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Writer {
    shared: Arc<Shared>,
    inbox: Inbox,
    head: watch::Sender<u64>,
    meta: Meta,
    /// Set while the file is closed after a failure.
    broken: Option<(Instant, String)>,
    /// The last step of trimming left something to do.
    trimming: bool,
    /// The clock by which ids and records are removed.
    age: AgeClock,
}

enum Answer {
    Published(oneshot::Sender<Result<Published, PublishError>>, Published, Room),
    Letter(oneshot::Sender<Result<(), PublishError>>),
    #[cfg(test)]
    Trimmed(oneshot::Sender<()>),
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, inbox: Inbox, head: watch::Sender<u64>, meta: Meta) -> Self {
        let age = AgeClock::begin(meta.age, shared.options.clock.elapsed());
        Self { shared, inbox, head, meta, broken: None, trimming: true, age }
    }

    /// Runs until the log is closed.
    pub(super) fn run(mut self) {
        loop {
            let patience = if self.trimming { Duration::ZERO } else { TICK };
            match self.inbox.next(patience) {
                Next::Group(entries) => self.write(entries),
                Next::Idle => {
                    self.trim();
                    self.probe();
                }
                Next::End => break,
            }
        }
        // Once the head is gone, readers know that nothing more will come.
        drop(self.head);
        self.shared.store.close();
    }

    fn write(&mut self, mut entries: Vec<Entry>) {
        if let Err(reason) = self.make_usable() {
            for entry in entries {
                refuse(entry, &PublishError::NotStored(reason.clone()));
            }
            return;
        }
        let meta = self.meta;
        let options = &self.shared.options;
        let began = Instant::now();
        let mut age = self.age;
        if meta.next == 1 {
            // With nothing to remove yet, the first record's time is a good start.
            age = AgeClock::begin(options.clock.now(), options.clock.elapsed());
        }
        match self.attempt(|database| commit::group(database, meta, &mut entries, options, &mut age)) {
            Ok(committed) => {
                self.age = age;
                self.shared.condition.set_writes(Writes::Work);
                self.tell_age(committed.meta);
                self.inbox.written(entries.len(), began.elapsed());
                self.announce(entries, committed);
            }
            Err(failure) => self.give_up(entries, failure),
        }
    }

    fn trim(&mut self) {
        if self.make_usable().is_err() {
            self.trimming = false;
            return;
        }
        let (meta, options) = (self.meta, &self.shared.options);
        let mut age = self.age;
        match self.attempt(|database| commit::trim(database, meta, options, TRIM_STEP, &mut age)) {
            Ok((meta, gone)) => {
                self.age = age;
                self.tell_age(meta);
                self.trimming = gone == TRIM_STEP;
                self.stand_at(meta);
            }
            Err(failure) => self.give_up(Vec::new(), failure),
        }
    }

    /// While the disk accepts nothing, the writer tries it now and then: it may have room again while nobody publishes.
    fn probe(&mut self) {
        if !self.shared.condition.writes_fail() || self.make_usable().is_err() {
            return;
        }
        let meta = self.meta;
        match self.attempt(|database| commit::probe(database, meta)) {
            Ok(_) => {
                tracing::info!("the log can be written again");
                self.shared.condition.set_writes(Writes::Work);
            }
            Err(failure) => self.give_up(Vec::new(), failure),
        }
    }

    /// Logs how far the clock for removals is behind.
    fn tell_age(&mut self, meta: Meta) {
        self.shared.condition.set_age(meta.age);
        if let Some(behind) = self.age.fell_behind(meta.last_time) {
            tracing::warn!(
                seconds = behind.as_secs(),
                "the newest record is dated further ahead than time has passed: the clock was wrong, or this log was \
                 closed for so long; what is forgotten because of its age is kept for longer by that"
            );
        }
    }

    /// Runs work on the file. A panic of the database counts as a disk failure: after either, the file is reopened and
    /// checked.
    fn attempt<T>(&self, work: impl FnOnce(&Database) -> Result<T, Failure>) -> Result<T, Failure> {
        let store = &self.shared.store;
        match catch_unwind(AssertUnwindSafe(|| store.with(work))) {
            Ok(Ok(result)) => result,
            Ok(Err(closed)) => Err(Failure::Before(closed.to_string())),
            Err(_) => Err(Failure::During("the database panicked".into())),
        }
    }

    /// Shows the records to the readers, then answers the publishers.
    fn announce(&mut self, entries: Vec<Entry>, committed: Committed) {
        self.trimming = committed.more_to_trim;
        let mut records = Vec::new();
        let mut answers = Vec::with_capacity(entries.len());
        for (entry, outcome) in entries.into_iter().zip(committed.outcomes) {
            // The room in the queue stays occupied until the entry is answered.
            let Entry { job, room } = entry;
            match (job, outcome) {
                (Job::Publish(publish), Outcome::Published(published)) => {
                    let Publish { message, encoded, answer, .. } = publish;
                    if !published.duplicate {
                        records.push(record(message, encoded, published.offset, committed.time));
                    }
                    answers.push(Answer::Published(answer, published, room));
                }
                (Job::Letter(letter), _) => answers.push(Answer::Letter(letter.answer)),
                #[cfg(test)]
                (Job::Trim(answer), _) => answers.push(Answer::Trimmed(answer)),
                _ => {}
            }
        }
        self.shared.tail.push(records);
        self.stand_at(committed.meta);
        for answer in answers {
            // The caller may have stopped waiting; then the answer is dropped.
            match answer {
                Answer::Published(to, published, room) => {
                    // Release the room first: the caller may send its next message right after the answer.
                    drop(room);
                    let _ = to.send(Ok(published));
                }
                Answer::Letter(to) => drop(to.send(Ok(()))),
                #[cfg(test)]
                Answer::Trimmed(to) => {
                    self.trim_all();
                    let _ = to.send(());
                }
            }
        }
    }

    /// Answers a group that was not committed, as exactly as the reopened and checked file allows.
    fn give_up(&mut self, entries: Vec<Entry>, failure: Failure) {
        let before = self.meta.next;
        let reopened = self.reopen();
        let (reason, surely_not) = match failure {
            Failure::Before(reason) => (reason, true),
            Failure::During(reason) => (reason, reopened.is_ok() && self.meta.next == before),
        };
        if self.shared.condition.set_writes(Writes::Fail(reason.clone())) {
            tracing::error!(reason, surely_not, "a write to the log failed");
        } else {
            tracing::debug!(reason, surely_not, "a write to the log failed again");
        }
        for entry in entries {
            let error = if surely_not {
                PublishError::NotStored(reason.clone())
            } else {
                PublishError::Unknown(reason.clone())
            };
            refuse(entry, &error);
        }
        self.trimming = false;
    }

    /// Reopens the file if it was closed after a failure.
    fn make_usable(&mut self) -> Result<(), String> {
        match &self.broken {
            None => Ok(()),
            Some((since, reason)) if since.elapsed() < REOPEN_PAUSE => Err(reason.clone()),
            Some(_) => self.reopen(),
        }
    }

    fn reopen(&mut self) -> Result<(), String> {
        let store = &self.shared.store;
        let reopened = catch_unwind(AssertUnwindSafe(|| store.reopen()));
        let reason = match reopened {
            Ok(Ok(meta)) => {
                self.broken = None;
                // A group whose fsync failed may be stored after all: memory and file may differ.
                self.shared.tail.clear();
                self.stand_at(meta);
                return Ok(());
            }
            Ok(Err(e)) => e.to_string(),
            Err(_) => "the database panicked while it was opened".into(),
        };
        if self.shared.condition.set_writes(Writes::Fail(reason.clone())) {
            tracing::error!(reason, "the log cannot be opened again");
        }
        self.broken = Some((Instant::now(), reason.clone()));
        Err(reason)
    }

    fn stand_at(&mut self, meta: Meta) {
        self.meta = meta;
        self.shared.oldest.store(meta.oldest, Ordering::Release);
        let head = meta.head();
        self.head.send_if_modified(|seen| {
            let moved = *seen != head;
            *seen = head;
            moved
        });
    }

    #[cfg(test)]
    fn trim_all(&mut self) {
        self.trimming = true;
        while self.trimming {
            self.trim();
        }
    }
}

/// What readers see of a message that was just written.
fn record(mut message: Message, encoded: Vec<u8>, offset: u64, time: i64) -> Record {
    // The body of the encoded form: the caller's may be a small part of a much larger buffer, which would stay in
    // memory with it.
    let body_at = encoded.len() - message.body.len();
    message.body = Bytes::from(encoded).slice(body_at..);
    Record { partition: super::PARTITION, offset, time, message }
}

fn refuse(entry: Entry, error: &PublishError) {
    drop(entry.room);
    match entry.job {
        Job::Publish(publish) => drop(publish.answer.send(Err(error.clone()))),
        Job::Letter(letter) => drop(letter.answer.send(Err(error.clone()))),
        Job::Close => {}
        #[cfg(test)]
        Job::Trim(answer) => drop(answer.send(())),
    }
}
