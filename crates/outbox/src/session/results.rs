//! Outcomes that are not written yet.

use std::time::Duration;

use tokio::time::Instant;

use crate::error::OutboxError;
use crate::table::{Sent, Table};

/// How long outcomes are collected while publishing continues: a commit for each would halve a busy org's rate.
///
/// After a crash, unwritten outcomes are published again with the same ids, so this is short.
const COLLECT: Duration = Duration::from_millis(10);
/// How many outcomes are collected at most.
const MOST: usize = 64;

/// The outcomes of rows since they were last written.
///
/// Nothing here needs the lease: what was published or rejected stays so, whoever holds the lease now.
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

    /// When they must be written, if there are any.
    pub(crate) fn due(&self) -> Option<Instant> {
        let full = self.published.len() + self.parked.len() + self.retried.len() >= MOST;
        if full { Some(Instant::now()) } else { self.due }
    }

    /// Writes all of them; failed ones are kept and may be written again, because each step is idempotent.
    ///
    /// Published rows are deleted, or only marked if they must be kept.
    pub(crate) async fn write(&mut self, table: &Table, keep: bool) -> Result<(), OutboxError> {
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
