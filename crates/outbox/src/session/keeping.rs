//! Published rows are kept until the broker can no longer lose them, and are published again if it has.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::error::OutboxError;
use crate::lanes::Lanes;
use crate::publisher::{PublishError, PublishedRow, Publisher};
use crate::search::Search;

use super::Session;

/// How often the broker is asked for the end of its log: sooner than the log could have grown again by what it lost.
const EVERY: Duration = Duration::from_secs(1);
/// How often rows that can no longer be lost are deleted.
const FORGET_EVERY: Duration = Duration::from_secs(10);
/// How long before its end the previous session may have missed that the log went back: it asked every second.
const UNSURE_MS: i64 = 10_000;

/// The session's knowledge of the kept rows.
#[derive(Debug)]
pub(super) struct Keeping {
    stage: Stage,
    /// When to ask for the end of the log.
    ask_at: Instant,
    /// When to delete old rows.
    forget_at: Instant,
    /// Until when the log was complete, by the clock of the database; none if this session does not know.
    good_until: Option<i64>,
    /// Whether the missing answer was logged.
    told: bool,
}

/// What is known of the log.
#[derive(Debug)]
enum Stage {
    /// It has everything that it acknowledged.
    Well,
    /// A publication got no answer, or a strange one, and the server may be a different one: nothing is published until
    /// it is known whether the log went back.
    AsksFirst,
    /// It may have lost its end: nothing is published until it is known what is missing.
    Suspects(Option<Search>),
}

impl Keeping {
    /// The previous relay may have ended in the same power failure as the broker.
    pub(super) fn new(now: Instant) -> Self {
        let stage = Stage::Suspects(None);
        Self { stage, ask_at: now, forget_at: now, good_until: None, told: false }
    }

    /// The server may be a different one.
    pub(super) fn ask_first(&mut self, now: Instant) {
        if matches!(self.stage, Stage::Well) {
            self.stage = Stage::AsksFirst;
            self.ask_at = self.ask_at.min(now);
        }
    }

    fn holds_up(&self) -> bool {
        !matches!(self.stage, Stage::Well)
    }
}

enum Unknown {
    Database(OutboxError),
    Broker(PublishError),
}

impl From<OutboxError> for Unknown {
    fn from(error: OutboxError) -> Self {
        Self::Database(error)
    }
}

impl<P: Publisher> Session<'_, P> {
    /// Whether publishing waits for a check of the kept rows.
    pub(super) fn is_suspicious(&self) -> bool {
        self.keeps() && self.keeping.holds_up()
    }

    /// When to check again; a check waits for publications in flight.
    pub(super) fn look_at(&self) -> Option<Instant> {
        let waits = if self.keeping.holds_up() { !self.in_flight.is_empty() } else { self.broker.lasts() };
        (self.keeps() && !waits).then_some(self.keeping.ask_at)
    }

    /// Asks for the end of the log and, if the log has lost its end, finds the lost rows.
    pub(super) async fn keep(&mut self) {
        if self.look_at().is_none_or(|at| Instant::now() < at) || self.database.paused_until(self.now()).is_some() {
            return;
        }
        self.keeping.ask_at = Instant::now() + EVERY;
        let limit = self.relay.lease.length() / 2;
        match timeout(limit, self.look()).await {
            Ok(Ok(())) => self.keeping.told = false,
            Ok(Err(Unknown::Database(error))) => {
                self.count_error("look at what is kept in", &error);
                self.database.failed(self.start.elapsed(), fanfare_failure::chance());
            }
            Ok(Err(Unknown::Broker(reason))) => self.tell(&reason),
            Err(_) => self.tell(&"no answer in time"),
        }
    }

    /// The rows stay, and the check is retried; if publishing waits for it, that is logged.
    fn tell(&mut self, reason: &dyn std::fmt::Display) {
        let Stage::Suspects(search) = &mut self.keeping.stage else { return };
        // The log may have changed meanwhile.
        *search = None;
        if !std::mem::replace(&mut self.keeping.told, true) {
            tracing::warn!(%reason, "nothing is published until the broker says what it has");
        }
    }

    async fn look(&mut self) -> Result<(), Unknown> {
        let now = self.relay.outbox.table.now().await?;
        if !matches!(self.keeping.stage, Stage::Suspects(_)) {
            let went_back = match self.relay.publisher.went_back().await {
                // Without the right to read there is nothing to wait for.
                Err(PublishError::Rejected(_)) => false,
                answered => answered.map_err(Unknown::Broker)?,
            };
            if !went_back {
                self.is_well(now);
                return Ok(self.forget().await?);
            }
            tracing::warn!("the broker's log has lost its end; what was published is compared with what is there");
            self.keeping.stage = Stage::Suspects(None);
        }
        // Lost events are published before newer ones, so nothing newer may be in flight.
        if self.in_flight.is_empty()
            && let Some(lost) = self.search().await?
        {
            self.publish_again(&lost).await?;
            self.is_well(now);
        }
        Ok(())
    }

    fn is_well(&mut self, now: i64) {
        self.keeping.stage = Stage::Well;
        self.keeping.good_until = Some(now);
    }

    /// Compares one page of rows with the log; returns the lost rows once all are known.
    async fn search(&mut self) -> Result<Option<Vec<i64>>, Unknown> {
        let table = &self.relay.outbox.table;
        let Stage::Suspects(begun) = &mut self.keeping.stage else { return Ok(None) };
        let mut search = match begun.take() {
            Some(search) => search,
            None => {
                self.results.write(table, true).await?;
                let (partitions, newest) = table.kept_in().await?;
                Search::new(self.keeping.good_until.unwrap_or(newest.saturating_sub(UNSURE_MS)), partitions)
            }
        };
        let page = table.kept(search.reached()).await?;
        let wanted: Vec<&PublishedRow> = page.rows.iter().filter(|row| search.wants(row)).collect();
        let found = match self.relay.publisher.look(&wanted).await {
            // Without the right to read there is nothing to wait for.
            Err(PublishError::Rejected(reason)) => {
                tracing::warn!(reason, "whether the broker has what it had answered for cannot be seen");
                return Ok(Some(Vec::new()));
            }
            answered => answered.map_err(Unknown::Broker)?,
        };
        search.take(&page.rows, found, page.reached.unwrap_or_default());
        if page.reached.is_none() || search.is_over() {
            return Ok(Some(search.into_lost()));
        }
        // Between two pages the lease is renewed.
        self.keeping.stage = Stage::Suspects(Some(search));
        self.keeping.ask_at = Instant::now();
        Ok(None)
    }

    async fn publish_again(&mut self, lost: &[i64]) -> Result<(), OutboxError> {
        self.relay.outbox.table.publish_again(lost).await?;
        if !lost.is_empty() {
            tracing::warn!(count = lost.len(), "what the broker has lost is published again");
            self.relay.stats.add_lost(lost.len() as u64);
            // The rows in memory are newer, and are loaded again afterwards.
            self.lanes = Lanes::new(self.relay.backoff());
            self.look = true;
        }
        Ok(())
    }

    async fn forget(&mut self) -> Result<(), OutboxError> {
        if Instant::now() >= self.keeping.forget_at {
            let horizon = self.relay.publisher.horizon();
            self.keeping.forget_at = Instant::now() + FORGET_EVERY.min(horizon);
            self.relay.outbox.table.forget_published(horizon).await?;
        }
        Ok(())
    }
}
