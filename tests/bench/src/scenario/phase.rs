//! One phase of publishing, with the CPU time that it took.

use anyhow::{Result, ensure};

use crate::floor::Floor;
use crate::load::{Load, Plan, Samples};
use crate::measure::{CpuTime, percentile_ms};
use crate::node::Node;
use crate::report::Readings;
use crate::stage::Stage;

/// The number of concurrent connects where that is not measured.
pub(super) const MODERATE: usize = 200;

/// A node and the floor with the same number of tabs, and the same size of frames.
pub(super) struct Rig {
    pub(super) node: Node,
    pub(super) load: Load,
    pub(super) floor: Floor,
}

impl Rig {
    /// Starts both, connects all tabs, and warms them up with a plan.
    pub(super) fn raise(stage: &Stage, tabs: usize, warm_up: &Plan) -> Result<Self> {
        let node = stage.node()?;
        let mut load = node.load(&stage.mint, &stage.mint.users(tabs)?, warm_up.burst)?;
        load.connect_all(MODERATE)?;
        load.run(warm_up)?;
        let bytes = load.finish().bytes;
        ensure!(bytes > 0, "nothing was delivered");
        let mut floor = stage.floor(tabs)?;
        floor.connect(tabs, MODERATE)?;
        floor.load.set_frame(bytes)?;
        floor.load.run(warm_up)?;
        floor.load.finish();
        Ok(Self { node, load, floor })
    }
}

/// The cost of a phase.
pub(super) struct Phase {
    cpu_us: f64,
    pub(super) samples: Samples,
}

/// Publishes according to a plan and measures a process meanwhile.
pub(super) fn measure(load: &mut Load, pid: u32, plan: &Plan) -> Result<Phase> {
    let before = CpuTime::of(pid)?;
    load.run(plan)?;
    let cpu_us = CpuTime::of(pid)?.micros_since(&before);
    Ok(Phase { cpu_us, samples: load.finish() })
}

/// The names of the figures of a phase.
pub(super) struct Names {
    pub(super) p50: &'static str,
    pub(super) p99: &'static str,
    pub(super) cpu: &'static str,
}

impl Phase {
    /// Latency to each handler, and CPU time of each delivery.
    pub(super) fn readings(&self, names: &Names) -> Readings {
        let each = &self.samples.each;
        vec![
            (names.p50, percentile_ms(each, 50)),
            (names.p99, percentile_ms(each, 99)),
            (names.cpu, self.cpu_us / each.len().max(1) as f64),
        ]
    }

    /// Until the last tab of an event has it.
    pub(super) fn last_client(&self) -> Readings {
        let last = &self.samples.last;
        vec![("last_client_p50_ms", percentile_ms(last, 50)), ("last_client_p99_ms", percentile_ms(last, 99))]
    }

    /// The time until the node has acknowledged the event; none for the floor.
    pub(super) fn accepted(&self) -> Readings {
        let accepted = &self.samples.accepted;
        if accepted.is_empty() { Vec::new() } else { vec![("accepted_p50_ms", percentile_ms(accepted, 50))] }
    }
}
