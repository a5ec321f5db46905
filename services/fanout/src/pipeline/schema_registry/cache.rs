//! The schemas that the registry has answered before.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::Written;
use super::fetch::Found;

/// How many schemas are kept; the one that was not used for longest gives way. A schema never changes.
const KNOWN: usize = 1000;

/// How many ids are kept that the registry does not know.
const REFUSED: usize = 1000;

/// How long an id stays unknown: somebody may register it next.
const REFUSED_FOR: Duration = Duration::from_secs(30);

/// Schemas by id, and ids that are none. They are apart, so that a flood of unknown ids pushes out no schema.
#[derive(Debug, Default)]
pub(super) struct Cache {
    known: LeastRecentlyUsed,
    refused: LeastRecentlyUsed,
    /// Those that are asked for just now.
    flights: HashMap<u32, Arc<Mutex<()>>>,
}

impl Cache {
    /// The known answer for an id.
    pub(super) fn get(&mut self, id: u32, now: Instant) -> Option<Written> {
        if let Some((written, _)) = self.known.get(id) {
            return Some(written);
        }
        let (written, since) = self.refused.get(id)?;
        (now.saturating_duration_since(since) < REFUSED_FOR).then_some(written)
    }

    /// Keeps an answer.
    pub(super) fn put(&mut self, id: u32, found: Found, now: Instant) {
        match found {
            Found::Schema(schema) => self.known.put(id, Written::Registered(schema), now, KNOWN),
            Found::Nothing(reason) | Found::Rubbish(reason) => {
                self.refused.put(id, Written::Refused(reason.into()), now, REFUSED);
            }
        }
    }

    /// A lock that requests for the same id hold one after the other.
    pub(super) fn flight(&mut self, id: u32) -> Arc<Mutex<()>> {
        // Those that ended, or were given up, are held by nobody else.
        self.flights.retain(|_, flight| Arc::strong_count(flight) > 1);
        Arc::clone(self.flights.entry(id).or_default())
    }
}

/// Answers; the least recently used one is dropped first.
#[derive(Debug, Default)]
struct LeastRecentlyUsed {
    entries: HashMap<u32, Entry>,
    uses: u64,
}

#[derive(Debug)]
struct Entry {
    written: Written,
    since: Instant,
    used: u64,
}

impl LeastRecentlyUsed {
    fn get(&mut self, id: u32) -> Option<(Written, Instant)> {
        let entry = self.entries.get_mut(&id)?;
        self.uses += 1;
        entry.used = self.uses;
        Some((entry.written.clone(), entry.since))
    }

    fn put(&mut self, id: u32, written: Written, since: Instant, most: usize) {
        if self.entries.len() >= most && !self.entries.contains_key(&id) {
            // A walk over a thousand, once for each question to another machine.
            let oldest = self.entries.iter().min_by_key(|(_, entry)| entry.used).map(|(id, _)| *id);
            oldest.and_then(|oldest| self.entries.remove(&oldest));
        }
        self.uses += 1;
        self.entries.insert(id, Entry { written, since, used: self.uses });
    }
}

#[cfg(test)]
mod tests {
    use fanfare_event::confluent::ForeignSchema;

    use super::*;
    use crate::pipeline::written::Registered;

    fn schema() -> Found {
        let schema = ForeignSchema::parse(1, r#"{ "type": "record", "name": "R", "fields": [] }"#).expect("a schema");
        Found::Schema(Arc::new(Registered::new(schema)))
    }

    #[test]
    fn a_schema_stays_and_an_unknown_id_does_not() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        cache.put(1, schema(), now);
        cache.put(2, Found::Nothing("no".to_owned()), now);
        let late = now + REFUSED_FOR;
        assert!(matches!(cache.get(2, late - Duration::from_millis(1)), Some(Written::Refused(_))));
        assert!(cache.get(2, late).is_none());
        assert!(matches!(cache.get(1, now + Duration::from_secs(1 << 20)), Some(Written::Registered(_))));
        cache.put(2, schema(), late);
        assert!(matches!(cache.get(2, late), Some(Written::Registered(_))), "it was registered since");
    }

    #[test]
    fn the_least_recently_used_is_evicted_and_unknown_ids_evict_no_schema() {
        let (mut cache, now) = (Cache::default(), Instant::now());
        for id in 0..KNOWN as u32 {
            cache.put(id, schema(), now);
        }
        assert!(cache.get(0, now).is_some());
        cache.put(KNOWN as u32, schema(), now);
        assert!(cache.get(0, now).is_some() && cache.get(1, now).is_none());
        for id in 0..3 * REFUSED as u32 {
            cache.put(10_000 + id, Found::Rubbish("r".to_owned()), now);
        }
        assert_eq!((cache.known.entries.len(), cache.refused.entries.len()), (KNOWN, REFUSED));
    }

    #[test]
    fn concurrent_lookups_of_one_id_share_one_request() {
        let mut cache = Cache::default();
        let (first, second) = (cache.flight(1), cache.flight(1));
        assert!(Arc::ptr_eq(&first, &second));
        drop((first, second));
        let _other = cache.flight(2);
        assert_eq!(cache.flights.len(), 1);
    }
}
