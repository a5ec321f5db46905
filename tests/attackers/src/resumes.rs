//! A tab that resumes in a loop over the events of its org.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use crate::publish::Alert;
use crate::tally::{Ending, Tally};
use crate::{Connection, Publishers, Target};

/// The audience of the records: nobody who is connected, so that each is read, checked and left out.
const NOBODY: &str = "nobody-who-is-here";

/// How many producers publish them concurrently.
const PRODUCERS: usize = 64;

/// Publishes the records and starts.
pub(crate) fn start(target: &Target, tally: &Arc<Tally>, records: usize) -> io::Result<Vec<JoinHandle<()>>> {
    let cursor = format!("\"{}\"", Connection::open(target)?.cursor()?);
    let alert = Alert { user: Some(NOBODY), org: &target.org, message_bytes: 16 };
    Publishers::connect(target.address, &target.producer, PRODUCERS)?.publish(&alert, records)?;
    // The connection from before received all of it live, and a resume of it reads nothing.
    let mut tab = Connection::open(target)?;
    Tally::add(&tally.opened, 1);
    let tally = Arc::clone(tally);
    Ok(vec![thread::spawn(move || {
        for id in 1.. {
            match tab.invoke(id, "Resume", &cursor, || tally.goes_on()) {
                Ok(answer) if answer.contains("\"error\":") => Tally::add(&tally.refused, 1),
                Ok(_) => Tally::add(&tally.answered, 1),
                Err(_) if !tally.goes_on() => break,
                Err(_) => {
                    let ending = tab.drain(|| tally.goes_on());
                    tally.ended(ending.unwrap_or(Ending { close: None, code: None }));
                    break;
                }
            }
            if !tally.goes_on() {
                break;
            }
        }
    })])
}
