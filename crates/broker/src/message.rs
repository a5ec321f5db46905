//! The input and output of a broker.

use bytes::Bytes;

/// The two kinds of stream that a broker keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Facts in order, kept for the retention time.
    Events,
    /// Compacted: the newest record per (org, topic, key) outlives the retention time.
    State,
}

/// One message to publish: bytes and headers; the broker never looks into them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The stream to publish to.
    pub stream: Stream,
    /// The organisation that the message belongs to.
    pub org: Option<String>,
    /// The topic, for instance `license.FlagToggled`.
    pub topic: String,
    /// The key of a state; required for [`Stream::State`]. For an event without an org it is the ordering key, for
    /// instance its user; a broker with one order for all events need not return it.
    pub key: Option<String>,
    /// De-duplication id: the same id within the de-duplication window is stored once.
    pub id: String,
    /// Names and values that are sent with the body.
    pub headers: Vec<(String, String)>,
    /// The payload. An empty body of a [`Stream::State`] message removes its key (a tombstone).
    pub body: Bytes,
}

impl Message {
    /// Whether the message removes the state of its key.
    pub fn is_tombstone(&self) -> bool {
        self.stream == Stream::State && self.body.is_empty()
    }

    /// The number of bytes in the message, without the cost of its containers.
    pub fn size(&self) -> usize {
        self.body.len()
            + self.headers_size()
            + self.topic.len()
            + self.id.len()
            + self.org.as_ref().map_or(0, String::len)
            + self.key.as_ref().map_or(0, String::len)
    }

    /// The number of bytes of all header names and values.
    pub fn headers_size(&self) -> usize {
        self.headers.iter().map(|(n, v)| n.len() + v.len()).sum()
    }
}

/// A message that the broker has stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The partition that holds the record.
    pub partition: u32,
    /// The place of the record in its partition; grows, may have holes, is never reused.
    pub offset: u64,
    /// When the broker stored it, in milliseconds since the epoch; never falls within a partition.
    pub time: i64,
    /// The message.
    pub message: Message,
}

/// The answer to a publish: the message is stored and survives a crash of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// The partition that holds the record.
    pub partition: u32,
    /// The place of the record in its partition.
    pub offset: u64,
    /// The id was stored before; partition and offset are those of the first record.
    pub duplicate: bool,
    /// The first record with this id has other content. Only set together with `duplicate`, and only by brokers that
    /// can compare.
    pub conflicting: bool,
}
