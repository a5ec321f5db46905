//! A reader of the log: one task follows each of the two streams.

use std::sync::Arc;

use async_trait::async_trait;

use super::place::StartPlace;
use super::source::{Batch, Batches, Source, Stopped, Until};
use super::streams::{Kind, Streams};
use super::{EVENTS, STATE, Shared, wire};
use crate::broker::Reader;
use crate::error::BrokerError;
use crate::message::Record;
use crate::position::Position;

/// Reads both streams, or only the state that existed at its start.
pub(super) struct LogReader {
    shared: Arc<Shared>,
    position: Position,
    events: Option<Batches<Record>>,
    state: Option<Batches<Record>>,
    until: Until,
    /// The error that has ended the reader.
    ended: Option<BrokerError>,
}

impl LogReader {
    /// Reads strictly after a position, which must be from this log and still stored.
    pub(super) async fn open(shared: &Arc<Shared>, after: &Position) -> Result<Self, BrokerError> {
        let streams = shared.streams().await?;
        if after.incarnation() != streams.incarnation() {
            let reason = "one of the streams was recreated, or it is a position of another log".to_owned();
            return Err(BrokerError::OtherIncarnation { reason });
        }
        let from = |kind| place(&streams, kind, after);
        let (events, state) = (from(Kind::Events), from(Kind::State));
        let checked =
            tokio::join!(shared.check_place(&events, &streams.events), shared.check_place(&state, &streams.state),);
        for (partition, outcome) in [(EVENTS, checked.0), (STATE, checked.1)] {
            outcome.map_err(|stopped| error(partition, stopped, after))?;
        }
        let spawn = |from, info| Some(Source::spawn(shared, from, Some(info), Until::Forever, wire::record));
        Ok(Self {
            shared: Arc::clone(shared),
            position: after.clone(),
            events: spawn(events, streams.events),
            state: spawn(state, streams.state),
            until: Until::Forever,
            ended: None,
        })
    }

    /// Reads the existing state.
    pub(super) async fn state(shared: &Arc<Shared>) -> Result<Self, BrokerError> {
        let streams = shared.streams().await?;
        let position = Position::start(streams.incarnation());
        let from = place(&streams, Kind::State, &position);
        let until = Until::CaughtUp;
        let state = Source::spawn(shared, from, Some(streams.state), until, wire::record);
        Ok(Self { shared: Arc::clone(shared), position, events: None, state: Some(state), until, ended: None })
    }

    fn pass(&mut self, partition: u32, batch: Batch<Record>) -> Vec<Record> {
        if batch.through > 0 {
            self.position.advance_to(partition, batch.through);
        }
        let known = std::mem::replace(&mut self.position, Position::start(0));
        self.position = known.with_newest(batch.newest);
        batch.items
    }
}

fn place(streams: &Streams, kind: Kind, after: &Position) -> StartPlace {
    let partition = kind.partition();
    StartPlace {
        kind,
        after: after.offset(partition).unwrap_or(0),
        created: streams.of(partition).created.clone(),
        known: None,
        newest: after.newest(),
    }
}

fn error(partition: u32, stopped: Stopped, position: &Position) -> BrokerError {
    match stopped {
        Stopped::Away(reason) => BrokerError::Unavailable(reason),
        Stopped::Ended(error) => error,
        Stopped::Trimmed(through) => {
            let mut oldest = position.clone();
            oldest.advance_to(partition, through);
            BrokerError::Trimmed { oldest }
        }
    }
}

/// The next batch of a stream; waits forever if the stream is not read.
async fn batch(batches: &mut Option<Batches<Record>>) -> Option<Result<Batch<Record>, Stopped>> {
    match batches {
        Some(batches) => batches.recv().await,
        None => std::future::pending().await,
    }
}

#[async_trait]
impl Reader for LogReader {
    async fn next(&mut self) -> Result<Vec<Record>, BrokerError> {
        if let Some(ended) = &self.ended {
            return Err(ended.clone());
        }
        loop {
            // Receiving is cancel safe, so the stream that is not ready loses nothing.
            let (partition, received) = tokio::select! {
                received = batch(&mut self.events) => (EVENTS, received),
                received = batch(&mut self.state) => (STATE, received),
            };
            if self.shared.link.is_closed() {
                return Err(BrokerError::Closed);
            }
            match received {
                Some(Ok(batch)) => {
                    let records = self.pass(partition, batch);
                    // An empty batch means that all state was read; one for a hole does not.
                    if self.until == Until::Forever || !records.is_empty() {
                        return Ok(records);
                    }
                }
                Some(Err(stopped)) => {
                    let error = error(partition, stopped, &self.position);
                    if !matches!(error, BrokerError::Unavailable(_)) {
                        self.ended = Some(error.clone());
                    }
                    return Err(error);
                }
                None if self.until == Until::CaughtUp => return Ok(vec![]),
                None => return Err(BrokerError::Unavailable("the reader has ended".into())),
            }
        }
    }

    fn position(&self) -> &Position {
        &self.position
    }
}
