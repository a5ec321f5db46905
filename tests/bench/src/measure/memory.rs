//! Memory of a process and of the kernel's sockets.

use std::fs;

use anyhow::{Context, Result};

/// The page size of `sockstat`.
const PAGE: u64 = 4096;

/// The resident memory of a process.
pub(crate) fn resident_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| path.clone())?;
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.split_whitespace().next());
    let kilobytes: u64 = kilobytes.context("no VmRSS")?.parse()?;
    Ok(kilobytes * 1024)
}

/// The kernel's memory for the buffers of all TCP sockets on this machine.
pub(crate) fn kernel_socket_bytes() -> Result<u64> {
    let stat = fs::read_to_string("/proc/net/sockstat").context("/proc/net/sockstat")?;
    let tcp = stat.lines().find(|line| line.starts_with("TCP:")).context("no TCP in sockstat")?;
    let pages = tcp.split(' ').skip_while(|word| *word != "mem").nth(1).context("no mem in sockstat")?;
    Ok(pages.parse::<u64>()? * PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory() {
        assert!(resident_bytes(std::process::id()).expect("this process") > 1 << 16);
        kernel_socket_bytes().expect("sockstat");
    }
}
