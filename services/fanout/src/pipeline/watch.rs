//! Measures how far the reader is behind the end of the log.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use fanfare_broker::{Condition, Position, Risk, RiskKind, Writes};
use tokio::time::Instant;

use super::Pipeline;
use super::follower::reached;
use crate::clock::unix_millis;

/// How often the broker is asked for its head.
const EVERY: Duration = Duration::from_secs(2);

/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How many heads are remembered: enough to measure a lag of some minutes.
const MOST_HEADS: usize = 128;

/// Heads of the log by when they were seen, as far as the reader has not reached them.
///
/// The lag is how long ago the oldest of them was seen. No clock but this node's own is asked, and of that only how
/// long something takes: clocks of broker and nodes may differ.
#[derive(Debug, Default)]
struct Heads(VecDeque<(Instant, Position)>);

impl Heads {
    fn note(&mut self, head: Position, now: Instant) {
        // Of a broker that is far ahead the oldest head matters, so the newest but one gives way.
        if self.0.len() >= MOST_HEADS {
            self.0.pop_back();
        }
        self.0.push_back((now, head));
    }

    fn lag(&mut self, read: &Position, now: Instant) -> Duration {
        let is_read = |head: &Position| head.incarnation() != read.incarnation() || reached(read, head);
        while self.0.front().is_some_and(|(_, head)| is_read(head)) {
            self.0.pop_front();
        }
        self.0.front().map_or(Duration::ZERO, |(seen, _)| now.saturating_duration_since(*seen))
    }
}

impl Pipeline {
    /// Asks the broker for its head every few seconds, and reports how far the reader is behind it.
    pub(super) async fn watch(&self) -> Infallible {
        let (mut heads, mut risks, begun) = (Heads::default(), Vec::new(), Instant::now());
        loop {
            tokio::time::sleep(EVERY).await;
            let head = tokio::time::timeout(PATIENCE, self.broker.head()).await;
            let fault = match &head {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some("the broker does not answer".to_owned()),
            };
            self.status.set_answers(fault);
            self.metrics.set_broker_connected(self.status.is_connected());
            let (read, now) = (self.read_position(), Instant::now());
            if let Ok(Ok(head)) = head {
                self.tell_partitions(&read, &head);
                heads.note(head, now);
            }
            let lag = heads.lag(&read, now);
            self.status.set_lag(lag);
            self.metrics.set_reader_lag(lag);
            let condition = self.broker.condition().await;
            self.tell_condition(&condition, &mut risks);
            self.pass_time(begun.elapsed(), condition.age_clock);
            self.tell_sizes();
        }
    }

    /// Reports that the log is another one than before, or has lost its end.
    pub(super) fn tell_replaced(&self) {
        self.metrics.log_replaced();
        self.status.set_replaced(std::time::Instant::now());
    }

    /// Reports what the broker says of itself besides its records.
    fn tell_condition(&self, condition: &Condition, known: &mut Vec<Risk>) {
        if self.status.set_disk(condition.disk.clone())
            && let Some(disk) = &condition.disk
        {
            tracing::info!("the broker: {disk}");
        }
        let unwritable = match &condition.writes {
            Writes::Fail(reason) => Some(reason.clone()),
            Writes::Work | Writes::Untold => None,
        };
        self.metrics.set_log_unwritable(unwritable.is_some());
        self.status.set_unwritable(unwritable);
        for kind in RiskKind::ALL {
            self.metrics.set_broker_risk(kind.label(), condition.risks.iter().any(|risk| risk.kind == kind));
        }
        if *known == condition.risks {
            return;
        }
        for risk in condition.risks.iter().filter(|risk| !known.contains(risk)) {
            tracing::warn!(kind = risk.kind.label(), "what the broker has acknowledged may be lost: {}", risk.reason);
        }
        known.clone_from(&condition.risks);
        if self.tells_risks {
            self.status.set_risks(known.iter().map(|risk| risk.reason.clone()).collect());
        }
    }

    /// Lets time pass for what is forgotten because of its age, once the log has been read back. `kept` is what time it
    /// is by the clock that the log itself keeps; without one the earlier of two clocks counts that know nothing of each
    /// other, the machine's and the newest record's.
    fn pass_time(&self, elapsed: Duration, kept: Option<i64>) {
        if !self.status.is_caught_up() {
            return;
        }
        let begin = kept.unwrap_or(i64::MAX).min(unix_millis());
        let (behind, fell) = self.groups.fold(|known| {
            known.pass_time(elapsed, begin);
            (known.clock_behind(), known.fell_behind())
        });
        self.metrics.set_age_clock_behind(behind);
        if let Some(behind) = fell {
            tracing::warn!(
                seconds = behind.as_secs(),
                "the newest record is dated further ahead than time has passed: a clock was wrong, or the log was closed \
                 for so long; logouts, roles and ids are remembered for longer by that"
            );
        }
    }

    fn tell_partitions(&self, read: &Position, head: &Position) {
        if read.incarnation() != head.incarnation() {
            return;
        }
        let parts = head.offsets().iter().map(|&(partition, offset)| {
            let read = read.offset(partition);
            (partition, read.unwrap_or(0), offset)
        });
        self.metrics.set_partitions(parts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_is_the_age_of_the_oldest_head_that_was_not_reached() {
        let start = Instant::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let at = |offset| Position::from_parts(1, [(0, offset)]);
        let mut heads = Heads::default();
        heads.note(at(5), start);
        assert_eq!(heads.lag(&at(5), after(1)), Duration::ZERO);
        heads.note(at(8), after(2));
        heads.note(at(9), after(4));
        assert_eq!(heads.lag(&at(7), after(9)), Duration::from_secs(7));
        assert_eq!(heads.lag(&at(8), after(9)), Duration::from_secs(5));
        assert_eq!(heads.lag(&Position::start(2), after(9)), Duration::ZERO, "of another stream nothing is behind");
    }

    #[test]
    fn heads_are_bounded_and_the_oldest_is_kept() {
        let start = Instant::now();
        let mut heads = Heads::default();
        for offset in 1..1000 {
            heads.note(Position::from_parts(1, [(0, offset)]), start + Duration::from_secs(offset));
        }
        assert_eq!(heads.0.len(), MOST_HEADS);
        assert_eq!(heads.lag(&Position::start(1), start + Duration::from_secs(1000)), Duration::from_secs(999));
    }
}
