//! Tabs that do not read what they request.

use std::io::{self, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::connection::{self, is_late};
use crate::frame::{PING, RECORD_END, TEXT, frame};
use crate::publish::Alert;
use crate::tally::Tally;
use crate::{Connection, Publishers, Target};

/// The number of each tab's calls, and of each call's arguments: a byte on the wire is many in memory, and the node
/// accepts messages of 32 KiB by default.
const CALLS: u64 = 64;
const ARGUMENTS: usize = 16_000;

/// Each tab's pending replay: more than the sockets' own buffers hold.
const MISSED: usize = 800;
const MISSED_BYTES: usize = 2_000;

/// The largest number of empty pings per tab, in batches of this size.
const PINGS: usize = 4_000_000;
const PINGS_AT_ONCE: usize = 8_192;

/// How often an idle tab checks whether to continue.
const LOOK: Duration = Duration::from_millis(50);

/// Tabs that resume and then call, without reading either answer.
pub(crate) fn answers(target: &Target, tally: &Arc<Tally>, tabs: usize) -> io::Result<Vec<JoinHandle<()>>> {
    let cursor = Connection::open(target)?.cursor()?;
    let alert = Alert { user: Some(&target.user), org: &target.org, message_bytes: MISSED_BYTES };
    Publishers::connect(target.address, &target.producer, 16)?.publish(&alert, MISSED)?;
    let each = move |tab: &mut Connection, tally: &Tally| {
        let (mut socket, arguments) = (tab.socket()?, vec!["0"; ARGUMENTS].join(","));
        write(&mut socket, &call(0, "Resume", &format!("\"{cursor}\"")), tally)?;
        // If the node has stopped reading, the rest waits in this process, which does not harm the node.
        for id in 1..=CALLS {
            if !write(&mut socket, &call(id, "Cursor", &arguments), tally)? {
                break;
            }
        }
        Ok(())
    };
    open_all(target, tally, tabs, each)
}

/// Tabs that send empty pings, and read no pong.
pub(crate) fn pongs(target: &Target, tally: &Arc<Tally>, tabs: usize) -> io::Result<Vec<JoinHandle<()>>> {
    let pings = frame(PING, true, b"").repeat(PINGS_AT_ONCE);
    open_all(target, tally, tabs, move |tab, tally| {
        let mut socket = tab.socket()?;
        for _ in 0..PINGS / PINGS_AT_ONCE {
            if !write(&mut socket, &pings, tally)? {
                break;
            }
        }
        Ok(())
    })
}

/// Opens this many tabs, each with a thread that does its work and then keeps the tab open.
fn open_all(
    target: &Target,
    tally: &Arc<Tally>,
    tabs: usize,
    work: impl Fn(&mut Connection, &Tally) -> io::Result<()> + Clone + Send + 'static,
) -> io::Result<Vec<JoinHandle<()>>> {
    let mut threads = Vec::new();
    for _ in 0..tabs {
        let mut tab = Connection::open_narrow(target)?;
        Tally::add(&tally.opened, 1);
        let (tally, work) = (Arc::clone(tally), work.clone());
        threads.push(thread::spawn(move || {
            // A node that closes the tab or stops reading has defended itself.
            let _ = work(&mut tab, &tally);
            while tally.goes_on() {
                thread::sleep(LOOK);
            }
        }));
    }
    Ok(threads)
}

/// Writes all of it, however long the node takes; false if the attack ends first.
fn write(socket: &mut TcpStream, bytes: &[u8], tally: &Tally) -> io::Result<bool> {
    let mut rest = bytes;
    while !rest.is_empty() {
        if !tally.goes_on() {
            return Ok(false);
        }
        match socket.write(rest) {
            Ok(count) => {
                Tally::add(&tally.bytes, count);
                rest = &rest[count..];
            }
            Err(error) if is_late(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn call(id: u64, method: &str, arguments: &str) -> Vec<u8> {
    let call = connection::call(id, method, arguments);
    frame(TEXT, true, &[call.as_bytes(), &[RECORD_END]].concat())
}
