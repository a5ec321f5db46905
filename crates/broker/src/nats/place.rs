//! Whether a place is from the current stream.

use std::hash::{DefaultHasher, Hash, Hasher};

use super::Shared;
use super::source::{Stopped, stopped};
use super::streams::{Info, Kind};
use super::wire::{self, Parts};
use crate::error::BrokerError;

/// A place to read from, checked against the stream.
#[derive(Debug, Clone)]
pub(super) struct StartPlace {
    pub(super) kind: Kind,
    pub(super) after: u64,
    /// When the stream was created.
    pub(super) created: String,
    /// The time and a hash of the id of the record at `after`, if this process read it.
    pub(super) known: Option<(i64, u64)>,
    /// Nothing at or before `after` is younger; 0 if unknown.
    pub(super) newest: i64,
}

impl Shared {
    /// Whether a place is from the current stream, and everything after it is still stored.
    pub(super) async fn check_place(&self, from: &StartPlace, info: &Info) -> Result<(), Stopped> {
        same_stream(from, info)?;
        let other = |reason: String| Err(Stopped::Ended(BrokerError::OtherIncarnation { reason }));
        let name = self.name(from.kind);
        if from.after > info.state.last_seq {
            return other(format!("stream {name} ends at {}, the position is {}", info.state.last_seq, from.after));
        }
        if from.kind == Kind::Events && info.state.first_seq > from.after + 1 {
            return Err(Stopped::Trimmed(info.state.first_seq - 1));
        }
        if from.after == 0 {
            return Ok(());
        }
        // If the record was deleted, replaced or trimmed, it cannot be compared.
        let Some(found) = self.stored(from.kind, from.after).await.map_err(stopped)? else { return Ok(()) };
        let time = found.place.time;
        let same = from.known.is_none_or(|known| known == (time, id_hash(&found)));
        if !same || (from.newest > 0 && time > from.newest) {
            return other(format!("stream {name} holds another record at {}, stored later", from.after));
        }
        Ok(())
    }
}

/// A hash of the message's id; comparable only within this process.
pub(super) fn id_hash(parts: &Parts) -> u64 {
    let id = parts.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case(wire::ID));
    let mut hasher = DefaultHasher::new();
    id.map(|(_, id)| id).hash(&mut hasher);
    hasher.finish()
}

/// Whether the stream is still the one of this place.
pub(super) fn same_stream(from: &StartPlace, info: &Info) -> Result<(), Stopped> {
    if from.created == info.created {
        return Ok(());
    }
    let reason = format!("the stream was recreated at {}; it was made at {}", info.created, from.created);
    Err(Stopped::Ended(BrokerError::OtherIncarnation { reason }))
}
