//! All tabs of the load client, and how they handle received bytes.

use std::io::{ErrorKind, Read as _};
use std::rc::Rc;

use anyhow::{Context, Result, anyhow, bail, ensure};
use mio::event::Event;
use mio::{Registry, Token};

use super::frame::{self, Frame};
use super::hub::{PING, Told, messages};
use super::ledger::{Ledger, nanos};
use super::returning::Returning;
use super::tab::{Gate, Phase, Tab};

/// The size of a read.
const READ_BYTES: usize = 64 * 1024;

/// How many reasons of failures are recorded.
const MAX_REASONS: usize = 5;

pub(super) struct Tabs {
    pub(super) all: Vec<Tab>,
    gate: Gate,
    buffer: Box<[u8]>,
    pub(super) ledger: Ledger,
    /// How long each tab took that has become open since this was last emptied.
    pub(super) opened: Vec<u64>,
    /// The number of tabs that are connecting.
    pub(super) opening: usize,
    /// Tabs that failed while connecting.
    pub(super) failed: usize,
    /// Tabs that the server closed.
    pub(super) ended: usize,
    pub(super) reasons: Vec<String>,
    /// A forbidden delivery; the phase is void.
    pub(super) fault: Option<anyhow::Error>,
    /// For tabs that reconnect by themselves.
    pub(super) returning: Option<Returning>,
}

impl Tabs {
    pub(super) fn new(gate: Gate, tokens: impl IntoIterator<Item = Rc<str>>) -> Self {
        Self {
            all: tokens.into_iter().map(Tab::new).collect(),
            gate,
            buffer: vec![0; READ_BYTES].into(),
            ledger: Ledger::default(),
            opened: Vec::new(),
            opening: 0,
            failed: 0,
            ended: 0,
            reasons: Vec::new(),
            fault: None,
            returning: None,
        }
    }

    pub(super) fn start(&mut self, at: usize, registry: &Registry) {
        self.opening += 1;
        if let Err(error) = self.all[at].start(&self.gate, registry, Token(at)) {
            self.fail(at, &error);
        }
    }

    pub(super) fn ping(&mut self, at: usize) {
        if self.all[at].phase == Phase::Open
            && !self.all[at].stopped
            && let Err(error) = self.all[at].send(&frame::masked(PING))
        {
            self.end(at, &error);
        }
    }

    /// Handles an event of a tab's socket.
    pub(super) fn handle(&mut self, event: &Event, registry: &Registry) {
        let at = event.token().0;
        let phase = self.all[at].phase;
        if event.is_writable()
            && phase != Phase::Open
            && let Err(error) = self.all[at].writable()
        {
            return self.fail(at, &error);
        }
        if event.is_readable() && !self.all[at].stopped {
            self.read_or_end(at, false, registry);
        }
    }

    /// Lets a stopped tab read what its socket still holds.
    pub(super) fn resume(&mut self, at: usize, registry: &Registry) {
        self.all[at].stopped = false;
        self.read_or_end(at, true, registry);
    }

    fn read_or_end(&mut self, at: usize, to_the_end: bool, registry: &Registry) {
        match self.read(at, to_the_end, registry) {
            Ok(()) => {}
            Err(error) if self.all[at].phase == Phase::Open => self.end(at, &error),
            Err(error) => self.fail(at, &error),
        }
    }

