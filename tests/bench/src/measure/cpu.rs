//! CPU time of a process, by the kernel's accounting.

use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// The length of a clock tick in `/proc/PID/stat`; 100 per second on every Linux.
const TICK: Duration = Duration::from_millis(10);

/// The CPU time that a process has used so far, user and system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CpuTime {
    /// To the nanosecond, for each thread.
    Threads(HashMap<u32, Duration>),
    /// In ticks of 10 ms, if the kernel has nothing better.
    Process(Duration),
}

impl CpuTime {
    /// Of a process so far.
    pub(crate) fn of(pid: u32) -> Result<Self> {
        match threads(pid) {
            Some(threads) => Ok(Self::Threads(threads)),
            None => Self::since_start(pid).map(Self::Process),
        }
    }

    /// Of a process since its start, including ended threads, in ticks.
    pub(crate) fn since_start(pid: u32) -> Result<Duration> {
        let path = format!("/proc/{pid}/stat");
        let text = fs::read_to_string(&path).with_context(|| path.clone())?;
        ticks(&text).with_context(|| format!("{path}: not what proc(5) says"))
    }

    /// The time used since `before`, in microseconds. A thread that has ended meanwhile was idle.
    pub(crate) fn micros_since(&self, before: &Self) -> f64 {
        let used = match (self, before) {
            (Self::Threads(now), Self::Threads(before)) => now
                .iter()
                .map(|(thread, time)| time.saturating_sub(before.get(thread).copied().unwrap_or_default()))
                .sum(),
            (Self::Process(now), Self::Process(before)) => now.saturating_sub(*before),
            _ => Duration::ZERO,
        };
        used.as_secs_f64() * 1e6
    }
}

/// Nanoseconds on a processor, the first number of each thread's `schedstat`.
fn threads(pid: u32) -> Option<HashMap<u32, Duration>> {
    let mut threads = HashMap::new();
    for entry in fs::read_dir(format!("/proc/{pid}/task")).ok()? {
        let entry = entry.ok()?;
        let thread = entry.file_name().to_str()?.parse().ok()?;
        // A thread that ends during the read is left out.
        let Ok(text) = fs::read_to_string(entry.path().join("schedstat")) else { continue };
        threads.insert(thread, Duration::from_nanos(text.split(' ').next()?.parse().ok()?));
    }
    (!threads.is_empty()).then_some(threads)
}

/// Fields 14 and 15 of `stat`, user and system time; the name in field 2 may contain spaces.
fn ticks(stat: &str) -> Option<Duration> {
    let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(TICK * user.checked_add(system)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_read_behind_a_name_with_spaces() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 100 0 0 0 30 12 0 0 20 0 4 0 100 1000 10";
        assert_eq!(ticks(stat), Some(Duration::from_millis(420)));
        assert_eq!(ticks("7 (a) S 1"), None);
    }

    #[test]
    fn work_shows_in_the_time_of_this_process() {
        let before = CpuTime::of(std::process::id()).expect("this process");
        let begun = std::time::Instant::now();
        while begun.elapsed() < Duration::from_millis(60) {
            std::hint::black_box(0);
        }
        let after = CpuTime::of(std::process::id()).expect("this process");
        let used = after.micros_since(&before);
        assert!(used > 1_000.0, "{used}");
    }

    #[test]
    fn a_new_thread_counts_from_its_start() {
        let of = |times: &[(u32, u64)]| {
            CpuTime::Threads(times.iter().map(|(id, micros)| (*id, Duration::from_micros(*micros))).collect())
        };
        assert!((of(&[(1, 30), (2, 5)]).micros_since(&of(&[(1, 10), (3, 100)])) - 25.0).abs() < 1e-6);
    }
}
