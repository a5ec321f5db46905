//! Hostile clients, each with one valid token of an ordinary user.
//!
//! The benchmarks measure other clients beside one of them, and the end-to-end tests check them. Each attacker has its
//! own threads and blocking sockets, so that a test's runtime does not slow it down. Nothing here panics: an attack
//! that the node has ended is over, and its [`Report`] says how.

mod bursts;
mod connection;
mod crowd;
mod flood;
mod frame;
mod publish;
mod resumes;
mod tally;
mod unread;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

pub use bursts::{Burst, Bursts};
pub use connection::Connection;
pub use publish::Publishers;
use tally::Tally;
pub use tally::{Ending, Report};

/// The target of an attack, and the attacker's identity.
#[derive(Debug, Clone)]
pub struct Target {
    /// The public address of the node.
    pub address: SocketAddr,
    /// The path of the hub.
    pub hub: String,
    /// The token of the attacker, an ordinary user.
    pub token: String,
    /// The attacker's user, the audience of a backlog.
    pub user: String,
    /// The attacker's org.
    pub org: String,
    /// A producer's token, which publishes the events in the attacker's org.
    pub producer: String,
}

/// An attack by one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Sends hub protocol pings without a pause.
    HubPings,
    /// Sends WebSocket pings without a pause, and reads the pongs.
    WebSocketPings,
    /// Sends an endless message of empty fragments.
    EmptyFragments,
    /// Sends messages of this length, one byte per fragment.
    SmallFragments {
        /// The length of a message; the longest that the node accepts hurts most.
        message_bytes: usize,
    },
    /// Opens this many tabs with a pending replay, reads nothing, and makes calls with long arguments.
    UnreadAnswers {
        /// The number of tabs.
        tabs: usize,
    },
    /// Opens this many tabs that send empty pings and do not read the pongs.
    UnreadPongs {
        /// The number of tabs.
        tabs: usize,
    },
    /// Opens this many connections with one token and keeps them.
    Crowd {
        /// The number of connections.
        connections: usize,
    },
    /// Resumes repeatedly over this many records of its org, none of which is for it.
    Resumes {
        /// The number of records.
        records: usize,
    },
}

/// A running attack; it ends when dropped.
#[derive(Debug)]
pub struct Attacker {
    tally: Arc<Tally>,
    threads: Vec<JoinHandle<()>>,
}

impl Attacker {
    /// Prepares an attack and starts it.
    ///
    /// # Errors
    /// If the attacker cannot even connect, or the node refuses an event of its preparation.
    pub fn start(attack: Attack, target: &Target) -> io::Result<Self> {
        let tally = Arc::new(Tally::default());
        let threads = match attack {
            Attack::HubPings => flood::start(target, &tally, flood::hub_pings())?,
            Attack::WebSocketPings => flood::start(target, &tally, flood::web_socket_pings())?,
            Attack::EmptyFragments => flood::start(target, &tally, flood::empty_fragments())?,
            Attack::SmallFragments { message_bytes } => {
                flood::start(target, &tally, flood::small_fragments(message_bytes))?
            }
            Attack::UnreadAnswers { tabs } => unread::answers(target, &tally, tabs)?,
            Attack::UnreadPongs { tabs } => unread::pongs(target, &tally, tabs)?,
            Attack::Crowd { connections } => crowd::start(target, &tally, connections),
            Attack::Resumes { records } => resumes::start(target, &tally, records)?,
        };
        Ok(Self { tally, threads })
    }

    /// The results so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.tally.report()
    }

    /// Ends it; returns the results.
    #[must_use]
    pub fn stop(mut self) -> Report {
        self.end();
        self.tally.report()
    }

    fn end(&mut self) {
        self.tally.stop();
        for thread in self.threads.drain(..) {
            // A thread that has panicked has ended too.
            let _ = thread.join();
        }
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        self.end();
    }
}
