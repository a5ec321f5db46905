//! A task that reads one stream: it follows the stream through every loss of the connection, and returns batches in
//! order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::Message;
use tokio::sync::mpsc;

use super::place::{StartPlace, id_hash, same_stream};
use super::pull::{Came, Lost, Pulling};
use super::request::Failure;
use super::streams::{Info, Kind};
use super::wire::{Parts, Place, pairs};
use super::{Shared, pause};
use crate::error::BrokerError;

/// Batches that wait for the reader. Together with the pending pulls this bounds a reader's memory.
const BATCHES: usize = 2;

/// After this many losses of the connection without a record in between, the next record is fetched by itself: it may
/// be one that the client cannot parse and disconnects on.
const SUSPICIOUS: u32 = 3;

/// A subscription that lasted longer than this without a record was a good one: the server sent heartbeats.
const LASTING: Duration = Duration::from_secs(10);

/// How long nothing may arrive from a stream that has more. Then it is checked again: all of that may have been
/// removed.
const LATE: Duration = Duration::from_secs(3);

/// Records of one stream, and the position after them.
#[derive(Debug)]
pub(super) struct Batch<T> {
    pub(super) items: Vec<T>,
    /// Everything up to here was returned, or does not exist.
    pub(super) through: u64,
    /// The time of the last record.
    pub(super) newest: i64,
}

/// Why a source returns no batch.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The server is unreachable. The source keeps trying.
    Away(String),
    /// The next records were removed; this is the last removed sequence.
    Trimmed(u64),
    /// Any other reason; the source has ended.
    Ended(BrokerError),
}

/// The output of a source; none after [`Until::CaughtUp`] was reached.
pub(super) type Batches<T> = mpsc::Receiver<Result<Batch<T>, Stopped>>;

/// How far a source reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    Forever,
    /// Up to the last message at its start.
    CaughtUp,
}

/// Converts a message into what the reader returns.
type Make<T> = fn(Parts) -> T;

pub(super) struct Source<T> {
    shared: Arc<Shared>,
    from: StartPlace,
    checked: Option<Info>,
    until: Until,
    make: Make<T>,
    /// The last sequence of the stream when the consumer was created.
    end: u64,
    /// The number of messages that the consumer had after the last delivered one.
    pending: u64,
    losses: u32,
}

enum Next {
    /// The reader is gone, or everything was read.
    Done,
    Again(String),
}

