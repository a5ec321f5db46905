//! The health of the reader of the log, for the probes.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::config::HealthConfig;

/// A node whose lag is above this is not ready (rule 5.1).
const MAX_LAG: Duration = Duration::from_secs(10);

/// A node is degraded if the schema registry gives no answer for longer than this.
const MAX_SCHEMAS_AWAY: Duration = Duration::from_secs(10);

/// How long a recreated log, or one that has lost its end, makes the node degraded: acknowledged events may be lost,
/// and somebody should look.
const REPLACED_IS_TOLD: Duration = Duration::from_secs(600);

/// The last report of the reader.
#[derive(Debug)]
pub struct Status {
    /// How long a node that cannot read the log takes new connections (rule 5.1).
    max_stale: Duration,
    read: AtomicU64,
    of: AtomicU64,
    report: Mutex<Report>,
}

#[derive(Debug)]
struct Report {
    caught_up: bool,
    /// Whether the other nodes' state is still to be read.
    awaits_nodes: bool,
    /// Whether the last read went well.
    reads: bool,
    /// Whether the broker answered when it was last asked.
    answers: bool,
    /// Since when one of the two has not been so.
    away_since: Option<Instant>,
    /// The broker's last error, in its own words.
    fault: Option<String>,
    lag: Duration,
    /// Since when the stream waits for the schema registry.
    schemas_away_since: Option<Instant>,
    /// Why nothing can be written to the log.
    unwritable: Option<String>,
    /// Risks that the broker loses what it has acknowledged.
    risks: Vec<String>,
    /// When what the broker has acknowledged is on a disk, if it tells.
    disk: Option<String>,
    /// When the log was another one than before, or had lost its end.
    replaced: Option<Instant>,
}

/// Why a node is not ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotReady {
    /// The reason in words.
    pub reason: &'static str,
    /// The broker's error, if it is its fault.
    pub fault: Option<String>,
    /// How many records have been read back, and of how many, while it does that.
    pub progress: Option<(u64, u64)>,
}

impl Status {
    /// Nothing is read yet; without the broker the node stays ready for `max_stale`.
    #[must_use]
    pub fn new(max_stale: Duration) -> Self {
        let report = Report {
            caught_up: false,
            awaits_nodes: false,
            reads: true,
            answers: true,
            away_since: None,
            fault: None,
            lag: Duration::ZERO,
            schemas_away_since: None,
            unwritable: None,
            risks: Vec::new(),
            disk: None,
            replaced: None,
        };
        Self { max_stale, read: AtomicU64::new(0), of: AtomicU64::new(0), report: Mutex::new(report) }
    }

    /// How many records have been read back, and of how many.
    pub fn set_progress(&self, read: u64, of: u64) {
        self.read.store(read, Ordering::Relaxed);
        self.of.store(of.max(read), Ordering::Relaxed);
    }

    /// Everything that existed at start has been read; false while it is read again.
    pub fn set_caught_up(&self, caught_up: bool) {
        self.report().caught_up = caught_up;
    }

    /// Whether the other nodes' state is still to be read: without it a client would be told that nobody else is there.
    pub fn set_awaits_nodes(&self, awaits: bool) {
        self.report().awaits_nodes = awaits;
    }

