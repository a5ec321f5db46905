//! Connections that the kernel refused because they were not accepted in time.

use std::fs;

use anyhow::{Context, Result};

/// How often a listen queue of this machine has overflowed since its start.
pub(crate) fn listen_overflows() -> Result<u64> {
    let text = fs::read_to_string("/proc/net/netstat").context("/proc/net/netstat")?;
    counter(&text, "TcpExt:", "ListenOverflows").context("no ListenOverflows in /proc/net/netstat")
}

/// A counter in a pair of lines: the names, then the values.
fn counter(text: &str, group: &str, name: &str) -> Option<u64> {
    let mut lines = text.lines().filter(|line| line.starts_with(group));
    let (names, values) = (lines.next()?, lines.next()?);
    let at = names.split(' ').position(|known| known == name)?;
    values.split(' ').nth(at)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_is_found_by_its_name() {
        let text = "TcpExt: A ListenOverflows B\nTcpExt: 1 22 3\nIpExt: ListenOverflows\nIpExt: 4\n";
        assert_eq!(counter(text, "TcpExt:", "ListenOverflows"), Some(22));
        assert_eq!(counter(text, "TcpExt:", "C"), None);
        listen_overflows().expect("this machine counts them");
    }
}
