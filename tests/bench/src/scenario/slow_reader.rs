//! One tab stops reading: the others must not be affected, and the node must not buffer everything.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::pairs::interleave;
use super::phase::MODERATE;
use crate::load::{Audience, Plan};
use crate::measure::{percentile_ms, resident_bytes};
use crate::report::{Figure, Readings};
use crate::stage::Stage;

const TABS: usize = 1000;

/// The text of each toast.
const MESSAGE_BYTES: usize = 3000;

/// Events per turn, in steps between which memory is measured: twice what the node keeps for a tab and the kernel
/// buffers, so that the stopped tab is closed halfway.
const STEPS: usize = 10;
const EVENTS_PER_STEP: usize = 20;

const STEP: Plan = Plan { bursts: EVENTS_PER_STEP, burst: 1, audience: Audience::Everybody, pause: Duration::ZERO };

/// The tab that stops.
const STOPPED: usize = 0;

pub(super) fn run(stage: &Stage, name: &'static str) -> Result<Vec<Figure>> {
    let node = stage.node()?;
    let mut load = node.load(&stage.mint, &stage.mint.users(TABS)?, 1)?;
    load.set_message_bytes(MESSAGE_BYTES);
    load.connect_all(MODERATE)?;
    load.run(&STEP)?;
    load.finish();
    // Both turns are the node's; only one of the closures runs at a time.
    let load = std::cell::RefCell::new(load);
    let turn = |stopped: bool| -> Result<Readings> {
        let mut load = load.borrow_mut();
        let before = resident_bytes(node.pid())?;
        let mut most = before;
        if stopped {
            load.stop_reading(STOPPED);
        }
        for _ in 0..STEPS {
            load.run(&STEP)?;
            most = most.max(resident_bytes(node.pid())?);
        }
        let mut given_up = 0.0;
        if stopped {
            given_up = f64::from(u8::from(load.resume_reading(STOPPED)?));
            let storm = load.connect(STOPPED..STOPPED + 1, 1, Duration::from_secs(10))?;
            ensure!(storm.failures == 0, "the tab cannot come back: {}", storm.reasons.join("; "));
        }
        let samples = load.finish();
        let mut readings = vec![
            ("others_latency_p50_ms", percentile_ms(&samples.each, 50)),
            ("others_latency_p99_ms", percentile_ms(&samples.each, 99)),
        ];
        if stopped {
            readings.push(("server_memory_growth_bytes", (most - before) as f64));
            readings.push(("stopped_tabs_given_up", given_up));
        }
        Ok(readings)
    };
    interleave(stage, name, "one tab stopped", || turn(false), || turn(true))
}
