//! The session and the table: outcomes are written, rows are loaded.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::error::OutboxError;
use crate::lanes::MAX_HELD;
use crate::publisher::Publisher;

use super::Session;

/// How often the backlog is counted.
const COUNT_EVERY: Duration = Duration::from_secs(5);

impl<P: Publisher> Session<'_, P> {
    /// Writes outcomes, loads rows and counts the backlog, whichever is due.
    pub(super) async fn work_on_table(&mut self) {
        if self.database.paused_until(self.now()).is_some() {
            return;
        }
        let limit = self.relay.lease.length();
        match timeout(limit, self.table_work()).await.unwrap_or(Err(OutboxError::Timeout(limit))) {
            // Everything that failed before was due again, so it has succeeded now.
            Ok(()) => drop(self.database.succeeded()),
            Err(error) => {
                self.count_error("work on", &error);
                self.database.failed(self.start.elapsed(), fanfare_failure::chance());
            }
        }
    }

    async fn table_work(&mut self) -> Result<(), OutboxError> {
        let now = Instant::now();
        if now >= self.poll_at {
            self.look = true;
            self.poll_at = now + self.relay.options.poll;
        }
        // If nothing is in flight, there is nothing to wait for.
        let due = self.results.due().is_some_and(|due| due <= now || self.in_flight.is_empty() || self.may_load());
        if due {
            self.results.write(&self.relay.outbox.table, self.keeps()).await?;
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

    pub(super) fn may_load(&self) -> bool {
        self.look && self.lanes.want_rows()
    }

    /// Loads rows; all outcomes must be written by now, or published rows would be loaded again.
    async fn load(&mut self) -> Result<(), OutboxError> {
        // Cleared before the read: a wake-up during the read must not be lost.
        self.look = false;
        let excluded = self.lanes.excluded();
        let rows = self.relay.outbox.table.unsent(&excluded, MAX_HELD).await.inspect_err(|_| self.look = true)?;
        self.more = rows.len() == MAX_HELD;
        self.lanes.admit(rows);
        self.poll_at = Instant::now() + self.relay.options.poll;
        Ok(())
    }
}
