//! What topics really guarantee: which of them may lose acknowledged records; pure.

use std::fmt;
use std::time::Duration;

use crate::condition::{Risk, RiskKind};

/// After this time Linux writes to the disk by itself. Kafka leaves it to that, unless it is told otherwise.
const WRITTEN_BACK: Duration = Duration::from_secs(30);

/// How soon a loss is noticed, and its server has come back.
const NOTICED: Duration = Duration::from_secs(10);

/// When the servers that have acknowledged a record bring it to their disks; the last is the latest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Disk {
    /// Before they acknowledge it.
    Before,
    /// Within this time.
    Within(Duration),
    /// When the system does it.
    System,
}

impl Disk {
    /// Of a topic with these `flush.messages` and `flush.ms`, on servers with this `log.flush.scheduler.interval.ms`: only
    /// so often they look at `flush.ms`, and by default never. What is not told counts as the default.
    pub(super) fn of(messages: Option<&str>, ms: Option<&str>, looked_at: Option<&str>) -> Self {
        let number = |text: Option<&str>| text?.parse::<u64>().ok();
        if number(messages) == Some(1) {
            return Self::Before;
        }
        match (number(ms), number(looked_at)) {
            (Some(ms), Some(looked_at)) => match Duration::from_millis(ms.saturating_add(looked_at)) {
                within if within < WRITTEN_BACK => Self::Within(within),
                _ => Self::System,
            },
            _ => Self::System,
        }
    }

    /// For how long a server may keep in memory what it has acknowledged, and a loss be unnoticed: at least twice the time.
    pub(super) fn horizon(self) -> Duration {
        match self {
            Self::Before => NOTICED,
            Self::Within(within) => within.saturating_mul(2).max(NOTICED),
            Self::System => 2 * WRITTEN_BACK,
        }
    }
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Before => f.write_str("what is acknowledged is on the disk already (flush.messages=1)"),
            Self::Within(within) => {
                write!(f, "what is acknowledged reaches the disk within {} s (flush.ms)", within.as_secs_f64())
            }
            Self::System => {
                let seconds = WRITTEN_BACK.as_secs();
                write!(f, "what is acknowledged reaches the disk when the system writes it, within about {seconds} s")
            }
        }
    }
}

/// What is known of a topic. An unknown setting is no risk.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TopicSettings<'t> {
    /// The smallest number of replicas of its partitions.
    pub(super) replicas: Option<usize>,
    /// `min.insync.replicas`.
    pub(super) in_sync: Option<&'t str>,
    /// `unclean.leader.election.enable`.
    pub(super) unclean: Option<&'t str>,
    /// When its records reach the disk.
    pub(super) disk: Option<Disk>,
}

/// How many replicas a partition needs so that the loss of one loses nothing, and another may be down.
const ENOUGH: usize = 3;

/// How many of them must have a record before it is acknowledged.
const ENOUGH_IN_SYNC: usize = 2;

/// What makes a topic lose acknowledged records. `wanted` is the configured number of replicas, if any.
pub(super) fn risks(topic: &str, kept: TopicSettings<'_>, wanted: Option<u16>) -> Vec<Risk> {
    let mut risks = Vec::new();
    let mut risk = |kind, reason: String| risks.push(Risk { kind, reason: format!("the topic {topic} {reason}") });
    let wanted = wanted.map_or(ENOUGH, usize::from);
    if let Some(replicas) = kept.replicas.filter(|replicas| *replicas < wanted.max(ENOUGH)) {
        let right = wanted.max(ENOUGH);
        let disk = kept.disk.map(|disk| format!("; {disk}")).unwrap_or_default();
        risk(RiskKind::Replicas, format!("is kept by {replicas} servers; it should be by {right} at least{disk}"));
    }
    let in_sync = kept.in_sync.and_then(|text| text.parse::<usize>().ok());
    if let Some(in_sync) = in_sync.filter(|in_sync| *in_sync < ENOUGH_IN_SYNC) {
        let reason = format!(
            "has min.insync.replicas={in_sync}; it should be {ENOUGH_IN_SYNC}, as else one server alone acknowledges"
        );
        risk(RiskKind::Acknowledgement, reason);
    }
    if kept.unclean == Some("true") {
        let reason = "has unclean.leader.election.enable=true; it should be false, as else a server that lacks records \
                      may take over";
        risk(RiskKind::UncleanElection, reason.to_owned());
    }
    risks
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOUND: TopicSettings<'_> =
        TopicSettings { replicas: Some(3), in_sync: Some("2"), unclean: Some("false"), disk: None };

    fn kinds(kept: TopicSettings<'_>, wanted: Option<u16>) -> Vec<RiskKind> {
        risks("t", kept, wanted).iter().map(|risk| risk.kind).collect()
    }

    #[test]
    fn possible_losses_are_named() {
        assert_eq!(kinds(SOUND, None), []);
        assert_eq!(kinds(TopicSettings { replicas: Some(1), ..SOUND }, Some(1)), [RiskKind::Replicas]);
        assert_eq!(kinds(SOUND, Some(5)), [RiskKind::Replicas]);
        assert_eq!(kinds(TopicSettings { in_sync: Some("1"), ..SOUND }, None), [RiskKind::Acknowledgement]);
        assert_eq!(kinds(TopicSettings { unclean: Some("true"), ..SOUND }, None), [RiskKind::UncleanElection]);
        let reason = &risks("state.auth", TopicSettings { in_sync: Some("1"), ..SOUND }, None)[0].reason;
        assert!(reason.starts_with("the topic state.auth has min.insync.replicas=1; it should be 2"), "{reason}");
    }

    #[test]
    fn records_reach_the_disk_as_the_settings_say() {
        let never = u64::from(u32::MAX).pow(2).to_string();
        let (never, seconds) = (Some(&*never), |seconds| Disk::Within(Duration::from_secs(seconds)));
        for (messages, ms, looked_at, disk, horizon) in [
            (never, never, never, Disk::System, 60),
            (None, None, None, Disk::System, 60),
            (Some("1"), never, None, Disk::Before, 10),
            (Some("2"), never, None, Disk::System, 60),
            (never, Some("2000"), Some("1000"), seconds(3), 10),
            (never, Some("20000"), Some("1000"), seconds(21), 42),
            (never, Some("40000"), Some("1000"), Disk::System, 60),
            // Nobody looks at it, or it is not known who does.
            (never, Some("2000"), never, Disk::System, 60),
            (never, Some("2000"), None, Disk::System, 60),
        ] {
            let found = Disk::of(messages, ms, looked_at);
            assert_eq!((found, found.horizon().as_secs()), (disk, horizon), "{messages:?} {ms:?} {looked_at:?}");
        }
        assert!(Disk::Before < seconds(1) && seconds(1) < seconds(2) && seconds(2) < Disk::System);
        let kept = TopicSettings { replicas: Some(1), disk: Some(seconds(3)), ..SOUND };
        let reason = &risks("t", kept, None)[0].reason;
        assert!(reason.ends_with("; what is acknowledged reaches the disk within 3 s (flush.ms)"), "{reason}");
    }

    #[test]
    fn an_unknown_setting_is_no_risk() {
        assert_eq!(kinds(TopicSettings::default(), None), []);
        assert_eq!(kinds(TopicSettings { in_sync: Some("(not told)"), ..SOUND }, None), []);
    }
}
