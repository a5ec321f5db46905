//! What servers and streams really guarantee: which of them may lose acknowledged messages; pure.

use std::time::Duration;

use super::streams::Config;
use crate::condition::{Risk, RiskKind};

/// A server's version, as far as it is compared.
type Version = (u64, u64, u64);

/// How long a server may keep acknowledged messages only in memory: twice its default `sync_interval`, and a minute
/// until the loss is noticed. Only the monitoring port returns the configured interval.
pub(super) const HORIZON: Duration = Duration::from_secs(5 * 60);

/// How soon a loss is noticed and its server is back. Even where files are written before the answer, some versions
/// forgot to do so during compaction (nats-server#8475), and operators restore stores by hand.
const NOTICED: Duration = Duration::from_secs(60);

/// The longest horizon: a server may return nonsense.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// How long a server may keep acknowledged messages only in memory if it syncs its files at this interval.
pub(super) fn horizon_of(sync_interval: Duration) -> Duration {
    sync_interval.saturating_mul(2).saturating_add(NOTICED).min(LONGEST)
}

/// Versions that lose whole streams when they are killed (nats-server#6888).
const LOSE_STREAMS: (Version, Version) = ((2, 10, 20), (2, 10, 22));

/// Versions whose replicas may lose acknowledged messages when they are stopped (nats-server#7594).
const LOSE_COPIES: (Version, Version) = ((2, 12, 0), (2, 12, 2));

/// The numbers of a version such as `2.12.1` or `2.12.1-RC.3`.
fn parse(version: &str) -> Option<Version> {
    let mut numbers = version.split(['.', '-', '+']).map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some((next()?, next()?, next()?))
}

fn is_within(version: &str, (first, last): (Version, Version)) -> bool {
    parse(version).is_some_and(|version| (first..=last).contains(&version))
}

/// Why a server of this version is refused.
pub(super) fn refused_version(version: &str) -> Option<String> {
    is_within(version, LOSE_STREAMS).then(|| {
        format!(
            "the NATS server is version {version}, which loses whole streams when it is killed; use 2.10.23 or newer"
        )
    })
}

/// Why a stream is refused.
pub(super) fn refused_mode(config: &Config) -> Option<&'static str> {
    // Its acknowledgement means nothing: the server may lose acknowledged messages whenever it is killed.
    (config.persist_mode == "async").then_some("persist_mode async, which acknowledges messages before they are stored")
}

/// What makes a stream lose acknowledged messages.
pub(super) fn risks(name: &str, config: &Config, replicas: usize, version: Option<&str>) -> Vec<Risk> {
    let mut risks = Vec::new();
    let mut risk = |kind, reason: String| risks.push(Risk { kind, reason: format!("stream {name} {reason}") });
    let has = config.num_replicas.max(1);
    if has < replicas {
        risk(RiskKind::Replicas, format!("has {has} of the {replicas} replicas that are configured"));
    } else if has == 1 {
        let mended = "3 replicas on servers with separate power supplies survive it";
        risk(
            RiskKind::Replicas,
            format!("has 1 replica: a failed disk or power supply loses messages for good; {mended}"),
        );
    }
    if config.storage == "memory" {
        risk(RiskKind::Memory, "is kept in memory alone; it should have file storage".to_owned());
    }
    if let Some(version) = version.filter(|version| has > 1 && is_within(version, LOSE_COPIES)) {
        let reason =
            format!("has replicas on servers of version {version}, which may lose writes; use 2.12.3 or newer");
        risk(RiskKind::Version, reason);
    }
    risks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_lose_streams_are_refused() {
        for bad in ["2.10.20", "2.10.21", "2.10.22", "2.10.22-RC.1"] {
            let reason = refused_version(bad).expect("refused");
            assert!(reason.contains(bad) && reason.contains("2.10.23"), "{reason}");
        }
        for good in ["2.9.10", "2.10.19", "2.10.23", "2.12.1", "2.15.1", "3.0.0-dev", "", "main"] {
            assert_eq!(refused_version(good), None, "{good}");
        }
    }

    fn kinds(config: &Config, replicas: usize, version: &str) -> Vec<RiskKind> {
        risks("s", config, replicas, Some(version)).iter().map(|risk| risk.kind).collect()
    }

    #[test]
    fn possible_losses_are_named() {
        let three = Config { num_replicas: 3, storage: "file".into(), ..Config::default() };
        assert_eq!(kinds(&three, 3, "2.12.3"), []);
        for bad in ["2.12.0", "2.12.1", "2.12.2"] {
            assert_eq!(kinds(&three, 3, bad), [RiskKind::Version]);
        }
        let one = Config { num_replicas: 1, ..three.clone() };
        assert_eq!(kinds(&one, 1, "2.12.1"), [RiskKind::Replicas]);
        let reason = &risks("s", &one, 3, None)[0].reason;
        assert_eq!(reason, "stream s has 1 of the 3 replicas that are configured");
        let memory = Config { storage: "memory".into(), ..three };
        assert_eq!(kinds(&memory, 3, "2.15.1"), [RiskKind::Memory]);
    }

    #[test]
    fn the_default_horizon_follows_from_the_default_interval() {
        assert_eq!(horizon_of(Duration::from_secs(120)), HORIZON);
    }

    #[test]
    fn only_one_mode_is_refused() {
        let mode = |mode: &str| refused_mode(&Config { persist_mode: mode.into(), ..Config::default() });
        assert!(mode("async").is_some());
        assert_eq!((mode(""), mode("default")), (None, None));
    }
}