    /// Whether everything that existed at start has been read.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        self.report().caught_up
    }

    /// Whether the stream waits for the schema registry.
    pub fn set_schemas_away(&self, away: bool) {
        let mut report = self.report();
        report.schemas_away_since = away.then(|| report.schemas_away_since.unwrap_or_else(Instant::now));
    }

    /// Whether the schema registry has given no answer for so long that the stream has come to a halt.
    #[must_use]
    pub fn waits_for_schemas(&self) -> bool {
        self.report().waits_for_schemas()
    }

    /// Whether the stream waits for the schema registry, since just now or longer.
    #[cfg(test)]
    pub(super) fn has_schemas_away(&self) -> bool {
        self.report().schemas_away_since.is_some()
    }

    /// Whether the log can be written; if not, why.
    pub fn set_unwritable(&self, reason: Option<String>) {
        self.report().unwritable = reason;
    }

    /// The log was another one than before, or had lost its end, at this time.
    pub fn set_replaced(&self, at: Instant) {
        self.report().replaced = Some(at);
    }

    /// Risks that the broker loses what it has acknowledged, each with its reason.
    pub fn set_risks(&self, risks: Vec<String>) {
        self.report().risks = risks;
    }

    /// Risks that the broker loses what it has acknowledged.
    #[must_use]
    pub fn risks(&self) -> Vec<String> {
        self.report().risks.clone()
    }

    /// When what the broker has acknowledged is on a disk, if it tells; whether it said something else before.
    pub fn set_disk(&self, disk: Option<String>) -> bool {
        let mut report = self.report();
        let is_other = report.disk != disk;
        report.disk = disk;
        is_other
    }

    /// When what the broker has acknowledged is on a disk, if it tells.
    #[must_use]
    pub fn disk(&self) -> Option<String> {
        self.report().disk.clone()
    }

    /// Whether the last read went well; if not, why.
    pub fn set_reads(&self, fault: Option<String>) {
        self.note(|report| &mut report.reads, fault);
    }

    /// Whether the broker answers; if not, why.
    pub fn set_answers(&self, fault: Option<String>) {
        self.note(|report| &mut report.answers, fault);
    }

    fn note(&self, which: impl Fn(&mut Report) -> &mut bool, fault: Option<String>) {
        let mut report = self.report();
        *which(&mut report) = fault.is_none();
        if report.reads && report.answers {
            (report.away_since, report.fault) = (None, None);
        } else {
            report.away_since.get_or_insert_with(Instant::now);
            report.fault = fault.or(report.fault.take());
        }
    }

    /// For how long there has been something in the log that this node has not read.
    pub fn set_lag(&self, lag: Duration) {
        self.report().lag = lag;
    }

    /// Whether the broker could be read last time.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.report().away_since.is_none()
    }

    /// Why the node is not ready, or nothing if it is.
    #[must_use]
    pub fn not_ready(&self) -> Option<NotReady> {
        let report = self.report();
        let of_broker = |reason| Some(NotReady { reason, fault: report.fault.clone(), progress: None });
        if !report.caught_up {
            if report.away_since.is_some() {
                return of_broker("waiting for the broker");
            }
            let progress = Some((self.read.load(Ordering::Relaxed), self.of.load(Ordering::Relaxed)));
            return Some(NotReady { reason: "reading back the log", fault: None, progress });
        }
        if report.awaits_nodes {
            return Some(NotReady { reason: "reading the nodes' stream", fault: None, progress: None });
        }
        match report.away_since {
            Some(since) if since.elapsed() > self.max_stale => of_broker("the log cannot be read, for too long"),
            None if report.lag > MAX_LAG => of_broker("more than 10 s behind the log"),
            _ => None,
        }
    }

    /// Why the node is degraded; empty if it is not. `has_many` says whether it has many connections.
    #[must_use]
    pub fn degraded(&self, has_many: bool, health: &HealthConfig) -> Vec<String> {
        let report = self.report();
        let faults = [
            (report.away_since.is_some(), "the log cannot be read"),
            (report.lag > health.degraded_lag, "behind the log"),
            (report.waits_for_schemas(), "the schema registry gives no answer"),
            (report.was_replaced(), "the log was recreated or has lost its end"),
            (has_many, "many connections"),
        ];
        let faults = faults.into_iter().filter(|(holds, _)| *holds).map(|(_, what)| what.to_owned());
        let unwritable = report.unwritable.iter().map(|reason| format!("the log cannot be written: {reason}"));
        faults.chain(unwritable).chain(report.risks.iter().cloned()).collect()
    }

    fn report(&self) -> MutexGuard<'_, Report> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Report {
    fn was_replaced(&self) -> bool {
        self.replaced.is_some_and(|at| at.elapsed() < REPLACED_IS_TOLD)
    }

    fn waits_for_schemas(&self) -> bool {
        self.schemas_away_since.is_some_and(|since| since.elapsed() > MAX_SCHEMAS_AWAY)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(status: &Status) -> Option<&'static str> {
        status.not_ready().map(|not_ready| not_ready.reason)
    }

    #[test]
    fn a_node_is_ready_once_it_has_caught_up_and_while_it_keeps_up() {
        let status = Status::new(Duration::from_secs(300));
        status.set_progress(3, 10);
        let waiting = status.not_ready().expect("not ready");
        assert_eq!((waiting.reason, waiting.progress), ("reading back the log", Some((3, 10))));
        status.set_reads(Some("no route to host".to_owned()));
        let away = status.not_ready().expect("not ready");
        assert_eq!((away.reason, away.fault.as_deref()), ("waiting for the broker", Some("no route to host")));
        status.set_reads(None);
        status.set_caught_up(true);
        assert_eq!(status.not_ready(), None);
        status.set_awaits_nodes(true);
        assert_eq!(reason(&status), Some("reading the nodes' stream"));
        status.set_awaits_nodes(false);
        status.set_lag(Duration::from_millis(10_001));
        assert_eq!(reason(&status), Some("more than 10 s behind the log"));
    }

    #[test]
    fn without_the_broker_a_node_stays_ready_for_a_while() {
        for (max_stale, ready) in [(300, true), (0, false)] {
            let status = Status::new(Duration::from_secs(max_stale));
            status.set_caught_up(true);
            status.set_answers(Some("gone".to_owned()));
            let earlier = Instant::now().checked_sub(Duration::from_millis(5));
            status.report().away_since = earlier;
            status.set_reads(Some("gone".to_owned()));
            assert_eq!(status.not_ready().is_none(), ready);
            status.set_reads(None);
            assert!(!status.is_connected(), "it still does not answer");
            status.set_answers(None);
            assert!(status.is_connected() && status.not_ready().is_none());
        }
    }

    #[test]
    fn what_is_degraded_is_named() {
        let health = HealthConfig { degraded_connections: Some(10), degraded_lag: Duration::from_secs(5), path: None };
        let status = Status::new(Duration::from_secs(300));
        let degraded = |connections| status.degraded(health.are_many(connections, 20), &health);
        assert!(degraded(10).is_empty());
        status.set_lag(Duration::from_secs(6));
        status.set_reads(Some("gone".to_owned()));
        assert_eq!(degraded(11), ["the log cannot be read", "behind the log", "many connections"]);
        let health = HealthConfig { degraded_connections: None, ..health };
        assert!(!health.are_many(18, 20) && health.are_many(19, 20), "nine tenths if nobody says how many");
        status.set_reads(None);
        status.set_lag(Duration::ZERO);
        status.set_unwritable(Some("no space left".to_owned()));
        status.set_risks(vec!["stream a has 1 replica".to_owned()]);
        let expected = ["the log cannot be written: no space left", "stream a has 1 replica"];
        assert_eq!(status.degraded(false, &health), expected);
        assert!(status.not_ready().is_none_or(|not_ready| not_ready.reason == "reading back the log"), "it reads");
    }

    #[test]
    fn a_schema_registry_that_stays_unreachable_is_reported() {
        let status = Status::new(Duration::from_secs(300));
        let waits = |status: &Status| status.waits_for_schemas();
        status.set_schemas_away(true);
        assert!(!waits(&status), "not yet");
        status.report().schemas_away_since = Instant::now().checked_sub(MAX_SCHEMAS_AWAY);
        status.set_schemas_away(true);
        assert!(waits(&status), "the first failure counts, not the last");
        status.set_schemas_away(false);
        assert!(!waits(&status));
    }
}
