//! One token with a thousand connections.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::tally::Tally;
use crate::{Connection, Target};

const LOOK: Duration = Duration::from_millis(50);

/// How long it waits after a refusal before it retries: it wants the next free place.
const AGAIN: Duration = Duration::from_millis(5);

/// Opens the connections and keeps them; refused ones are retried.
pub(crate) fn start(target: &Target, tally: &Arc<Tally>, connections: usize) -> Vec<JoinHandle<()>> {
    let (target, tally) = (target.clone(), Arc::clone(tally));
    vec![thread::spawn(move || {
        let mut open = Vec::new();
        while tally.goes_on() {
            if open.len() >= connections {
                thread::sleep(LOOK);
                continue;
            }
            match Connection::open(&target) {
                Ok(connection) => {
                    Tally::add(&tally.opened, 1);
                    open.push(connection);
                }
                Err(_) => {
                    Tally::add(&tally.refused, 1);
                    thread::sleep(AGAIN);
                }
            }
        }
    })]
}
