//! Nodes that are restarted one after another while events continue and tabs reconnect with their cursors.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::super::phase::MODERATE;
use crate::load::{Audience, Load, Plan};
use crate::node::Node;
use crate::report::Readings;
use crate::stage::Stage;

/// The pause between two events.
const PAUSE: Duration = Duration::from_millis(20);

/// How long events continue before the first node ends, between two, and after the last.
const STEADY: Duration = Duration::from_secs(1);

/// The first event, so that each tab has a cursor.
const FIRST: Plan = Plan { bursts: 1, burst: 1, audience: Audience::Everybody, pause: Duration::ZERO };

/// Restarts all nodes in turn under load, and counts what the tabs receive.
pub(super) fn in_turn(stage: &Stage, load: &mut Load, nodes: &mut [Node]) -> Result<Readings> {
    load.connect_all(MODERATE)?;
    load.run(&FIRST)?;
    let (program, cpus) = (stage.program("fanfare")?, &stage.cpus);
    let (counts, slowest) = std::thread::scope(|scope| {
        let restarts = scope.spawn(|| {
            let mut slowest = Duration::ZERO;
            std::thread::sleep(STEADY);
            for node in nodes {
                let begun = Instant::now();
                node.restart(&program, cpus)?;
                slowest = slowest.max(begun.elapsed());
                std::thread::sleep(STEADY);
            }
            anyhow::Ok(slowest)
        });
        let counts = load.publish_while(PAUSE, || !restarts.is_finished())?;
        let slowest = restarts.join().ok().context("the thread that restarts nodes has panicked")??;
        anyhow::Ok((counts, slowest))
    })?;
    load.finish();
    Ok(vec![
        ("restart_ms", slowest.as_secs_f64() * 1e3),
        ("published", counts.sent as f64),
        ("received", counts.received as f64),
        ("missed", counts.missed as f64),
        ("duplicated", counts.duplicated as f64),
        ("tabs_that_returned", counts.returns as f64),
    ])
}
