//! The relay: publishes committed events.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use fanfare_failure::{Backoff, jittered};
use tokio::time::sleep;

use crate::lease::{Held, Lease};
use crate::outbox::Outbox;
use crate::publisher::Publisher;
use crate::session::{Ended, Session};
use crate::stats::RelayStats;

/// How long a relay without the lease waits before it tries again.
const LONGEST_WAIT: Duration = Duration::from_millis(500);

/// The settings of a relay.
#[derive(Debug, Clone)]
pub struct RelayOptions {
    /// The largest number of concurrent publications, each of another org.
    pub in_flight: usize,
    /// How often the table is polled without a notification.
    pub poll: Duration,
    /// How long a crashed relay makes the others wait.
    pub lease: Duration,
    /// The first pause after a failure; it doubles with every further failure in a row.
    pub first_pause: Duration,
    /// The longest pause after a failure.
    pub longest_pause: Duration,
    /// How long a shutdown waits for publications in flight.
    pub grace: Duration,
}

impl Default for RelayOptions {
    fn default() -> Self {
        Self {
            in_flight: 16,
            poll: Duration::from_secs(1),
            lease: Duration::from_secs(5),
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(10),
            grace: Duration::from_secs(5),
        }
    }
}

/// Publishes the events of an outbox: at least once, in order per org, one relay at a time.
pub struct Relay<P> {
    pub(crate) outbox: Outbox,
    pub(crate) publisher: Arc<P>,
    pub(crate) options: RelayOptions,
    pub(crate) stats: Arc<RelayStats>,
    pub(crate) lease: Lease,
}

impl<P: Publisher> Relay<P> {
    /// A relay for this outbox; it does nothing before [`Relay::run`].
    pub fn new(outbox: &Outbox, publisher: P, options: RelayOptions) -> Self {
        Self {
            lease: Lease::new(outbox.table.clone(), options.lease),
            outbox: outbox.clone(),
            publisher: Arc::new(publisher),
            options,
            stats: Arc::new(RelayStats::default()),
        }
    }

    /// The relay's counters.
    pub fn stats(&self) -> Arc<RelayStats> {
        Arc::clone(&self.stats)
    }

    /// Relays until `shutdown` completes, then waits a little for publications in flight.
    ///
    /// It never gives up: failures of the database and of the publisher are counted, logged and retried.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let mut shutdown = pin!(shutdown);
        loop {
            let held = tokio::select! {
                held = self.wait_for_lease() => held,
                () = &mut shutdown => return,
            };
            tracing::info!("relaying the outbox's events");
            self.stats.set_leading(true);
            let ended = Session::new(&self, held).run(shutdown.as_mut()).await;
            self.stats.set_leading(false);
            match ended {
                Ended::Shutdown => return,
                Ended::Lost => tracing::warn!("lost the outbox's lease; waiting to get it back"),
                Ended::Panicked => tracing::warn!("waiting for the outbox's lease to run out before starting again"),
            }
        }
    }

    pub(crate) fn backoff(&self) -> Backoff {
        Backoff { first: self.options.first_pause, longest: self.options.longest_pause }
    }

    async fn wait_for_lease(&self) -> Held {
        let mut failures = 0;
        loop {
            let pause = match self.lease.acquire().await {
                Ok(Some(held)) => return held,
                Ok(None) => {
                    failures = 0;
                    jittered(LONGEST_WAIT.min(self.lease.length() / 5))
                }
                Err(error) => {
                    failures += 1;
                    self.stats.add_database_error();
                    tracing::warn!(%error, "cannot ask for the outbox's lease");
                    self.backoff().after(failures)
                }
            };
            sleep(pause).await;
        }
    }
}
