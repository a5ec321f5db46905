//! The answer of `GET /events/{id}`: what became of an event on all nodes.

use serde::{Deserialize, Serialize};

/// The records of an event, and what each node did with them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventPaths {
    /// The id, or the place, that was asked for.
    pub id: String,
    /// Its records, the newest first: several sources may use one id, and one event may be stored twice.
    pub events: Vec<EventRecord>,
    /// How far back each node remembers.
    pub nodes: Vec<Memory>,
    /// The nodes that did not answer.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub missing: Vec<String>,
}

/// How many events a node remembers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The node.
    pub node: String,
    /// How many.
    pub events: usize,
    /// When the oldest of them was read, as RFC 3339 writes it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<String>,
}

/// One record of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRecord {
    /// What the record says of itself.
    #[serde(flatten)]
    pub head: RecordHead,
    /// What each node did with it.
    pub nodes: Vec<OnNode>,
    /// How many connections it was sent to, on all nodes.
    pub sent: u64,
    /// The connection that took a notification of it last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slowest: Option<Slowest>,
}

/// What a record says of itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RecordHead {
    /// When the broker stored it, as RFC 3339 writes it.
    pub stored: String,
    /// Partition and offset, which is the id of its dead letter too.
    pub place: String,
    /// The event's id.
    pub id: String,
    /// The event's source.
    pub source: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The org.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub org: Option<String>,
    /// The id of its trace.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trace_id: Option<String>,
}

/// What one node did with a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OnNode {
    /// The node.
    pub node: String,
    /// How long after it was stored the node had read it, in milliseconds.
    pub read_ms: u64,
    /// What it was.
    pub outcome: Outcome,
    /// Why it is a dead letter.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// The notifications that routes made of it.
    pub notifications: Vec<Notification>,
    /// The routes of its type that did not take it.
    pub not_taken: Vec<NotTaken>,
    /// How many more of those there are.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub more_not_taken: usize,
}

/// What a record was to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// News: its notifications were made.
    New,
    /// An event that was in the log before.
    Duplicate,
    /// State that is older than what is known.
    Stale,
    /// Not usable.
    DeadLetter,
}

/// A notification that a route made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The route.
    pub route: String,
    /// Its hub.
    pub hub: String,
    /// The method that is invoked.
    pub target: String,
    /// The groups that it is for, as they read.
    pub groups: Vec<String>,
    /// How many more there are.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub more_groups: usize,
    /// Whether it is held by a throttle, or was replaced there by a newer one.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub throttled: bool,
    /// How many connections it was queued for at once.
    pub sent: u64,
    /// How many get it once they have caught up.
    #[serde(skip_serializing_if = "is_none", default)]
    pub later: u64,
    /// How many have not taken it yet.
    #[serde(skip_serializing_if = "is_none", default)]
    pub waiting: u64,
    /// One of those.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub waits: Option<String>,
    /// The connection that took it last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slowest: Option<Slowest>,
}

/// The connection that took something last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slowest {
    /// Its id.
    pub connection: String,
    /// Its node.
    pub node: String,
    /// How long after the event was stored it was written to its socket, in milliseconds, at most.
    pub ms: u64,
}

/// A route that did not take the event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotTaken {
    /// The route.
    pub route: String,
    /// Why.
    pub reason: String,
}

/// What one node knows of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodesEvents {
    /// How far back it remembers.
    pub memory: Memory,
    /// The records that it has read.
    pub records: Vec<(RecordHead, OnNode)>,
}

impl EventPaths {
    /// What all nodes know, put together.
    #[must_use]
    pub fn of(id: String, known: Vec<NodesEvents>, missing: Vec<String>) -> Self {
        let (mut nodes, mut events) = (Vec::new(), Vec::<EventRecord>::new());
        for NodesEvents { memory, records } in known {
            nodes.push(memory);
            for (head, on_node) in records {
                match events.iter_mut().find(|event| event.head == head) {
                    Some(event) => event.nodes.push(on_node),
                    None => events.push(EventRecord { head, nodes: vec![on_node], sent: 0, slowest: None }),
                }
            }
        }
        for event in &mut events {
            event.nodes.sort_by(|one, other| one.node.cmp(&other.node));
            let notifications = || event.nodes.iter().flat_map(|node| &node.notifications);
            event.sent = notifications().map(|notification| notification.sent + notification.later).sum();
            event.slowest = notifications().filter_map(|one| one.slowest.clone()).max_by_key(|slowest| slowest.ms);
        }
        nodes.sort_by(|one, other| one.node.cmp(&other.node));
        events.sort_by(|one, other| other.head.cmp(&one.head));
        Self { id, events, nodes, missing }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(node: &str, stored: &str, sent: u64, ms: u64) -> NodesEvents {
        let head = RecordHead {
            stored: stored.to_owned(),
            place: "0-7".to_owned(),
            id: "e".to_owned(),
            source: "test".to_owned(),
            event_type: "a.B".to_owned(),
            org: None,
            trace_id: None,
        };
        let slowest = Slowest { connection: "c".to_owned(), node: node.to_owned(), ms };
        let notification = Notification {
            route: "r".to_owned(),
            hub: "/hub".to_owned(),
            target: "toast".to_owned(),
            groups: Vec::new(),
            more_groups: 0,
            throttled: false,
            sent,
            later: 1,
            waiting: 0,
            waits: None,
            slowest: Some(slowest),
        };
        let on_node = OnNode {
            node: node.to_owned(),
            read_ms: 1,
            outcome: Outcome::New,
            reason: None,
            notifications: vec![notification],
            not_taken: Vec::new(),
            more_not_taken: 0,
        };
        NodesEvents { memory: Memory { node: node.to_owned(), events: 1, since: None }, records: vec![(head, on_node)] }
    }

    #[test]
    fn the_nodes_are_put_together_by_record() {
        let all = vec![known("b", "2", 2, 30), known("a", "2", 3, 9), known("c", "1", 5, 100)];
        let paths = EventPaths::of("e".to_owned(), all, vec!["d".to_owned()]);
        let [newest, older] = &paths.events[..] else { panic!("two records") };
        assert_eq!((newest.sent, newest.nodes.len(), older.sent), (7, 2, 6));
        let slowest = newest.slowest.as_ref().expect("one");
        assert_eq!((&*slowest.node, slowest.ms), ("b", 30));
        assert_eq!(newest.nodes.iter().map(|on| &*on.node).collect::<Vec<_>>(), ["a", "b"]);
        let json = serde_json::to_value(&paths).expect("JSON");
        assert_eq!(
            (&json["events"][0]["type"], &json["events"][0]["nodes"][0]["outcome"]),
            (&"a.B".into(), &"new".into())
        );
        assert_eq!(serde_json::from_value::<EventPaths>(json).expect("the same"), paths);
    }
}
