//! The cost of an open, idle tab.

use std::time::Duration;

use anyhow::Result;

use super::pairs::alone;
use super::phase::MODERATE;
use crate::load::{Audience, Plan};
use crate::measure::{kernel_socket_bytes, resident_bytes};
use crate::report::Figure;
use crate::stage::Stage;

const TABS: usize = 5000;

/// How long a node may take to free what connecting used.
const SETTLE: Duration = Duration::from_secs(2);

const TRAFFIC: Plan = Plan { bursts: 20, burst: 1, audience: Audience::Everybody, pause: Duration::ZERO };

pub(super) fn run(stage: &Stage, name: &'static str) -> Result<Vec<Figure>> {
    let count = stage.tabs(TABS);
    let tickets = stage.mint.users(count)?;
    alone(stage, name, || {
        let node = stage.node()?;
        let mut load = node.load(&stage.mint, &tickets, 1)?;
        let (before, kernel_before) = (resident_bytes(node.pid())?, kernel_socket_bytes()?);
        load.connect_all(MODERATE)?;
        load.settle(SETTLE)?;
        let idle = resident_bytes(node.pid())?;
        let kernel = kernel_socket_bytes()?.saturating_sub(kernel_before);
        load.run(&TRAFFIC)?;
        load.settle(SETTLE)?;
        let busy = resident_bytes(node.pid())?;
        let each = |now: u64| now.saturating_sub(before) as f64 / count as f64;
        Ok(vec![
            ("rss_bytes_per_connection", each(idle)),
            ("rss_bytes_per_connection_after_traffic", each(busy)),
            ("kernel_buffer_bytes_per_connection", kernel as f64 / count as f64),
            ("rss_bytes_before", before as f64),
            ("connections", count as f64),
        ])
    })
}
