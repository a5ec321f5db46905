//! What a relay does while it holds the lease.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::error::OutboxError;
use crate::lanes::{Lanes, MAX_HELD};
use crate::lease::Held;
use crate::pause::{Chance, Outage};
use crate::publication::{Outcome, publish};
use crate::publisher::{PublishError, Publisher};
use crate::relay::Relay;
use crate::results::Results;

/// How often the backlog is counted.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was told to stop, and gave the lease up.
    Shutdown,
    /// The lease is or may be another's.
    Lost,
    /// The publisher panicked. The lease is left to run out, so that this cannot go on in a tight loop.
    Panicked,
}

/// One tenure of the lease: from its acquisition to its loss.
pub(crate) struct Session<'r, P> {
    relay: &'r Relay<P>,
    start: Instant,
    chance: Chance,
    held: Held,
    /// Until when the lease is surely held, for the publications in flight.
    held_until: watch::Sender<Instant>,
    renew_at: Instant,
    lanes: Lanes,
    in_flight: JoinSet<Outcome>,
    results: Results,
    broker: Outage,
    database: Outage,
    /// Whether the table may hold rows that are not held here.
    look: bool,
    /// Whether the last look left rows behind for want of room.
    more: bool,
    poll_at: Instant,
    count_at: Instant,
}

impl<'r, P: Publisher> Session<'r, P> {
    pub(crate) fn new(relay: &'r Relay<P>, held: Held) -> Self {
        let now = Instant::now();
        Self {
            relay,
            start: now,
            chance: Chance::new(),
            held_until: watch::Sender::new(held.until),
            renew_at: now + relay.lease.length() / 3,
            held,
            lanes: Lanes::new(relay.backoff()),
            in_flight: JoinSet::new(),
            results: Results::default(),
            broker: Outage::none(relay.backoff()),
            database: Outage::none(relay.backoff()),
            look: true,
            more: false,
            poll_at: now + relay.options.poll,
            count_at: now,
        }
    }

    /// Relays until the lease is lost or `shutdown` completes; polls `shutdown` no more after that.
    pub(crate) async fn run(mut self, shutdown: Pin<&mut impl Future<Output = ()>>) -> Ended {
        let ended = self.work(shutdown).await;
        if ended == Ended::Shutdown {
            self.finish_in_flight().await;
        }
        // Ends what is in flight: another relay may be at work by now.
        self.in_flight.shutdown().await;
        let limit = self.relay.lease.length();
        let settling = self.results.settle(&self.relay.outbox.table);
        let settled = timeout(limit, settling).await.unwrap_or(Err(OutboxError::Timeout(limit)));
        if let Err(error) = settled {
            self.count_error("write the results to", &error);
        }
        if ended == Ended::Shutdown
            && let Err(error) = self.relay.lease.release(&self.held).await
        {
            self.count_error("give up the lease of", &error);
        }
        ended
    }

    async fn work(&mut self, mut shutdown: Pin<&mut impl Future<Output = ()>>) -> Ended {
        loop {
            while let Some(finished) = self.in_flight.try_join_next() {
                if !self.note(finished) {
                    return Ended::Panicked;
                }
            }
            if !self.keep_lease().await {
                return Ended::Lost;
            }
            self.dispatch();
            self.work_on_table().await;
            self.dispatch();
            let deadline = self.next_deadline();
            tokio::select! {
                Some(finished) = self.in_flight.join_next() => {
                    if !self.note(finished) {
                        return Ended::Panicked;
                    }
                }
                () = self.relay.outbox.woken.notified() => self.look = true,
                () = sleep_until(deadline) => {}
                () = &mut shutdown => return Ended::Shutdown,
            }
        }
    }

    async fn finish_in_flight(&mut self) {
        let deadline = Instant::now() + self.relay.options.grace;
        while let Ok(Some(finished)) = timeout_at(deadline, self.in_flight.join_next()).await {
            if !self.note(finished) {
                return;
            }
        }
        tracing::info!(unfinished = self.in_flight.len(), "the relay stops");
    }

    /// Renews the lease in time; false if it is lost.
    async fn keep_lease(&mut self) -> bool {
        if Instant::now() >= self.renew_at {
            match self.relay.lease.renew(&mut self.held).await {
                Ok(true) => {
                    self.held_until.send_replace(self.held.until);
                    self.renew_at = Instant::now() + self.relay.lease.length() / 3;
                }
                Ok(false) => return false,
                Err(error) => {
                    self.count_error("renew the lease of", &error);
                    self.renew_at = Instant::now() + self.relay.lease.length() / 20;
                }
            }
        }
        Instant::now() < self.held.until
    }

    /// Sends what may go now.
    fn dispatch(&mut self) {
        let now = self.now();
        self.lanes.unblock(now);
        self.look |= self.lanes.take_hungry();
        while self.may_dispatch(now) {
            let Some(row) = self.lanes.next() else { return };
            let publisher = Arc::clone(&self.relay.publisher);
            self.in_flight.spawn(publish(publisher, row, self.held_until.subscribe()));
        }
    }

