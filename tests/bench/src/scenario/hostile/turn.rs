//! One turn: a node, its tabs, and possibly an attacker.

use std::time::{Duration, Instant};

use anyhow::Result;
use fanfare_attackers::{Attack, Target};

use super::{CROWD, Hostile, LONGEST_MESSAGE, Running};
use crate::load::Load;
use crate::measure::{percentile_ms, resident_bytes};
use crate::node::{HUB, Mint, Node, Settings};
use crate::report::Readings;
use crate::scenario::phase::MODERATE;
use crate::stage::Stage;

/// Tabs that are open before the attack, and those that connect during it.
const TABS: usize = 50;
const NEWCOMERS: usize = 10;

/// How often an event is published to all tabs, and for how long.
const PAUSE: Duration = Duration::from_millis(10);
const TIME: Duration = Duration::from_millis(1500);

/// How long a missing result is waited for: deliveries, connects, the close of a tab that was logged out.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the attack runs before the measurement.
const HEAD_START: Duration = Duration::from_millis(500);

/// How long a crowd may take to connect.
const GATHERING: Duration = Duration::from_secs(20);

/// The attacker, in its own org: only it receives what is published there.
const ATTACKER: &str = "mallory";
const ATTACKED_FROM: &str = "elsewhere";

/// A logout closes the tabs of its user.
const LOGOUTS: &str = r#"
[[route]]
name = "logged-out"
event = "auth.UserLoggedOut"
groups = ["user:{user}"]
cross_org = true
logout = { user = "{user}", reason = "{reason}" }
"#;

/// Starts a node and measures its tabs, with or without the attacker.
pub(super) fn measure(stage: &Stage, hostile: Hostile, attacked: bool) -> Result<Readings> {
    let (node_lines, sections) = settings(hostile);
    let node =
        stage.node_with(Settings { routes: LOGOUTS, node: &node_lines, sections: &sections, ..Settings::default() })?;
    let tickets = stage.mint.users(TABS + NEWCOMERS)?;
    let mut load = node.load(&stage.mint, &tickets[..TABS], 1)?;
    let mut newcomers = node.load(&stage.mint, &tickets[TABS..], 0)?;
    load.connect_all(MODERATE)?;
    let before = resident_bytes(node.pid())?;
    let running = if attacked { Some(hostile.start(&target(&node, &stage.mint)?)?) } else { None };
    let most = watch(&node, &mut load, running.as_ref().filter(|_| hostile.is_crowd()), before)?;
    let mut readings = others(&mut load, &mut newcomers)?;
    if let Some(running) = running {
        let most = most.max(resident_bytes(node.pid())?);
        let report = running.report();
        readings.push(("server_memory_growth_bytes", most.saturating_sub(before) as f64));
        match running {
            Running::Client(_) => readings.push(("attacker_ended", f64::from(u8::from(report.ended_by_name())))),
            Running::Bursts(_) => readings.push(("readers_dropped", report.endings.len() as f64)),
        }
    }
    Ok(readings)
}

/// The node's settings beyond its defaults.
fn settings(hostile: Hostile) -> (String, String) {
    match hostile {
        _ if hostile.is_crowd() => (format!("max_connections = {CROWD}\n"), String::new()),
        Hostile::Client(Attack::SmallFragments { .. }) => {
            (String::new(), format!("[limits]\nmessage_bytes = {LONGEST_MESSAGE}\n"))
        }
        _ => (String::new(), String::new()),
    }
}

fn target(node: &Node, mint: &Mint) -> Result<Target> {
    Ok(Target {
        address: node.address(),
        hub: HUB.to_owned(),
        token: mint.guest(ATTACKER, ATTACKED_FROM)?,
        user: ATTACKER.to_owned(),
        org: ATTACKED_FROM.to_owned(),
        producer: mint.producer()?.to_string(),
    })
}

/// Lets the attack reach full strength, and a crowd connect; returns the node's largest memory meanwhile.
fn watch(node: &Node, load: &mut Load, crowd: Option<&Running>, before: u64) -> Result<u64> {
    let (begun, mut most) = (Instant::now(), before);
    let gathers = || crowd.map(Running::report).is_some_and(|one| one.refused == 0 && one.opened < CROWD as u64);
    while begun.elapsed() < HEAD_START || (begun.elapsed() < GATHERING && gathers()) {
        load.settle(Duration::from_millis(50))?;
        most = most.max(resident_bytes(node.pid())?);
    }
    Ok(most)
}

/// The results of all other clients: deliveries, connects, a logout.
fn others(load: &mut Load, newcomers: &mut Load) -> Result<Readings> {
    let fared = load.run_beside(PAUSE, TIME, PATIENCE)?;
    let (connects, failed) = newcomers.connect_beside(PATIENCE)?;
    let logout = load.log_out_beside(0, PATIENCE)?;
    Ok(vec![
        ("others_latency_p50_ms", percentile_ms(&fared.each, 50)),
        ("others_latency_p99_ms", percentile_ms(&fared.each, 99)),
        ("others_connect_p50_ms", percentile_ms(&connects, 50)),
        ("others_connect_slowest_ms", percentile_ms(&connects, 100)),
        ("others_logout_ms", logout.as_secs_f64() * 1e3),
        ("others_not_delivered", fared.late as f64),
        ("others_dropped", fared.ended as f64),
        ("others_not_connected", failed as f64),
    ])
}
