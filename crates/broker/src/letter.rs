//! Dead letters: records that could not be used, stored with the reason.

use crate::message::{Message, Record};

/// The largest body in a dead letter, in bytes.
pub const LETTER_BODY_LIMIT: usize = 64 * 1024;

/// The largest reason in a dead letter, in bytes.
pub const LETTER_REASON_LIMIT: usize = 1024;

/// How many dead letters a broker keeps; the oldest are removed first.
pub const LETTERS_KEPT: usize = 10_000;

/// A record that could not be used, identified by its place in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The partition of the record.
    pub partition: u32,
    /// The offset of the record.
    pub offset: u64,
    /// Why the record could not be used.
    pub reason: String,
    /// When the letter was written, in milliseconds since the epoch.
    pub time: i64,
    /// The message, its body cut to [`LETTER_BODY_LIMIT`].
    pub message: Message,
    /// The size of the body before it was cut.
    pub body_size: u64,
}

impl DeadLetter {
    /// A letter about a record, cut to the limits.
    pub fn new(record: &Record, reason: impl Into<String>, time: i64) -> Self {
        Self {
            partition: record.partition,
            offset: record.offset,
            reason: reason.into(),
            time,
            body_size: record.message.body.len() as u64,
            message: record.message.clone(),
        }
        .cut()
    }

    /// The partition and the offset of the record.
    pub fn place(&self) -> (u32, u64) {
        (self.partition, self.offset)
    }

    /// Whether both are about one record. A recreated log has other records in the same places, and messages of others
    /// are identified only by their places.
    pub(crate) fn is_about_the_same(&self, other: &Self) -> bool {
        let (one, two) = (&self.message, &other.message);
        self.place() == other.place() && one.id == two.id && one.body == two.body
    }

    /// Whether the letter contains less of the body than the record did.
    pub fn is_cut(&self) -> bool {
        self.message.body.len() as u64 != self.body_size
    }

    /// The same letter with body and reason cut to the limits; `body_size` is unchanged.
    pub fn cut(mut self) -> Self {
        self.message.body.truncate(LETTER_BODY_LIMIT);
        if self.reason.len() > LETTER_REASON_LIMIT {
            let end = self.reason.floor_char_boundary(LETTER_REASON_LIMIT);
            self.reason.truncate(end);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::message::Stream;

    #[test]
    fn body_and_reason_are_cut_and_the_size_is_kept() {
        let record = Record {
            partition: 3,
            offset: 9,
            time: 1,
            message: Message {
                stream: Stream::Events,
                org: None,
                topic: "a.B".into(),
                key: None,
                id: "1".into(),
                headers: vec![],
                body: Bytes::from(vec![7; LETTER_BODY_LIMIT + 5]),
            },
        };
        let letter = DeadLetter::new(&record, "é".repeat(1000), 2);
        assert_eq!(letter.message.body.len(), LETTER_BODY_LIMIT);
        assert_eq!(letter.body_size, LETTER_BODY_LIMIT as u64 + 5);
        assert_eq!(letter.reason.len(), LETTER_REASON_LIMIT);
        assert_eq!((letter.partition, letter.offset), (3, 9));
    }
}
