//! Uploads, streams and questions of one connection: channels between the code behind its hub and the core.

use std::collections::{HashMap, VecDeque};

use fanfare_signalr::{Outcome, Value};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::method::handler::Upload;

/// How many items of an upload may wait for the method that reads them.
const UPLOAD_ITEMS: usize = 10;

/// How many questions a connection may have to answer at a time.
const MAX_QUESTIONS: usize = 64;

/// The way into an upload.
pub(super) type Items = mpsc::Sender<Result<Value<'static>, String>>;

/// What the code behind a hub has open for one connection.
#[derive(Debug, Default)]
pub(super) struct Channels {
    streams: HashMap<String, CancellationToken>,
    uploads: HashMap<String, Items>,
    /// The other ends, until their method runs.
    unread: HashMap<String, Upload>,
    questions: HashMap<String, oneshot::Sender<Outcome<'static>>>,
    asked: u64,
    /// Items that their uploads had no room for; nothing more is read of the client meanwhile.
    stalled: VecDeque<(Items, Result<Value<'static>, String>)>,
}

impl Channels {
    /// Opens the streams that a call uploads.
    pub(super) fn open_uploads(&mut self, ids: &[String]) {
        for id in ids {
            let (items, receiver) = mpsc::channel(UPLOAD_ITEMS);
            self.uploads.insert(id.clone(), items);
            self.unread.insert(id.clone(), Upload(receiver));
        }
    }

    /// The streams of a call, for its method to read.
    pub(super) fn take_uploads(&mut self, ids: &[String]) -> Vec<Upload> {
        ids.iter().filter_map(|id| self.unread.remove(id)).collect()
    }

    /// Ends the uploads of a call: later items of them are ignored.
    pub(super) fn end_uploads(&mut self, ids: &[String]) {
        for id in ids {
            self.uploads.remove(id);
        }
    }

    fn hand_over(&mut self, items: Items, item: Result<Value<'static>, String>) {
        if !self.stalled.is_empty() {
            return self.stalled.push_back((items, item));
        }
        match items.try_send(item) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(item)) => self.stalled.push_back((items, item)),
        }
    }

    /// Hands an item to its upload; items of unknown or finished streams are ignored.
    pub(super) fn item(&mut self, id: &str, item: Value<'static>) {
        if let Some(items) = self.uploads.get(id).cloned() {
            self.hand_over(items, Ok(item));
        }
    }

    /// Ends an upload, with the client's error if it failed, or takes the answer to a question.
    pub(super) fn completed(&mut self, id: &str, outcome: Outcome<'static>) {
        match (self.uploads.remove(id), outcome) {
            (Some(items), Outcome::Error(error)) => self.hand_over(items, Err(error.into_owned())),
            (Some(_), _) => {}
            (None, outcome) => {
                if let Some(question) = self.questions.remove(id) {
                    // The caller may have given up.
                    let _ = question.send(outcome);
                }
            }
        }
    }

    /// Notes a stream that runs.
    pub(super) fn start_stream(&mut self, id: &str) -> CancellationToken {
        let token = CancellationToken::new();
        self.streams.insert(id.to_owned(), token.clone());
        token
    }

    /// Forgets a stream that has ended.
    pub(super) fn end_stream(&mut self, id: &str) {
        self.streams.remove(id);
    }

    /// The client wants no more of a stream; unknown ids are ignored.
    pub(super) fn cancel(&mut self, id: &str) {
        if let Some(token) = self.streams.get(id) {
            token.cancel();
        }
    }

    /// Notes a question to the client: the id to send and the answer to wait for.
    pub(super) fn ask(&mut self) -> Option<(String, oneshot::Receiver<Outcome<'static>>)> {
        if self.questions.len() >= MAX_QUESTIONS {
            return None;
        }
        self.asked += 1;
        // Clients number their own ids; this form cannot clash with them.
        let id = format!("s{}", self.asked);
        let (answer, receiver) = oneshot::channel();
        self.questions.insert(id.clone(), answer);
        Some((id, receiver))
    }

    /// Whether an item of an upload waits for room.
    pub(super) fn is_stalled(&self) -> bool {
        !self.stalled.is_empty()
    }

    /// The way into the upload whose item waits first.
    pub(super) fn stalled(&self) -> Option<Items> {
        Some(self.stalled.front()?.0.clone())
    }

    /// Hands over the first item that waits, now that there is room, or nobody who wants it.
    pub(super) fn unstall(&mut self, items: &Items) {
        if let Some((_, item)) = self.stalled.pop_front_if(|(waits, _)| waits.same_channel(items)) {
            // No room after all: somebody else was faster, and the item waits on.
            if let Err(TrySendError::Full(item)) = items.try_send(item) {
                self.stalled.push_front((items.clone(), item));
            }
        }
    }

    /// Ends everything: the connection is gone.
    pub(super) fn end_all(self) {
        for token in self.streams.into_values() {
            token.cancel();
        }
    }
}
