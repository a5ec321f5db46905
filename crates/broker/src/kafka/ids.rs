//! The ids of topics. A topic that is deleted and created again has the old name and another id.
//!
//! The cluster sends the ids and librdkafka uses them, but it does not return them. It writes to its debug log that a
//! topic changed its id, and continues to read the new topic at the old topic's offset. That line arrives before any
//! record of the new topic, through the same queue. If its text ever changes, ids are unknown, and only the comparison
//! of times in `places.rs` is left; a test checks the text.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// The id of a topic whose id the client has not learnt.
const NONE: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// The topics that a client knows.
#[derive(Debug, Default)]
pub(super) struct TopicIds {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    ids: BTreeMap<String, String>,
    recreated: Option<String>,
}

impl TopicIds {
    /// Reads a line of the debug log.
    pub(super) fn hear(&self, line: &str) {
        let Some((topic, before, now)) = parse(line) else { return };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let told = known.ids.insert(topic.to_owned(), now.to_owned());
        let before = told.as_deref().unwrap_or(before);
        if before != NONE && before != now {
            known.recreated = Some(format!("the topic {topic} was recreated: its id was {before} and is {now}"));
        }
    }

    /// The id of a topic.
    pub(super) fn of(&self, topic: &str) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).ids.get(topic).cloned()
    }

    /// Names a topic that got another id since the client started.
    pub(super) fn recreated(&self) -> Option<String> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).recreated.clone()
    }
}

/// Topic, old id and new id of `...Topic NAME changed id from OLD to NEW`.
fn parse(line: &str) -> Option<(&str, &str, &str)> {
    let (head, ids) = line.split_once(" changed id from ")?;
    let (_, topic) = head.rsplit_once("Topic ")?;
    let (before, now) = ids.trim().split_once(" to ")?;
    Some((topic, before, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_id_is_no_change() {
        let ids = TopicIds::default();
        ids.hear("[thrd:main]: Topic events.auth changed id from AAAAAAAAAAAAAAAAAAAAAA to x7sb_Dk3SaSUXxF1dB1zzA");
        assert_eq!(ids.of("events.auth").as_deref(), Some("x7sb_Dk3SaSUXxF1dB1zzA"));
        assert_eq!(ids.recreated(), None);
        ids.hear("[thrd:main]: Topic events.auth changed id from AAAAAAAAAAAAAAAAAAAAAA to x7sb_Dk3SaSUXxF1dB1zzA");
        assert_eq!(ids.recreated(), None);
    }

    #[test]
    fn another_id_is_another_topic() {
        for before in ["one", NONE] {
            let ids = TopicIds::default();
            ids.hear("Topic a changed id from AAAAAAAAAAAAAAAAAAAAAA to one");
            ids.hear(&format!("Topic a changed id from {before} to two"));
            let made = ids.recreated().expect("recreated");
            assert!(made.contains("its id was one and is two"), "{made}");
        }
    }

    #[test]
    fn other_lines_are_ignored() {
        let ids = TopicIds::default();
        for line in ["", "Topic a partition count changed from 1 to 2", " changed id from ", "x changed id from a to b"]
        {
            ids.hear(line);
        }
        assert_eq!(ids.of("a"), None);
    }
}
