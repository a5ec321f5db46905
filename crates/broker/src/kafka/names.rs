//! The names of the topics, and the numbers of their partitions.
//!
//! A position contains a number for each partition it has read: 20 bits of a hash of the topic's name, and 12 bits for
//! the partition within the topic. So it is small, and the same on every node.

use crate::message::Stream;

/// The most partitions that a topic may have.
pub(super) const MAX_PARTITIONS: u32 = 1 << 12;

/// The longest name that Kafka accepts.
const MAX_NAME: usize = 249;

/// A topic that is read as part of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) stream: Stream,
    pub(super) service: String,
    /// The upper 20 bits of its partitions' numbers.
    hash: u32,
}

/// One partition of a topic of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Part {
    /// The topic's index in [`Names::topics`].
    pub(super) topic: usize,
    /// The partition within the topic, below [`MAX_PARTITIONS`].
    pub(super) partition: i32,
}

/// All topics of one Fanfare.
#[derive(Debug, Clone)]
pub(super) struct Names {
    /// Two for each service.
    pub(super) topics: Vec<Topic>,
    /// The topic of dead letters.
    pub(super) letters: String,
    /// The topic of nodes' records; it has one partition.
    pub(super) nodes: String,
}

/// Why topics cannot have these names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a valid name for a topic.
    #[error("{0:?} cannot be the name of a topic: 1 to 249 letters, digits, dots, `-` and `_`")]
    Invalid(String),
    /// Two topics with one name.
    #[error("two topics would have the name {0:?}")]
    Twice(String),
    /// Two topics whose partitions would have the same numbers.
    #[error(
        "the topics {0:?} and {1:?} have the same 20-bit hash, so that their partitions could not be told apart: \
         change one of their names, for instance by another prefix for the topics of states"
    )]
    SameHash(String, String),
}

impl Names {
    /// Names the topics of each service.
    pub(super) fn new(prefix: &str, events: &str, state: &str, services: &[String]) -> Result<Self, NameError> {
        let mut topics: Vec<Topic> = Vec::with_capacity(services.len() * 2);
        for service in services {
            for (stream, first) in [(Stream::Events, events), (Stream::State, state)] {
                let topic = topic(stream, first, service)?;
                for other in &topics {
                    if other.name == topic.name {
                        return Err(NameError::Twice(topic.name));
                    }
                    if other.hash == topic.hash {
                        return Err(NameError::SameHash(other.name.clone(), topic.name));
                    }
                }
                topics.push(topic);
            }
        }
        let (letters, nodes) = (named(format!("{prefix}.deadletter"))?, named(format!("{prefix}.nodes"))?);
        for own in [&letters, &nodes] {
            if topics.iter().any(|topic| topic.name == *own) {
                return Err(NameError::Twice(own.clone()));
            }
        }
        Ok(Self { topics, letters, nodes })
    }

    /// The topic that holds the messages of a service in one stream.
    pub(super) fn of(&self, stream: Stream, service: &str) -> Option<usize> {
        self.topics.iter().position(|topic| topic.stream == stream && topic.service == service)
    }

    /// The index of a topic with this name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.topics.iter().position(|topic| topic.name == name)
    }

    pub(super) fn name(&self, part: Part) -> &str {
        &self.topics[part.topic].name
    }

    /// The number of a partition in positions and records.
    pub(super) fn number(&self, part: Part) -> u32 {
        self.topics[part.topic].hash << 12 | part.partition.unsigned_abs()
    }

    /// The partition with this number.
    pub(super) fn part(&self, number: u32) -> Option<Part> {
        let topic = self.topics.iter().position(|topic| topic.hash == number >> 12)?;
        Some(Part { topic, partition: (number & (MAX_PARTITIONS - 1)).cast_signed() })
    }
}

fn topic(stream: Stream, first: &str, service: &str) -> Result<Topic, NameError> {
    let name = named(format!("{first}.{service}"))?;
    let hash = hash64(name.as_bytes());
    let hash = ((hash >> 44) ^ (hash >> 24) ^ (hash >> 4)) as u32 & 0xF_FFFF;
    Ok(Topic { name, stream, service: service.to_owned(), hash })
}

fn named(name: String) -> Result<String, NameError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let whole = !name.starts_with('.') && !name.ends_with('.');
    if name.len() > MAX_NAME || !whole || !name.chars().all(plain) {
        return Err(NameError::Invalid(name));
    }
    Ok(name)
}

/// FNV-1a: the same on every machine and in every version, because positions outlive both.
pub(super) fn hash64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(services: &[&str]) -> Result<Names, NameError> {
        let services: Vec<String> = services.iter().map(|s| (*s).to_owned()).collect();
        Names::new("fanfare", "events", "state", &services)
    }

    #[test]
    fn numbers_stand_for_one_partition_each_and_never_change() {
        let names = names(&["auth", "license"]).expect("names");
        let part = Part { topic: names.of(Stream::State, "license").expect("known"), partition: 4095 };
        assert_eq!(names.name(part), "state.license");
        let number = names.number(part);
        assert_eq!(names.part(number), Some(part));
        // Cursors contain positions, so another number would mean another place.
        let first = Part { topic: 0, partition: 0 };
        assert_eq!(names.number(first) >> 12, names.topics[0].hash);
        assert_eq!(hash64(b"events.auth"), 0x7CAC_B91D_39E5_A7B4);
    }

    #[test]
    fn names_that_kafka_does_not_take_are_refused() {
        assert_eq!(names(&["a b"]).unwrap_err(), NameError::Invalid("events.a b".into()));
        assert_eq!(names(&[""]).unwrap_err(), NameError::Invalid("events.".into()));
        assert_eq!(names(&["a", "a"]).unwrap_err(), NameError::Twice("events.a".into()));
        let long = "x".repeat(250);
        assert!(names(&[&long]).is_err());
    }

    #[test]
    fn topics_with_the_same_number_are_refused() {
        // Among a few thousand names two have the same 20 bits.
        let many: Vec<String> = (0..5000).map(|n| format!("service-{n}")).collect();
        let error = Names::new("fanfare", "events", "state", &many).unwrap_err();
        assert!(matches!(&error, NameError::SameHash(..)), "{error}");
    }
}
