//! Events of legal size, published at once to an org whose tabs all read. No client here does anything wrong.

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::publish::Alert;
use crate::tally::Tally;
use crate::{Connection, Publishers, Report, Target};

/// This many events of this size at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Burst {
    /// The number of events.
    pub events: usize,
    /// The size of each text, in bytes.
    pub message_bytes: usize,
}

impl Burst {
    /// The bursts that once dropped tabs: each more than twice what may wait for one.
    pub const ALL: [Self; 3] = [
        Self { events: 4, message_bytes: 100_000 },
        Self { events: 16, message_bytes: 30_000 },
        Self { events: 64, message_bytes: 8_000 },
    ];
}

/// The pause between two bursts.
const PAUSE: Duration = Duration::from_millis(300);

/// Tabs that read, and producers that publish bursts to them. It ends when dropped.
#[derive(Debug)]
pub struct Bursts {
    tally: Arc<Tally>,
    threads: Vec<JoinHandle<()>>,
}

impl Bursts {
    /// Opens this many tabs with the target's token and starts, with one burst after another.
    ///
    /// # Errors
    /// If a tab or a producer cannot connect.
    pub fn start(target: &Target, tabs: usize) -> io::Result<Self> {
        let tally = Arc::new(Tally::default());
        let mut threads = Vec::new();
        for _ in 0..tabs {
            let (mut tab, tally) = (Connection::open(target)?, Arc::clone(&tally));
            Tally::add(&tally.opened, 1);
            threads.push(thread::spawn(move || {
                if let Some(ending) = tab.drain(|| tally.goes_on()) {
                    tally.ended(ending);
                }
            }));
        }
        let most = Burst::ALL.iter().map(|burst| burst.events).max().unwrap_or_default();
        let mut producers = Publishers::connect(target.address, &target.producer, most)?;
        let (org, publishes) = (target.org.clone(), Arc::clone(&tally));
        threads.push(thread::spawn(move || {
            for burst in Burst::ALL.iter().cycle() {
                let alert = Alert { user: None, org: &org, message_bytes: burst.message_bytes };
                if producers.publish(&alert, burst.events).is_err() {
                    break;
                }
                Tally::add(&publishes.answered, burst.events);
                let begun = Instant::now();
                while publishes.goes_on() && begun.elapsed() < PAUSE {
                    thread::sleep(Duration::from_millis(10));
                }
                if !publishes.goes_on() {
                    break;
                }
            }
        }));
        Ok(Self { tally, threads })
    }

    /// The results so far: each ending is a tab that was dropped though it reads.
    #[must_use]
    pub fn report(&self) -> Report {
        self.tally.report()
    }
}

impl Drop for Bursts {
    fn drop(&mut self) {
        self.tally.stop();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}
