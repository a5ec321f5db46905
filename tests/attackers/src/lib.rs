//! Clients that do what no honest one does, each with one valid token of an ordinary user.
//!
//! The benchmarks measure everybody else beside one of them, and the end-to-end tests say what must hold. Each attacker
//! has threads of its own and blocking sockets, so that no runtime of a test slows it down. Nothing here panics: an
//! attack that the node has ended is over, and its [`Report`] says how.

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

/// Whom an attack is against, and as whom it comes.
#[derive(Debug, Clone)]
pub struct Target {
    /// The public address of the node.
    pub address: SocketAddr,
    /// The path of the hub.
    pub hub: String,
    /// The token of the attacker, an ordinary user.
    pub token: String,
    /// The attacker's user, to whom a backlog may be addressed.
    pub user: String,
    /// The attacker's org.
    pub org: String,
    /// The token of a producer: what happens in the attacker's org is published with it.
    pub producer: String,
}

/// What one client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Sends pings of the hub protocol without a pause.
    HubPings,
    /// Sends pings of WebSockets without a pause, and reads the pongs.
    WebSocketPings,
    /// Sends a message in fragments that are all empty, without end.
    EmptyFragments,
    /// Sends messages of so many bytes, one byte in a fragment.
    SmallFragments {
        /// The length of a message; the longest that the node takes hurts most.
        message_bytes: usize,
    },
    /// Opens so many tabs that are owed a replay, reads nothing, and makes calls with long arguments.
    UnreadAnswers {
        /// How many tabs.
        tabs: usize,
    },
    /// Opens so many tabs that send empty pings and read none of the pongs.
    UnreadPongs {
        /// How many tabs.
        tabs: usize,
    },
    /// Opens so many connections with one token and keeps them.
    Crowd {
        /// How many connections.
        connections: usize,
    },
    /// Resumes again and again over so many records of its org, none of which is for it.
    Resumes {
        /// How many records.
        records: usize,
    },
}

/// A running attack; it ends when this is dropped.
#[derive(Debug)]
pub struct Attacker {
    tally: Arc<Tally>,
    threads: Vec<JoinHandle<()>>,
}

impl Attacker {
    /// Prepares an attack and begins it.
    ///
    /// # Errors
    /// If the attacker cannot even connect, or the node takes no event of what it prepares.
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

    /// What has come of it so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.tally.report()
    }

    /// Ends it; what has come of it.
    #[must_use]
    pub fn stop(mut self) -> Report {
        self.end();
        self.tally.report()
    }

    fn end(&mut self) {
        self.tally.stop();
        for thread in self.threads.drain(..) {
            // One that has panicked has ended too.
            let _ = thread.join();
        }
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        self.end();
    }
}
