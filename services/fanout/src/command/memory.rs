//! Watches the limit of memory, by which bounds are set and the newest records are given up.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::config::Config;
use crate::limit::{MemoryBounds, Pressure, TooLittleMemory};
use crate::pipeline::RecentRecords;
use crate::socket::App;

/// How often it is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Where Linux shows control groups.
const GROUPS: &str = "/sys/fs/cgroup";

/// Logs what the limit allows to be kept.
///
/// # Errors
/// [`TooLittleMemory`] if the configuration asks for more.
pub(super) fn bounds(config: &Config) -> Result<MemoryBounds, TooLittleMemory> {
    let limit = limit();
    let bounds = MemoryBounds::of(limit, config.limits.memory)?;
    let MemoryBounds { retained, waiting, resumes } = bounds;
    let limit_mib = limit.map(|limit| limit >> 20);
    let [retained_mib, waiting_mib, resumes_mib] = [retained, waiting, resumes].map(|bytes| bytes >> 20);
    tracing::info!(limit_mib, retained_mib, waiting_mib, resumes_mib, "room in memory");
    Ok(bounds)
}

/// The most memory that this process may take, in bytes: by the container or the unit that it runs in, else what the
/// machine has.
pub(super) fn limit() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let of_group = limit_of(Path::new(GROUPS), &groups);
    let of_machine = kilobytes("/proc/meminfo", "MemTotal:");
    of_group.into_iter().chain(of_machine).min()
}

/// The lowest limit of the group that a process is in and those around it. In a container the group is shown as the root.
fn limit_of(root: &Path, groups: &str) -> Option<u64> {
    let second = groups.lines().find_map(|line| line.strip_prefix("0::"));
    let first = groups.lines().find_map(|line| line.split_once(":memory:").map(|(_, path)| path));
    let at = |root: PathBuf, path: &str, file: &str| {
        let inner = root.join(path.trim_start_matches('/'));
        let around = inner.ancestors().take_while(|place| place.starts_with(&root)).map(Path::to_owned);
        let read = |place: PathBuf| fs::read_to_string(place.join(file)).ok()?.trim().parse::<u64>().ok();
        around.filter_map(read).min()
    };
    let second = second.and_then(|path| at(root.to_owned(), path, "memory.max"));
    second.or_else(|| first.and_then(|path| at(root.join("memory"), path, "memory.limit_in_bytes")))
}

fn kilobytes(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name))?.trim().strip_suffix("kB")?;
    value.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

/// Watches the memory that is used for as long as the node runs, and what of it the retained values take.
pub(crate) async fn watch(app: Arc<App>, recent: Arc<RecentRecords>) {
    let Some(limit) = limit() else { return };
    app.metrics.set_memory_limit(limit);
    let mut pressure = Pressure::None;
    loop {
        app.metrics.set_retained_bytes(app.groups.read(|known| known.retained().bytes()));
        if let Some(resident) = kilobytes("/proc/self/status", "VmRSS:") {
            let now = pressure.next(resident, limit);
            if now != pressure {
                let (resident_mib, limit_mib) = (resident >> 20, limit >> 20);
                match now {
                    Pressure::None => tracing::info!(resident_mib, limit_mib, "memory is enough again"),
                    Pressure::High => tracing::warn!(resident_mib, limit_mib, "little memory: resumes read the broker"),
                    Pressure::Critical => {
                        tracing::error!(resident_mib, limit_mib, "very little memory: no further connection is taken");
                    }
                }
                recent.shed(now >= Pressure::High);
                app.set_pressure(now);
                pressure = now;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_limit_of_the_groups_around_counts() {
        let root = tempfile::tempdir().expect("a folder");
        let write = |path: &str, text: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            fs::write(path, text).expect("written");
        };
        assert_eq!(limit_of(root.path(), "0::/\n"), None, "none is shown");
        write("system.slice/fanfare.service/memory.max", "max\n");
        write("system.slice/memory.max", "1073741824\n");
        assert_eq!(limit_of(root.path(), "0::/system.slice/fanfare.service\n"), Some(1 << 30));
        write("memory.max", "536870912\n");
        assert_eq!(limit_of(root.path(), "0::/\n"), Some(512 << 20));
        assert_eq!(limit_of(root.path(), "0::/system.slice/fanfare.service\n"), Some(512 << 20));
        write("memory/docker/x/memory.limit_in_bytes", "268435456\n");
        assert_eq!(limit_of(root.path(), "9:memory:/docker/x\n8:cpu:/docker/x\n"), Some(256 << 20));
        assert_eq!(limit_of(root.path(), ""), None);
    }

    #[test]
    fn this_machine_has_a_limit() {
        assert!(limit().is_some_and(|limit| limit > 1 << 20));
        assert!(kilobytes("/proc/self/status", "VmRSS:").is_some_and(|resident| resident > 0));
    }
}
