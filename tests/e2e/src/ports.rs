//! Ports that no other process takes, even while their process is down.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the range from which the kernel assigns ports to outgoing connections: the port of a killed process must not
/// be taken by a client before the process is back.
const FIRST: u32 = 20_000;
const COUNT: u32 = 10_000;

static TAKEN: AtomicU32 = AtomicU32::new(0);

/// A free port of the loopback address, returned to one caller in this process.
///
/// If all are in use.
/// If all are in use.
pub fn free() -> SocketAddr {
    // Concurrent test runs start at different ports.
    let start = std::process::id().wrapping_mul(97);
    for _ in 0..COUNT {
        let turn = TAKEN.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + start.wrapping_add(turn) % COUNT;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port).expect("below 30,000")));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("all ports from {FIRST} on are in use");
}
