//! Outcomes that are yet to be written down.

use crate::error::OutboxError;
use crate::table::Table;

/// What became of rows since it was last written down.
///
/// Nothing here asks for the lease: what was published or rejected stays so, whoever holds it now.
#[derive(Debug, Default)]
pub(crate) struct Results {
    pub(crate) published: Vec<i64>,
    pub(crate) parked: Vec<(i64, String)>,
    pub(crate) retried: Vec<i64>,
}

impl Results {
    pub(crate) fn is_empty(&self) -> bool {
        self.published.is_empty() && self.parked.is_empty() && self.retried.is_empty()
    }

    /// Writes it all down; what failed is kept and may be written again, since each step is harmless twice.
    pub(crate) async fn settle(&mut self, table: &Table) -> Result<(), OutboxError> {
        table.delete(&self.published).await?;
        self.published.clear();
        while let Some((seq, reason)) = self.parked.last() {
            table.park(*seq, reason).await?;
            self.parked.pop();
        }
        while let Some(seq) = self.retried.last() {
            table.count_attempt(*seq).await?;
            self.retried.pop();
        }
        Ok(())
    }
}
