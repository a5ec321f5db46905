//! Updates of the dashboards of `examples/analytics`: figures and their trends, as its service sends them.

use anyhow::{Context, Result, ensure};
use fanfare_event::{Id, TypedEvent};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The event.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DashboardUpdate {
    org: Id,
    metrics: Value,
    trends: Value,
}

impl TypedEvent for DashboardUpdate {
    const TYPE: &'static str = "analytics.DashboardUpdate";
}

/// What every dashboard must get.
#[derive(Debug, Clone)]
pub(crate) struct Update {
    mark: String,
    metrics: Value,
    trends: Value,
}

/// An update, by the id of its event.
pub(super) fn make(org: &Id, event: &str) -> (DashboardUpdate, Update) {
    let number: u64 = event.bytes().filter(u8::is_ascii_digit).fold(0, |all, digit| all * 10 + u64::from(digit - b'0'));
    let metrics = json!({ "activeSessions": number % 500, "sessionsToday": number, "aiSeconds": 30 * number });
    let trends = json!({ "tools": { "assistant": 20 * number, "completion": 10 * number } });
    let update =
        Update { mark: format!("\"sessionsToday\":{number}}}"), metrics: metrics.clone(), trends: trends.clone() };
    (DashboardUpdate { org: org.clone(), metrics, trends }, update)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Invocation {
    r#type: u8,
    target: String,
    arguments: [Fields; 1],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fields {
    metrics: Value,
    trends: Value,
}

impl Update {
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// Checks that a hub message is exactly this update.
    pub(super) fn check(&self, message: &[u8]) -> Result<()> {
        let text = || String::from_utf8_lossy(message).into_owned();
        let Invocation { r#type, target, arguments: [fields] } = serde_json::from_slice(message).with_context(text)?;
        ensure!(r#type == 1 && target == "DashboardUpdate", "not an update: {}", text());
        let right = fields.metrics == self.metrics && fields.trends == self.trends;
        ensure!(right, "not the next update ({:?}): {}", self.mark, text());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_is_checked_to_the_last_figure() {
        let (event, update) = make(&Id::parse("acme").expect("an org"), "event-7");
        let argument = json!({ "metrics": event.metrics, "trends": event.trends });
        let text = json!({ "type": 1, "target": "DashboardUpdate", "arguments": [argument] }).to_string();
        update.check(text.as_bytes()).expect("the update");
        assert!(text.contains(update.mark()), "{text}");
        for (part, other) in [("210", "211"), ("140", "141"), ("DashboardUpdate", "toast"), ("trends", "trend")] {
            assert!(text.contains(part), "{part}: {text}");
            assert!(update.check(text.replacen(part, other, 1).as_bytes()).is_err(), "{other}");
        }
        let (_, next) = make(&Id::parse("acme").expect("an org"), "event-8");
        assert!(next.check(text.as_bytes()).is_err());
    }
}
