//! The machine and date of a run: figures are meaningless without them.

use std::fs;

use time::OffsetDateTime;

/// A chart's line about its machine and date.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) model: String,
    pub(crate) processors: usize,
    pub(crate) kernel: String,
    pub(crate) date: String,
    /// The load average before anything was started.
    pub(crate) load: String,
    /// The assignment of processors.
    pub(crate) placement: String,
}

impl Machine {
    /// This machine, now. `processors` is determined before the client has bound itself to one.
    pub(crate) fn here(processors: usize, placement: String) -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpu = read("/proc/cpuinfo");
        let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let now = OffsetDateTime::now_utc();
        Self {
            model: model.map_or("unknown processor", |(_, model)| model).trim().to_owned(),
            processors,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            date: format!("{}-{:02}-{:02}", now.year(), u8::from(now.month()), now.day()),
            load: read("/proc/loadavg").split(' ').next().unwrap_or("?").to_owned(),
            placement,
        }
    }

    /// As one line.
    pub(crate) fn describe(&self) -> String {
        format!(
            "{}, {} CPUs, Linux {}, load before the run {}; {}",
            self.model, self.processors, self.kernel, self.load, self.placement
        )
    }
}

/// The limit of a process's open files.
pub(crate) fn open_files_limit() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let soft = limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    soft.and_then(|soft| soft.parse().ok()).unwrap_or(1024)
}
