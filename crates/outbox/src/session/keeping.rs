//! What was published is kept until the broker can lose it no more, and published again if it has.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::error::OutboxError;
use crate::lanes::Lanes;
use crate::publisher::{PublishError, PublishedRow, Publisher};

use super::Session;

/// How often the broker is asked where its log ends: sooner than it could have grown again by what it had lost.
const EVERY: Duration = Duration::from_secs(1);
/// How long an answer holds though a publication fails: nobody puts back a store and starts its server in less, and an
/// event that is refused again and again must not hold up the others each time.
const HOLDS: Duration = Duration::from_millis(200);
/// How often what can be lost no more is deleted.
const FORGET_EVERY: Duration = Duration::from_secs(10);
/// How many rows from before the last good look are looked at; twice as many if all of them are lost, and so on.
const LOOK_AT: usize = 256;

/// What the session knows of the rows that are kept.
#[derive(Debug)]
pub(super) struct Keeping {
    /// When to ask where the log ends.
    ask_at: Instant,
    /// When to delete what is old.
    forget_at: Instant,
    /// The log may have lost its end: nothing is published before it is known what is missing.
    suspects: bool,
    /// A publication has failed, and the server may be another than before: nothing is published before it is known
    /// whether the log went back.
    asks_first: bool,
    /// When it was known last.
    answered: Option<Instant>,
    /// Until when all was well, by the clock of the database.
    good_until: i64,
    /// It was said that there is no answer.
    told: bool,
}

impl Keeping {
    /// Whoever relayed before may have ended with the broker's power.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            ask_at: now,
            forget_at: now,
            suspects: true,
            asks_first: false,
            answered: None,
            good_until: 0,
            told: false,
        }
    }

    /// A publication has failed.
    pub(super) fn failed(&mut self, now: Instant) {
        if self.answered.is_none_or(|answered| now.duration_since(answered) >= HOLDS) {
            self.asks_first = true;
            self.ask_at = self.ask_at.min(now);
        }
    }

    fn holds_up(&self) -> bool {
        self.suspects || self.asks_first
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
    /// Whether publishing waits for a look at what is kept.
    pub(super) fn is_suspicious(&self) -> bool {
        self.keeps() && self.keeping.holds_up()
    }

    /// When to look again; with something in flight a look waits for that.
    pub(super) fn look_at(&self) -> Option<Instant> {
        let waits = if self.keeping.holds_up() { !self.in_flight.is_empty() } else { self.broker.lasts() };
        (self.keeps() && !waits).then_some(self.keeping.ask_at)
    }

    /// Asks where the log ends, and if it has lost its end, which rows are lost.
    pub(super) async fn keep(&mut self) {
        if self.look_at().is_none_or(|at| Instant::now() < at) || self.database.paused_until(self.now()).is_some() {
            return;
        }
        self.keeping.ask_at = Instant::now() + EVERY;
        let limit = self.relay.lease.length() / 2;
        match timeout(limit, self.look()).await {
            Ok(Ok(())) => {
                self.keeping.told = false;
                self.keeping.answered = Some(Instant::now());
            }
            Ok(Err(Unknown::Database(error))) => {
                self.count_error("look at what is kept in", &error);
                self.database.failed(self.start.elapsed(), fastrand::f64());
            }
            Ok(Err(Unknown::Broker(reason))) => self.tell(&reason),
            Err(_) => self.tell(&"no answer in time"),
        }
    }

    /// The rows stay, and it is asked again; where publishing waits for the answer, that is worth a line.
    fn tell(&mut self, reason: &dyn std::fmt::Display) {
        if self.keeping.suspects && !std::mem::replace(&mut self.keeping.told, true) {
            tracing::warn!(%reason, "nothing is published until the broker says what it has");
        }
    }

    async fn look(&mut self) -> Result<(), Unknown> {
        let now = self.relay.outbox.table.now().await?;
        if !self.keeping.suspects {
            self.keeping.suspects = match self.relay.publisher.went_back().await {
                // Without the right to look there is nothing to wait for.
                Err(PublishError::Rejected(_)) => false,
                answered => answered.map_err(Unknown::Broker)?,
            };
            if self.keeping.suspects {
                tracing::warn!("the broker's log has lost its end; what was published is compared with what is there");
            }
        }
        if !self.keeping.suspects {
            self.keeping.asks_first = false;
            self.keeping.good_until = now;
            return Ok(self.forget().await?);
        }
        // What is lost goes before what is newer, so nothing newer may be on its way.
        if self.in_flight.is_empty() {
            self.publish_lost().await?;
            (self.keeping.suspects, self.keeping.asks_first) = (false, false);
            self.keeping.good_until = now;
        }
        Ok(())
    }

    async fn publish_lost(&mut self) -> Result<(), Unknown> {
        let table = &self.relay.outbox.table;
        self.results.settle(table, true).await?;
        let mut most = LOOK_AT;
        let lost = loop {
            let kept: Vec<PublishedRow> = table.kept(self.keeping.good_until, most).await?;
            let older = kept.iter().filter(|kept| !kept.is_recent).count();
            let lost = match self.relay.publisher.lost(&kept).await {
                // Without the right to look there is nothing to wait for.
                Err(PublishError::Rejected(reason)) => {
                    tracing::warn!(reason, "whether the broker has what it had answered for cannot be seen");
                    Vec::new()
                }
                answered => answered.map_err(Unknown::Broker)?,
            };
            if lost.len() < kept.len() || older < most {
                break lost;
            }
            most *= 2;
        };
        table.publish_again(&lost).await?;
        if !lost.is_empty() {
            tracing::warn!(count = lost.len(), "what the broker has lost is published again");
            self.relay.stats.add_lost(lost.len() as u64);
            // What is held in memory is newer than that, and is loaded again behind it.
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