    /// Reads until nothing is left. A read that does not fill the buffer has emptied the socket: later data is a new
    /// event, so one call per delivery is enough, except for a tab whose events were ignored.
    fn read(&mut self, at: usize, to_the_end: bool, registry: &Registry) -> Result<()> {
        loop {
            let tab = &mut self.all[at];
            let Some(stream) = tab.stream() else { return Ok(()) };
            let count = match stream.read(&mut self.buffer) {
                Ok(0) => bail!("the server has closed the connection"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("cannot read"),
            };
            let buffer = std::mem::take(&mut self.buffer);
            let taken = self.take(at, &buffer[..count], registry);
            self.buffer = buffer;
            taken?;
            if count < READ_BYTES && !to_the_end {
                return Ok(());
            }
        }
    }

    /// Handles bytes, together with earlier incomplete ones.
    fn take(&mut self, at: usize, bytes: &[u8], registry: &Registry) -> Result<()> {
        let mut joined = std::mem::take(&mut self.all[at].partial);
        let bytes = if joined.is_empty() {
            bytes
        } else {
            joined.extend_from_slice(bytes);
            &joined
        };
        let mut used = 0;
        while used < bytes.len() {
            let rest = &bytes[used..];
            let step = if self.all[at].phase == Phase::Open {
                self.delivered(at, rest)?
            } else {
                let step = self.all[at].opening(rest, &self.gate, registry, Token(at))?;
                if self.all[at].phase == Phase::Open {
                    self.opening -= 1;
                    self.opened.push(nanos(self.all[at].age()));
                }
                step
            };
            if step == 0 {
                self.all[at].partial = rest.to_vec();
                break;
            }
            used += step;
        }
        Ok(())
    }

    /// Handles the first delivery or other frame in `bytes`.
    fn delivered(&mut self, at: usize, bytes: &[u8]) -> Result<usize> {
        let next = self.all[at].expected.front();
        if let Some(wire) = next.and_then(|place| self.ledger.wire(*place)) {
            if bytes.starts_with(wire) {
                let length = wire.len();
                self.arrived(at, length);
                return Ok(length);
            }
            if wire.starts_with(bytes) {
                return Ok(0);
            }
        }
        if matches!(self.gate, Gate::Bare(_)) {
            return Err(self.worthless(anyhow!("the floor sends something else than it was told")));
        }
        let Some((found, length)) = frame::read(bytes).map_err(|error| self.worthless(error))? else {
            return Ok(0);
        };
        match found {
            Frame::Close(code) => bail!("the server closes with {code}"),
            Frame::Ping(payload) => self.all[at].send(&frame::pong(payload))?,
            Frame::Text(payload) => self.told(at, payload, &bytes[..length])?,
        }
        Ok(length)
    }

    /// Handles the messages of a frame.
    fn told(&mut self, at: usize, payload: &[u8], whole: &[u8]) -> Result<()> {
        let alone = messages(payload).count() == 1;
        for message in messages(payload) {
            match message {
                Told::Ping | Told::Logout => {}
                Told::Close(close) => bail!("the server ends it: {}", String::from_utf8_lossy(close)),
                Told::Other(message) => {
                    let counts =
                        self.toast(at, message, alone.then_some(whole)).map_err(|error| self.worthless(error))?;
                    if counts {
                        self.arrived(at, whole.len());
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a toast is the next one; a tab that reconnected may get one again.
    fn toast(&mut self, at: usize, message: &[u8], whole: Option<&[u8]>) -> Result<bool> {
        if self.is_again(at, message) {
            return Ok(false);
        }
        let text = || String::from_utf8_lossy(message).into_owned();
        let next = self.all[at].expected.front().copied();
        let next = next.with_context(|| format!("tab {at} is not to be told anything, but is: {}", text()))?;
        let sent = self.ledger.check(next, message).with_context(|| format!("tab {at}"))?;
        // All tabs of a group get the same bytes: from now on they are only compared.
        sent.wire = whole.map(Box::from);
        Ok(true)
    }

    fn arrived(&mut self, at: usize, bytes: usize) {
        let tab = &mut self.all[at];
        let Some(event) = tab.expected.pop_front() else { return };
        tab.shown = Some(event);
        if tab.counted {
            self.ledger.arrived(event, bytes);
        }
    }

    /// Records the first forbidden delivery.
    fn worthless(&mut self, error: anyhow::Error) -> anyhow::Error {
        let again = anyhow!("{error:#}");
        self.fault.get_or_insert(error);
        again
    }

    fn fail(&mut self, at: usize, error: &anyhow::Error) {
        if self.all[at].phase != Phase::Closed {
            self.opening -= 1;
        }
        if self.leaves(at) {
            return;
        }
        self.failed += 1;
        self.note(at, error);
    }

    fn end(&mut self, at: usize, error: &anyhow::Error) {
        if self.leaves(at) {
            return;
        }
        self.ended += 1;
        self.note(at, error);
    }

    fn note(&mut self, at: usize, error: &anyhow::Error) {
        self.all[at].close();
        if self.reasons.len() < MAX_REASONS {
            self.reasons.push(format!("tab {at}: {error:#}"));
        }
    }

    /// Fails if a tab got something wrong or the server has closed some since the last check.
    pub(super) fn check(&mut self) -> Result<()> {
        if let Some(fault) = self.fault.take() {
            return Err(fault);
        }
        let ended = std::mem::take(&mut self.ended);
        ensure!(ended == 0, "the server ended {ended} tabs: {}", self.reasons.join("; "));
        Ok(())
    }
}
