//! Outcomes that are yet to be written down.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::OutboxError;
use crate::table::{Sent, Table};

/// How long outcomes are collected while publishing goes on: a commit for each would halve a busy org's rate.
///
/// What a crash leaves unwritten is published again under the same id, so this is kept short.
const COLLECT: Duration = Duration::from_millis(10);
/// How many outcomes are collected at most.
const MOST: usize = 64;

/// What became of rows since it was last written down.
///
/// Nothing here asks for the lease: what was published or rejected stays so, whoever holds it now.
#[derive(Debug, Default)]
pub(crate) struct Results {
    published: Vec<Sent>,
    parked: Vec<(i64, String)>,
    retried: Vec<i64>,
    due: Option<Instant>,
}

impl Results {
    pub(crate) fn published(&mut self, sent: Sent) {
        self.begin();
        self.published.push(sent);
    }

    pub(crate) fn parked(&mut self, seq: i64, reason: String) {
        self.begin();
        self.parked.push((seq, reason));
    }

    pub(crate) fn retried(&mut self, seq: i64) {
        self.begin();
        self.retried.push(seq);
    }

    /// When they have to be written down, if there are any.
    pub(crate) fn due(&self) -> Option<Instant> {
        let full = self.published.len() + self.parked.len() + self.retried.len() >= MOST;
        if full { Some(Instant::now()) } else { self.due }
    }

    /// Writes it all down; what failed is kept and may be written again, since each step is harmless twice.
    ///
    /// What is published is deleted, or only marked where it is to be kept.
    pub(crate) async fn settle(&mut self, table: &Table, keep: bool) -> Result<(), OutboxError> {
        if keep {
            table.mark(&self.published).await?;
        } else {
            table.delete(&self.published).await?;
        }
        self.published.clear();
        while let Some((seq, reason)) = self.parked.last() {
            table.park(*seq, reason).await?;
            self.parked.pop();
        }
        while let Some(seq) = self.retried.last() {
            table.count_attempt(*seq).await?;
            self.retried.pop();
        }
        self.due = None;
        Ok(())
    }

    fn begin(&mut self) {
        self.due.get_or_insert_with(|| Instant::now() + COLLECT);
    }
}
