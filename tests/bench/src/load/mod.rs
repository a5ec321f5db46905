//! The load client: thousands of tabs and a few producers in one thread.
//!
//! Tabs speak SignalR's JSON protocol over WebSockets like browsers: they negotiate on a connection of its own, upgrade
//! with the token in the query, send the handshake, and ping every 15 seconds. Every received byte is checked. The
//! first tab that an event reaches parses it field by field; the others must get the same bytes. A delivery that
//! arrives twice, out of order, or at the wrong tab fails the run.
//!
//! The same client drives the floor: its tabs are bare sockets that wait for known bytes.

mod beside;
mod drive;
mod elsewhere;
mod frame;
mod http;
mod hub;
mod ledger;
mod publisher;
mod requests;
mod resume;
mod returning;
mod socket_tab;
mod storm;
mod tab;
mod tabs;
#[cfg(test)]
mod tests;
mod toast;
mod update;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Result;
use fanfare_event::Id;
use mio::{Poll, Token};

use self::publisher::Publisher;
use self::tabs::Tabs;

pub(crate) use self::drive::{Audience, Plan};
pub(crate) use self::ledger::Samples;
pub(crate) use self::requests::{RequestProducer, RequestTab, Requests};
pub(crate) use self::resume::Missed;
pub(crate) use self::socket_tab::{SocketTab, Speech};
pub(crate) use self::storm::Storm;
pub(crate) use self::tab::Gate;
pub(crate) use self::toast::Events;

/// Tokens of producers start here; lower ones are indices of tabs.
const FIRST_PUBLISHER: usize = usize::MAX / 2;

/// The largest number of events in one poll of the sockets.
const EVENTS: usize = 1024;

/// The interval of a tab's pings; the default of the official clients.
const PING_EVERY: Duration = Duration::from_secs(15);

/// A tab's token and, on a node, its user.
#[derive(Debug, Clone)]
pub(crate) struct Ticket {
    /// The user; `None` on the floor.
    pub(crate) user: Option<Id>,
    /// The bearer token.
    pub(crate) token: Rc<str>,
}

/// The publishers: producers of a node, or the control connection of the floor.
enum Source {
    Node { events: Box<Events>, publishers: Vec<Publisher> },
    Floor { control: std::net::TcpStream, frame: Box<[u8]> },
}

/// The load client of one node or of the floor.
pub(crate) struct Load {
    poll: Poll,
    happened: mio::Events,
    tabs: Tabs,
    users: Vec<Option<Id>>,
    source: Source,
    /// When the first tab was pinged, and how many pings have been sent since.
    pings: (Instant, u64),
}

impl Load {
    /// A client of a node: tabs of these users, and producers of these events with this token. Only the producers are
    /// connected.
    ///
    /// The tabs may connect through a proxy in front of other nodes.
    pub(crate) fn of_node(
        gate: &Gate,
        address: SocketAddr,
        events: Events,
        tickets: &[Ticket],
        producer: &Rc<str>,
        producers: usize,
    ) -> Result<Self> {
        let poll = Poll::new()?;
        let publishers = (0..producers).map(|number| {
            let own = Token(FIRST_PUBLISHER + number);
            Publisher::connect(address, Rc::clone(producer), poll.registry(), own)
        });
        let publishers = publishers.collect::<Result<_>>()?;
        let source = Source::Node { events: Box::new(events), publishers };
        Ok(Self::new(poll, gate, tickets, source))
    }

    /// A client of the floor with this many sockets, not connected yet.
    pub(crate) fn of_floor(gate: &Gate, control: std::net::TcpStream, sockets: usize) -> Result<Self> {
        let tickets = vec![Ticket { user: None, token: Rc::from("") }; sockets];
        Ok(Self::new(Poll::new()?, gate, &tickets, Source::Floor { control, frame: Box::default() }))
    }

    fn new(poll: Poll, gate: &Gate, tickets: &[Ticket], source: Source) -> Self {
        Self {
            poll,
            happened: mio::Events::with_capacity(EVENTS),
            tabs: Tabs::new(gate.clone(), tickets.iter().map(|ticket| Rc::clone(&ticket.token))),
            users: tickets.iter().map(|ticket| ticket.user.clone()).collect(),
            source,
            pings: (Instant::now(), 0),
        }
    }

    /// Sets the length of the next toasts' text.
    pub(crate) fn set_message_bytes(&mut self, bytes: usize) {
        if let Source::Node { events, .. } = &mut self.source {
            events.message_bytes = bytes;
        }
    }

    /// Waits for socket events, and handles them.
    fn turn(&mut self, wait: Duration) -> Result<()> {
        match self.poll.poll(&mut self.happened, Some(wait)) {
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            outcome => outcome?,
        }
        for event in &self.happened {
            let token = event.token().0;
            if token < FIRST_PUBLISHER {
                self.tabs.handle(event, self.poll.registry());
            } else if let Source::Node { publishers, .. } = &mut self.source
                && let Some(took) = publishers[token - FIRST_PUBLISHER].read()?
            {
                self.tabs.ledger.accepted(took);
            }
        }
        self.keep_alive();
        self.tabs.come_back(self.poll.registry());
        Ok(())
    }

    /// Pings one tab after another, so that each is pinged in time and no two at once.
    fn keep_alive(&mut self) {
        let tabs = self.tabs.all.len() as u64;
        let (since, sent) = &mut self.pings;
        if matches!(self.source, Source::Floor { .. }) || tabs == 0 {
            return;
        }
        let due = (since.elapsed().as_secs_f64() / PING_EVERY.as_secs_f64() * tabs as f64) as u64;
        while *sent < due {
            self.tabs.ping((*sent % tabs) as usize);
            *sent += 1;
        }
    }

    /// Lets time pass while the tabs stay alive.
    pub(crate) fn settle(&mut self, time: Duration) -> Result<()> {
        let begun = Instant::now();
        while let Some(left) = time.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()) {
            self.turn(left.min(Duration::from_millis(50)))?;
        }
        self.tabs.check()
    }

    /// Makes a tab stop reading; nothing is expected from it any more.
    pub(crate) fn stop_reading(&mut self, tab: usize) {
        self.tabs.all[tab].stopped = true;
        self.tabs.all[tab].counted = false;
    }

    /// Lets a stopped tab read everything in its socket; returns whether the server had closed it.
    pub(crate) fn resume_reading(&mut self, tab: usize) -> Result<bool> {
        let ended = self.tabs.ended;
        self.tabs.resume(tab, self.poll.registry());
        let given_up = self.tabs.ended > ended;
        self.tabs.ended = ended;
        self.tabs.reasons.clear();
        self.tabs.check()?;
        Ok(given_up)
    }
}
