//! A relay's work while it holds the lease.

mod keeping;
mod publication;
mod publishing;
mod results;
mod storing;

use std::pin::Pin;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::error::OutboxError;
use crate::lanes::Lanes;
use crate::lease::Held;
use crate::outage::Outage;
use crate::publisher::Publisher;
use crate::relay::Relay;

use self::keeping::Keeping;
use self::publication::Outcome;
use self::results::Results;

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was asked to stop, and released the lease.
    Shutdown,
    /// Another relay has, or may have, the lease.
    Lost,
    /// The publisher panicked. The lease is left to expire, so that this cannot repeat in a tight loop.
    Panicked,
}

/// One tenure of the lease: from its acquisition to its loss.
pub(crate) struct Session<'r, P> {
    relay: &'r Relay<P>,
    start: Instant,
    held: Held,
    /// Until when the lease is certainly held, for the publications in flight.
    held_until: watch::Sender<Instant>,
    renew_at: Instant,
    lanes: Lanes,
    in_flight: JoinSet<Outcome>,
    results: Results,
    broker: Outage,
    database: Outage,
    /// Whether the table may have rows that are not in memory.
    look: bool,
    /// Whether the last load left rows behind for lack of room.
    more: bool,
    poll_at: Instant,
    count_at: Instant,
    keeping: Keeping,
}

impl<'r, P: Publisher> Session<'r, P> {
    pub(crate) fn new(relay: &'r Relay<P>, held: Held) -> Self {
        let now = Instant::now();
        Self {
            relay,
            start: now,
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
            keeping: Keeping::new(now),
        }
    }

    /// Relays until the lease is lost or `shutdown` completes; does not poll `shutdown` after that.
    pub(crate) async fn run(mut self, shutdown: Pin<&mut impl Future<Output = ()>>) -> Ended {
        let ended = self.work(shutdown).await;
        if ended == Ended::Shutdown {
            self.finish_in_flight().await;
        }
        // Ends publications in flight: another relay may be working by now.
        self.in_flight.shutdown().await;
        let limit = self.relay.lease.length();
        let keeps = self.keeps();
        let writing = self.results.write(&self.relay.outbox.table, keeps);
        let written = timeout(limit, writing).await.unwrap_or(Err(OutboxError::Timeout(limit)));
        if let Err(error) = written {
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
            self.keep().await;
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
        tracing::info!(count = self.in_flight.len(), "the relay stops, leaving what is still in flight");
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
        let look = self.look_at();
        [Some(self.renew_at), Some(self.poll_at), Some(self.count_at), self.results.due(), unblock, retry, look]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(self.renew_at)
    }

    /// Whether published rows are kept for a while.
    fn keeps(&self) -> bool {
        !self.relay.publisher.horizon().is_zero()
    }

    fn count_error(&self, action: &str, error: &OutboxError) {
        self.relay.stats.add_database_error();
        tracing::warn!(%error, "cannot {action} the outbox");
    }

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}
