//! Ports of servers, where they are installed, and skipping a test without one.

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};

/// Ports below those that the system assigns to outgoing connections. A client that repeatedly connects to a port in
/// that range, while no server listens there, may be connected to itself, and occupy the port.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// A free port that no other call in this process has returned.
///
/// Another process may still take it first: a server that cannot bind its port is started again with another.
pub fn free_port() -> u16 {
    let span = PORTS.end - PORTS.start;
    // Processes start far from each other, so that they rarely collide.
    let first = (std::process::id().wrapping_mul(977) % u32::from(span)) as u16;
    for _ in 0..span {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + (u32::from(first) + u32::from(step)).rem_euclid(u32::from(span)) as u16;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
    panic!("no port from {} to {} is free", PORTS.start, PORTS.end);
}

/// A file or folder that `scripts/setup.sh` installs for this checkout, if it exists.
pub fn tool(path: &str) -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    let tool = tools.join(path);
    tool.exists().then_some(tool)
}

/// Reports that a test was skipped. `scripts/test.sh` counts these lines.
pub fn skip(test: &str, why: &str) {
    // Written past the test harness, which would capture it, and in one write, because tests run concurrently.
    let _ = std::io::stderr().lock().write_all(format!("skipped test: {test}: {why}\n").as_bytes());
}

/// Copies a folder with its content; replaces `to`.
pub fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    if to.exists() {
        std::fs::remove_dir_all(to)?;
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
