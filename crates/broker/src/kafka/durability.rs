//! What topics really guarantee: which of them may lose acknowledged records; pure.

use std::time::Duration;

use crate::condition::{Risk, RiskKind};

/// How long a server may keep acknowledged records only in memory: twice the half minute after which Linux writes to
/// disk. Kafka leaves that to Linux.
pub(super) const HORIZON: Duration = Duration::from_secs(60);

/// What is known of a topic. An unknown setting is no risk.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TopicSettings<'t> {
    /// The smallest number of replicas of its partitions.
    pub(super) replicas: Option<usize>,
    /// `min.insync.replicas`.
    pub(super) in_sync: Option<&'t str>,
    /// `unclean.leader.election.enable`.
    pub(super) unclean: Option<&'t str>,
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
        risk(RiskKind::Replicas, format!("is kept by {replicas} servers; it should be by {right} at least"));
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

    const SOUND: TopicSettings<'_> = TopicSettings { replicas: Some(3), in_sync: Some("2"), unclean: Some("false") };

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
    fn an_unknown_setting_is_no_risk() {
        assert_eq!(kinds(TopicSettings::default(), None), []);
        assert_eq!(kinds(TopicSettings { in_sync: Some("(not told)"), ..SOUND }, None), []);
    }
}