impl<T: Send + 'static> Source<T> {
    /// Starts to read.
    ///
    /// If the stream was just checked against the place, it is not compared again.
    pub(super) fn spawn(
        shared: &Arc<Shared>,
        from: StartPlace,
        checked: Option<Info>,
        until: Until,
        make: Make<T>,
    ) -> Batches<T> {
        let (to, batches) = mpsc::channel(BATCHES);
        let source = Self { shared: Arc::clone(shared), from, checked, until, make, end: 0, pending: 0, losses: 0 };
        tokio::spawn(source.run(to));
        batches
    }

    async fn run(mut self, to: mpsc::Sender<Result<Batch<T>, Stopped>>) {
        let mut away: Option<Instant> = None;
        let mut attempt = 0;
        loop {
            let next = tokio::select! {
                biased;
                () = to.closed() => return,
                next = self.begin(&to) => next,
            };
            let reason = match next {
                Ok(pulling) => {
                    let (began, place) = (Instant::now(), self.from.after);
                    let ended = self.follow(pulling, &to).await;
                    // A subscription that returned nothing and did not last counts as a failed attempt.
                    if self.from.after > place || began.elapsed() > LASTING.max(self.shared.options.patience) {
                        (away, attempt) = (None, 0);
                    }
                    match ended {
                        Ok(Next::Done) => return,
                        Ok(Next::Again(reason)) => reason,
                        Err(stopped) => return drop(to.send(Err(stopped)).await),
                    }
                }
                Err(Stopped::Away(reason)) => reason,
                Err(stopped) => return drop(to.send(Err(stopped)).await),
            };
            if self.shared.link.is_closed() {
                return drop(to.send(Err(Stopped::Ended(BrokerError::Closed))).await);
            }
            tracing::debug!(stream = self.shared.name(self.from.kind), reason, "subscribing again");
            let since = *away.get_or_insert_with(Instant::now);
            if since.elapsed() >= self.shared.options.patience {
                away = Some(Instant::now());
                if to.send(Err(Stopped::Away(reason))).await.is_err() {
                    return;
                }
            }
            attempt += 1;
            self.wait(attempt, &to).await;
        }
    }

    /// Waits for a connection and a pause, but not longer than the reader's patience.
    async fn wait(&self, attempt: usize, to: &mpsc::Sender<Result<Batch<T>, Stopped>>) {
        let waiting = async {
            self.shared.link.decided().await;
            tokio::time::sleep(pause::pause(attempt)).await;
        };
        tokio::select! {
            () = to.closed() => {}
            _ = tokio::time::timeout(self.shared.options.patience, waiting) => {}
        }
    }

    async fn begin(&mut self, to: &mpsc::Sender<Result<Batch<T>, Stopped>>) -> Result<Pulling, Stopped> {
        if self.losses >= SUSPICIOUS {
            self.step_over(to).await?;
        }
        self.subscribe().await
    }

    /// Compares the stream with the place, creates a consumer, and checks once more that the stream is still the same.
    async fn subscribe(&mut self) -> Result<Pulling, Stopped> {
        let info = match self.checked.take() {
            Some(info) => info,
            None => {
                let info = self.shared.stream(self.from.kind).await.map_err(stopped)?;
                self.shared.check_place(&self.from, &info).await?;
                info
            }
        };
        let opened = Pulling::open(&self.shared, self.from.kind, self.from.after).await;
        let pulling = opened.map_err(|failure| stopped(Failure::into_broker_error(failure)))?;
        let now = self.shared.stream(self.from.kind).await.map_err(stopped)?;
        same_stream(&self.from, &now)?;
        self.end = info.state.last_seq;
        Ok(pulling)
    }

    /// Returns what arrives until the subscription is lost.
    async fn follow(
        &mut self,
        mut pulling: Pulling,
        to: &mpsc::Sender<Result<Batch<T>, Stopped>>,
    ) -> Result<Next, Stopped> {
        self.pending = pulling.pending;
        if self.pending == 0 {
            // Nothing after the place exists now, though it may have existed.
            let through = match self.empty_through(self.from.after).await {
                Ok(through) => through,
                Err(Stopped::Away(reason)) => return self.again(Lost::Away(reason), pulling).await,
                Err(stopped) => return Err(stopped),
            };
            let caught_up = self.until == Until::CaughtUp && through >= self.end;
            if through > self.from.after || caught_up {
                self.from.after = through;
                let batch = Batch { items: vec![], through, newest: 0 };
                if to.send(Ok(batch)).await.is_err() || caught_up {
                    return Ok(self.done(pulling).await);
                }
            }
        }
        loop {
            let connection = pulling.connection;
            let is_behind = self.pending > 0 || self.from.after < self.end;
            let first = tokio::select! {
                biased;
                () = to.closed() => return Ok(self.done(pulling).await),
                first = pulling.next() => first,
                () = self.shared.link.lost(connection) => Err(Lost::Away("the connection was lost".into())),
                () = tokio::time::sleep(LATE), if is_behind => {
                    return self.again(Lost::Away("nothing arrives, though there was more".into()), pulling).await;
                }
            };
            let first = match first {
                Ok(came) => came,
                Err(lost) => {
                    self.losses += 1;
                    return self.again(lost, pulling).await;
                }
            };
            self.losses = 0;
            let (batch, lost) = self.gather(first, &mut pulling).await?;
            let caught_up = self.until == Until::CaughtUp && batch.through >= self.end;
            if to.send(Ok(batch)).await.is_err() || caught_up {
                return Ok(self.done(pulling).await);
            }
            if let Some(lost) = lost {
                return self.again(lost, pulling).await;
            }
        }
    }

    async fn again(&self, lost: Lost, pulling: Pulling) -> Result<Next, Stopped> {
        pulling.close(&self.shared).await;
        match lost {
            Lost::Away(reason) => Ok(Next::Again(reason)),
            Lost::Refused(said) => Err(Stopped::Ended(BrokerError::Refused(said))),
        }
    }

    async fn done(&self, pulling: Pulling) -> Next {
        pulling.close(&self.shared).await;
        Next::Done
    }

    /// A batch of what has arrived.
    async fn gather(&mut self, first: Came, pulling: &mut Pulling) -> Result<(Batch<T>, Option<Lost>), Stopped> {
        let options = &self.shared.options;
        let (most, most_bytes) = (options.batch_records, options.batch_bytes);
        let mut batch = Batch { items: Vec::new(), through: self.from.after, newest: 0 };
        let mut bytes = 0;
        let mut lost = None;
        let mut came = Some(first);
        while let Some(Came { place, pending, message }) = came.take() {
            // A server that lost the consumer's progress delivers messages again.
            if place.offset > self.from.after {
                match self.check_hole(place.offset).await {
                    Ok(()) => {}
                    // The records before the hole must not be lost with it; the next subscription finds the hole again.
                    Err(Stopped::Away(reason)) => {
                        lost = Some(Lost::Away(reason));
                        break;
                    }
                    Err(_) if !batch.items.is_empty() => {
                        lost = Some(Lost::Away("a part of the stream is gone".into()));
                        break;
                    }
                    Err(stopped) => return Err(stopped),
                }
                bytes += message.length;
                let parts = parts(place, message);
                self.passed(&parts);
                batch.items.push((self.make)(parts));
                batch.newest = place.time;
                (self.from.after, self.pending) = (place.offset, pending);
                if pending == 0 {
                    // If nothing follows, the sequences up to the stream's end do not exist.
                    match self.empty_through(place.offset).await {
                        Ok(through) => self.from.after = through,
                        Err(stopped) => lost = Some(Lost::Away(stopped.into_error().to_string())),
                    }
                }
                batch.through = self.from.after;
                if lost.is_some() {
                    break;
                }
            }
            if batch.items.len() >= most || bytes >= most_bytes {
                break;
            }
            match pulling.next_now() {
                Ok(next) => came = next,
                Err(reason) => lost = Some(reason),
            }
        }
        Ok((batch, lost))
    }

    /// The last sequence after which nothing exists, once the consumer has reported that it has nothing left.
    ///
    /// In a cluster the consumer may be on a server that does not have the end of the stream yet, so the stream's
    /// leader decides.
    async fn empty_through(&self, sequence: u64) -> Result<u64, Stopped> {
        if self.end <= sequence {
            return Ok(sequence);
        }
        let next = self.shared.next_stored(self.from.kind, sequence + 1).await.map_err(stopped)?;
        Ok(next.map_or(self.end, |parts| self.end.min(parts.place.offset - 1)))
    }

    /// Remembers what a later subscription must find at the place.
    fn passed(&mut self, parts: &Parts) {
        self.from.known = Some((parts.place.time, id_hash(parts)));
        self.from.newest = parts.place.time;
    }

    /// Whether the next record follows directly. Skipped sequences may be deleted events; but if the stream starts
    /// after them, they were removed before they were read.
    async fn check_hole(&self, next: u64) -> Result<(), Stopped> {
        if self.from.kind != Kind::Events || next <= self.from.after + 1 {
            return Ok(());
        }
        let info = self.shared.stream(self.from.kind).await.map_err(stopped)?;
        same_stream(&self.from, &info)?;
        let first = info.state.first_seq;
        if first > self.from.after + 1 {
            return Err(Stopped::Trimmed(first.min(next).saturating_sub(1)));
        }
        Ok(())
    }

    /// Fetches the next record by itself, in a form that every client can parse.
    async fn step_over(&mut self, to: &mpsc::Sender<Result<Batch<T>, Stopped>>) -> Result<(), Stopped> {
        let info = self.shared.stream(self.from.kind).await.map_err(stopped)?;
        self.shared.check_place(&self.from, &info).await?;
        let next = self.shared.next_stored(self.from.kind, self.from.after + 1).await.map_err(stopped)?;
        self.losses = 0;
        let Some(parts) = next else { return Ok(()) };
        let through = parts.place.offset;
        self.check_hole(through).await?;
        self.passed(&parts);
        self.from.after = through;
        let batch = Batch { newest: parts.place.time, items: vec![(self.make)(parts)], through };
        // If the receiver is gone, the caller notices.
        let _ = to.send(Ok(batch)).await;
        Ok(())
    }
}

/// Converts an error of a request: it ends the source, or it is tried again.
pub(super) fn stopped(error: BrokerError) -> Stopped {
    match error {
        BrokerError::Unavailable(reason) => Stopped::Away(reason),
        other => Stopped::Ended(other),
    }
}

fn parts(place: Place, message: Message) -> Parts {
    let headers = pairs(message.headers.as_ref());
    Parts { place, subject: message.subject.into_string(), headers, body: message.payload }
}

/// How long the first batch of a short read may take.
pub(super) const SHORT_READ: Duration = Duration::from_secs(30);

impl Stopped {
    pub(super) fn into_error(self) -> BrokerError {
        match self {
            Self::Away(reason) => BrokerError::Unavailable(reason),
            Self::Ended(error) => error,
            Self::Trimmed(_) => BrokerError::Unavailable("the messages to read were removed meanwhile".into()),
        }
    }
}
