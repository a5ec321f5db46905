//! What was published and has not arrived everywhere yet, and how long everything took.

use std::time::Instant;

use super::toast::Toast;

/// An event on its way.
#[derive(Debug)]
pub(super) struct Sent {
    /// What tabs must be shown; `None` for the floor, which sends plain bytes.
    pub(super) toast: Option<Toast>,
    /// The exact bytes, once the first tab has got and checked them: every other tab must get the same.
    pub(super) wire: Option<Box<[u8]>>,
    published: Instant,
    left: usize,
}

/// Times of one phase, in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    /// From the publishing of an event to each handler that it reached.
    pub(crate) each: Vec<u64>,
    /// From the publishing of an event to the last handler.
    pub(crate) last: Vec<u64>,
    /// From the publishing of an event to the answer that it is stored.
    pub(crate) accepted: Vec<u64>,
    /// The size of the last delivery, in bytes.
    pub(crate) bytes: usize,
}

/// Every event of a phase, by its number.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    sent: Vec<Sent>,
    outstanding: usize,
    samples: Samples,
}

impl Ledger {
    /// The number of the next event.
    pub(super) fn next(&self) -> u32 {
        u32::try_from(self.sent.len()).unwrap_or(u32::MAX)
    }

    /// Notes an event that is about to be published to so many tabs; the clock starts.
    pub(super) fn publish(&mut self, toast: Option<Toast>, wire: Option<Box<[u8]>>, audience: usize) {
        self.outstanding += audience;
        self.sent.push(Sent { toast, wire, published: Instant::now(), left: audience });
    }

    pub(super) fn get(&mut self, event: u32) -> Option<&mut Sent> {
        self.sent.get_mut(event as usize)
    }

    /// A handler has got an event.
    pub(super) fn arrived(&mut self, event: u32, bytes: usize) {
        let Some(sent) = self.sent.get_mut(event as usize) else { return };
        let took = nanos_since(sent.published);
        self.samples.each.push(took);
        self.samples.bytes = bytes;
        self.outstanding -= 1;
        sent.left -= 1;
        if sent.left == 0 {
            self.samples.last.push(took);
        }
    }

    /// The node has answered that it stored an event.
    pub(super) fn accepted(&mut self, event: u32) {
        if let Some(sent) = self.sent.get(event as usize) {
            self.samples.accepted.push(nanos_since(sent.published));
        }
    }

    /// How many deliveries are still to come.
    pub(super) fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// The times so far; the next phase begins.
    pub(super) fn finish(&mut self) -> Samples {
        std::mem::take(self).samples
    }
}

fn nanos_since(begun: Instant) -> u64 {
    u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
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
}