    /// Takes note of a publication's outcome; false if the publisher panicked.
    fn note(&mut self, finished: Result<Outcome, tokio::task::JoinError>) -> bool {
        let (row, outcome) = match finished {
            Ok(outcome) => outcome,
            Err(error) => {
                // Whose row it was is lost with the task; a new session begins with what the table holds.
                tracing::error!(%error, "the publisher panicked");
                return false;
            }
        };
        let stats = &self.relay.stats;
        if !matches!(outcome, Err(PublishError::Unreachable(_))) && self.broker.succeeded() {
            tracing::info!("events can be published again");
        }
        match outcome {
            Ok(()) => {
                stats.add_published();
                self.results.published(row.seq);
                self.lanes.done(&row);
            }
            Err(PublishError::Rejected(reason)) => {
                stats.add_parked();
                tracing::warn!(seq = row.seq, event_id = row.event_id(), reason, "an event was rejected and is parked");
                self.results.parked(row.seq, reason);
                self.lanes.done(&row);
            }
            Err(PublishError::Retry(reason)) => {
                stats.add_retry();
                let pause = self.lanes.retry(&row, self.start.elapsed(), self.chance.next());
                let event_id = row.event_id();
                tracing::warn!(seq = row.seq, event_id, reason, ?pause, "an event will be tried again");
                self.results.retried(row.seq);
            }
            Err(PublishError::Unreachable(reason)) => {
                stats.add_retry();
                self.lanes.put_back(&row);
                if self.broker.failed(self.start.elapsed(), self.chance.next()) {
                    tracing::warn!(reason, "no event can be published at the moment");
                }
            }
        }
        true
    }

    /// Writes results down, loads rows and counts the backlog, whichever of it is due.
    async fn work_on_table(&mut self) {
        if self.database.paused_until(self.now()).is_some() {
            return;
        }
        let limit = self.relay.lease.length();
        match timeout(limit, self.table_work()).await.unwrap_or(Err(OutboxError::Timeout(limit))) {
            // Whatever failed before was due again, so it has succeeded now.
            Ok(()) => drop(self.database.succeeded()),
            Err(error) => {
                self.count_error("work on", &error);
                self.database.failed(self.start.elapsed(), self.chance.next());
            }
        }
    }

    async fn table_work(&mut self) -> Result<(), OutboxError> {
        let now = Instant::now();
        if now >= self.poll_at {
            self.look = true;
            self.poll_at = now + self.relay.options.poll;
        }
        // With nothing in flight there is nothing to wait for.
        let due = self.results.due().is_some_and(|due| due <= now || self.in_flight.is_empty() || self.may_load());
        if due {
            self.results.settle(&self.relay.outbox.table).await?;
            self.look |= self.more;
        }
        if self.may_load() {
            self.load().await?;
        }
        if now >= self.count_at {
            let backlog = self.relay.outbox.table.backlog().await?;
            self.relay.stats.set_backlog(backlog.unsent, backlog.oldest_ms);
            self.count_at = now + COUNT_EVERY;
        }
        Ok(())
    }

    fn may_load(&self) -> bool {
        self.look && self.lanes.want_rows()
    }

    /// Loads rows; everything must be written down by now, lest what is published be taken up again.
    async fn load(&mut self) -> Result<(), OutboxError> {
        // Cleared before the read: a wake-up that comes during it must not be lost.
        self.look = false;
        let excluded = self.lanes.excluded();
        let rows = self.relay.outbox.table.unsent(&excluded, MAX_HELD).await.inspect_err(|_| self.look = true)?;
        self.more = rows.len() == MAX_HELD;
        self.lanes.admit(rows);
        self.poll_at = Instant::now() + self.relay.options.poll;
        Ok(())
    }

    fn next_deadline(&self) -> Instant {
        let now = self.now();
        if self.database.lasts() {
            let retry_at = self.database.paused_until(now).unwrap_or(now);
            return (self.start + retry_at).min(self.renew_at);
        }
        if self.may_load() || self.may_dispatch(now) {
            return Instant::now();
        }
        let unblock = self.lanes.next_unblock().map(|at| self.start + at);
        let retry = self.broker.paused_until(now).map(|at| self.start + at);
        [Some(self.renew_at), Some(self.poll_at), Some(self.count_at), self.results.due(), unblock, retry]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.renew_at)
    }

    fn may_dispatch(&self, now: Duration) -> bool {
        // After an outage one event has to get through before the others follow.
        let most = if self.broker.lasts() { 1 } else { self.relay.options.in_flight.max(1) };
        let up = self.broker.paused_until(now).is_none() && !self.database.lasts();
        up && self.lanes.is_ready() && self.lanes.in_flight() < most
    }

    fn count_error(&self, action: &str, error: &OutboxError) {
        self.relay.stats.add_database_error();
        tracing::warn!(%error, "cannot {action} the outbox");
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}
