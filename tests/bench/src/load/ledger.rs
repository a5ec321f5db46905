//! What was published and has not arrived everywhere yet, and all latencies.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::toast::Shown;

/// The number of an event, and the event.
#[derive(Debug)]
pub(super) struct Sent {
    /// The notification that tabs must get; `None` for the floor, which sends plain bytes.
    shown: Option<Shown>,
    /// The exact bytes, once the first tab has received and checked them: every other tab must get the same.
    pub(super) wire: Option<Box<[u8]>>,
    /// The cursor after it, once a tab has received it.
    cursor: Option<Rc<str>>,
    published: Instant,
    left: usize,
    burst: usize,
    /// Whether a tab has revealed which event of the burst has this number. Concurrent producers' events are stored in
    /// any order, but every tab must see the same order.
    settled: bool,
}

/// Times of one phase, in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    /// From the publishing of an event to each handler.
    pub(crate) each: Vec<u64>,
    /// From the publishing of an event to the last handler.
    pub(crate) last: Vec<u64>,
    /// From the publishing of an event to its acknowledgement.
    pub(crate) accepted: Vec<u64>,
    /// The size of the last delivery, in bytes.
    pub(crate) bytes: usize,
}

/// Every event of a phase, by number.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    sent: Vec<Sent>,
    outstanding: usize,
    samples: Samples,
    bursts: usize,
}

impl Ledger {
    /// A new burst: the order within it is not known.
    pub(super) fn begin_burst(&mut self) {
        self.bursts += 1;
    }

    /// The number of the next event.
    pub(super) fn next(&self) -> u32 {
        u32::try_from(self.sent.len()).unwrap_or(u32::MAX)
    }

    /// Notes an event that is about to be published to this many tabs; starts its clock.
    pub(super) fn publish(&mut self, shown: Option<Shown>, wire: Option<Box<[u8]>>, audience: usize) {
        self.outstanding += audience;
        let (published, burst) = (Instant::now(), self.bursts);
        self.sent.push(Sent { shown, wire, cursor: None, published, left: audience, burst, settled: false });
    }

    /// The exact bytes expected for a number, if they are known.
    pub(super) fn wire(&self, place: u32) -> Option<&[u8]> {
        self.sent.get(place as usize)?.wire.as_deref()
    }

    /// The cursor after an event that a tab has received.
    pub(super) fn cursor(&self, place: u32) -> Option<Rc<str>> {
        self.sent.get(place as usize)?.cursor.clone()
    }

    /// The cursor after the newest event that a tab has received.
    pub(super) fn newest_cursor(&self) -> Option<Rc<str>> {
        self.sent.iter().rev().find_map(|sent| sent.cursor.clone())
    }

    /// The number of the event in a message, whichever it is.
    pub(super) fn place_of(&self, message: &[u8]) -> Option<u32> {
        let is_shown = |sent: &Sent| sent.shown.as_ref().is_some_and(|shown| shown.check(message).is_ok());
        self.sent.iter().rposition(is_shown).and_then(|place| u32::try_from(place).ok())
    }

    /// No longer expects an event at a tab.
    pub(super) fn give_up(&mut self, place: u32) {
        if let Some(sent) = self.sent.get_mut(place as usize) {
            self.outstanding -= 1;
            sent.left -= 1;
        }
    }

    /// Checks what a tab has received for a number.
    pub(super) fn check(&mut self, place: u32, message: &[u8]) -> Result<&mut Sent> {
        let place = place as usize;
        let sent = self.sent.get(place).context("nothing was sent")?;
        let is_shown = |sent: &Sent| sent.shown.as_ref().context("nothing of its own was sent")?.check(message);
        if let Err(error) = is_shown(sent) {
            // It may be another event of the same burst, if this is the first tab to reveal the order.
            let burst = sent.burst;
            let mut others = (place + 1..self.sent.len()).take_while(|other| self.sent[*other].burst == burst);
            let found = others.find(|other| is_shown(&self.sent[*other]).is_ok());
            let other = found.filter(|_| !sent.settled).ok_or(error)?;
            self.swap(place, other);
        }
        let sent = &mut self.sent[place];
        sent.settled = true;
        if sent.cursor.is_none() {
            sent.cursor = is_shown(sent)?.map(Rc::from);
        }
        Ok(sent)
    }

    fn swap(&mut self, place: usize, other: usize) {
        let (before, behind) = self.sent.split_at_mut(other);
        let (one, other) = (&mut before[place], &mut behind[0]);
        std::mem::swap(&mut one.shown, &mut other.shown);
        std::mem::swap(&mut one.published, &mut other.published);
    }

    /// A handler has received the event with this number.
    pub(super) fn arrived(&mut self, place: u32, bytes: usize) {
        let Some(sent) = self.sent.get_mut(place as usize) else { return };
        let took = nanos(sent.published.elapsed());
        self.samples.each.push(took);
        self.samples.bytes = bytes;
        self.outstanding -= 1;
        sent.left -= 1;
        if sent.left == 0 {
            self.samples.last.push(took);
        }
    }

    /// The node has acknowledged an event.
    pub(super) fn accepted(&mut self, took: Duration) {
        self.samples.accepted.push(nanos(took));
    }

    /// The latencies of this phase's completed deliveries, in nanoseconds.
    pub(super) fn times(&self) -> &[u64] {
        &self.samples.each
    }

    /// How long each missing delivery has been in flight.
    pub(super) fn overdue(&self) -> Vec<u64> {
        let late = |sent: &Sent| std::iter::repeat_n(nanos(sent.published.elapsed()), sent.left);
        self.sent.iter().flat_map(late).collect()
    }

    /// The number of missing deliveries.
    pub(super) fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// The times so far; the next phase begins.
    pub(super) fn finish(&mut self) -> Samples {
        std::mem::take(self).samples
    }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::toast::Toast;
    use super::*;

    #[test]
    fn an_event_is_over_with_its_last_tab() {
        let mut ledger = Ledger::default();
        ledger.publish(None, None, 2);
        ledger.publish(None, None, 1);
        ledger.arrived(0, 10);
        ledger.arrived(1, 10);
        assert_eq!((ledger.outstanding(), ledger.samples.last.len()), (1, 1));
        ledger.arrived(0, 10);
        let samples = ledger.finish();
        assert_eq!((samples.each.len(), samples.last.len(), ledger.next()), (3, 2, 0));
    }

    #[test]
    fn the_first_tab_settles_the_order_of_a_burst() {
        let toasts = ["one", "two", "three"].map(|text| Toast::new(text, "now"));
        let mut ledger = Ledger::default();
        for toast in &toasts[..2] {
            ledger.publish(Some(Shown::Toast(toast.clone())), None, 1);
        }
        ledger.begin_burst();
        ledger.publish(Some(Shown::Toast(toasts[2].clone())), None, 1);
        let [one, two, three] = toasts.map(|toast| toast.shown());
        assert!(ledger.check(0, &three).is_err(), "of another burst");
        ledger.check(0, &two).expect("of the same burst");
        assert!(ledger.check(0, &one).is_err(), "another tab has seen the other order");
        ledger.check(1, &one).expect("the rest of the burst");
        assert!(ledger.check(3, &one).is_err(), "nothing more was sent");
    }
}
