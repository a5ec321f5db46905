//! The calls of one connection: in order, streams aside, with what the client uploads and answers.

use std::collections::{HashMap, VecDeque};

use fanfare_signalr::{Outcome, Value};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::connection::Call;
use crate::method::Upload;

/// How many calls may wait behind the one that runs.
const MAX_WAITING: usize = 64;

/// How many streams, uploads and questions a connection may have at a time.
const MAX_OPEN: usize = 64;

/// How many items of an upload may wait for the method that reads them.
const UPLOAD_ITEMS: usize = 10;

/// The calls of one connection; allocated with the first one.
#[derive(Debug, Default)]
pub(super) struct Calls(Option<Box<Open>>);

#[derive(Debug, Default)]
struct Open {
    waiting: VecDeque<(Call, Vec<Upload>)>,
    running: bool,
    streams: HashMap<String, CancellationToken>,
    uploads: HashMap<String, Items>,
    questions: HashMap<String, oneshot::Sender<Outcome<'static>>>,
    asked: u64,
    /// Items that their uploads had no room for; nothing more is read of the client meanwhile.
    stalled: VecDeque<Stalled>,
}

/// The way into an upload.
pub(super) type Items = mpsc::Sender<Result<Value<'static>, String>>;

/// An item and where it goes.
type Stalled = (Items, Result<Value<'static>, String>);

impl Open {
    fn hand_over(&mut self, items: Items, item: Result<Value<'static>, String>) {
        if !self.stalled.is_empty() {
            return self.stalled.push_back((items, item));
        }
        match items.try_send(item) {
            Ok(()) | Err(TrySendError::Closed(_)) => {}
            Err(TrySendError::Full(item)) => self.stalled.push_back((items, item)),
        }
    }
}

impl Calls {
    fn open(&mut self) -> &mut Open {
        self.0.get_or_insert_default()
    }

    /// Queues a call; true if it is to be started now.
    ///
    /// # Errors
    /// The call, if too many wait.
    pub(super) fn queue(&mut self, call: Call, uploads: Vec<Upload>) -> Result<bool, Call> {
        let open = self.open();
        if open.waiting.len() >= MAX_WAITING {
            return Err(call);
        }
        open.waiting.push_back((call, uploads));
        Ok(!std::mem::replace(&mut open.running, true))
    }

    /// The next call to run; nothing once all are done.
    pub(super) fn next(&mut self) -> Option<(Call, Vec<Upload>)> {
        let open = self.open();
        let next = open.waiting.pop_front();
        open.running = next.is_some();
        next
    }

    /// Whether the id belongs to something that still runs.
    #[must_use]
    pub(super) fn is_in_use(&self, id: &str) -> bool {
        let Some(open) = &self.0 else { return false };
        open.streams.contains_key(id) || open.waiting.iter().any(|(call, _)| call.id.as_deref() == Some(id))
    }

    /// Notes a stream that runs; nothing if too many do.
    pub(super) fn start_stream(&mut self, id: &str) -> Option<CancellationToken> {
        let open = self.open();
        if open.streams.len() >= MAX_OPEN {
            return None;
        }
        let token = CancellationToken::new();
        open.streams.insert(id.to_owned(), token.clone());
        Some(token)
    }

    /// Forgets a stream that has ended.
    pub(super) fn end_stream(&mut self, id: &str) {
        self.open().streams.remove(id);
    }

    /// The client wants no more of a stream; unknown ids are ignored.
    pub(super) fn cancel(&self, id: &str) {
        if let Some(token) = self.0.as_ref().and_then(|open| open.streams.get(id)) {
            token.cancel();
        }
    }

    /// Opens the streams that a call uploads; nothing if too many are open or an id is taken.
    pub(super) fn open_uploads(&mut self, ids: &[String]) -> Option<Vec<Upload>> {
        let open = self.open();
        if open.uploads.len() + ids.len() > MAX_OPEN || ids.iter().any(|id| open.uploads.contains_key(id)) {
            return None;
        }
        let uploads = ids.iter().map(|id| {
            let (items, receiver) = mpsc::channel(UPLOAD_ITEMS);
            open.uploads.insert(id.clone(), items);
            Upload(receiver)
        });
        Some(uploads.collect())
    }

    /// Hands an item to its upload; items of unknown or finished streams are ignored.
    pub(super) fn item(&mut self, id: &str, item: Value<'static>) {
        let Some(open) = &mut self.0 else { return };
        if let Some(items) = open.uploads.get(id).cloned() {
            open.hand_over(items, Ok(item));
        }
    }

    /// Ends an upload, with the client's error if it failed; false if there is no such upload.
    pub(super) fn end_upload(&mut self, id: &str, error: Option<String>) -> bool {
        let Some(open) = &mut self.0 else { return false };
        let Some(items) = open.uploads.remove(id) else { return false };
        if let Some(error) = error {
            open.hand_over(items, Err(error));
        }
        true
    }

    /// Where the first item that waits for room goes.
    pub(super) fn stalled(&self) -> Option<Items> {
        Some(self.0.as_ref()?.stalled.front()?.0.clone())
    }

    /// Hands over the first item that waits, now that there is room, or nobody who wants it.
    pub(super) fn unstall(&mut self, items: &Items) {
        let Some(open) = &mut self.0 else { return };
        if let Some((_, item)) = open.stalled.pop_front_if(|(waits, _)| waits.same_channel(items)) {
            // No room after all: somebody else was faster, and the item waits on.
            if let Err(TrySendError::Full(item)) = items.try_send(item) {
                open.stalled.push_front((items.clone(), item));
            }
        }
    }

    /// Notes a question to the client: the id to send and the answer to wait for.
    pub(super) fn ask(&mut self) -> Option<(String, oneshot::Receiver<Outcome<'static>>)> {
        let open = self.open();
        if open.questions.len() >= MAX_OPEN {
            return None;
        }
        open.asked += 1;
        // Clients number their own ids; this form cannot clash with them.
        let id = format!("s{}", open.asked);
        let (answer, receiver) = oneshot::channel();
        open.questions.insert(id.clone(), answer);
        Some((id, receiver))
    }

    /// The question that a completion answers.
    pub(super) fn answer(&mut self, id: &str) -> Option<oneshot::Sender<Outcome<'static>>> {
        self.0.as_mut()?.questions.remove(id)
    }

    /// Ends everything: the connection is gone.
    pub(super) fn end_all(&mut self) {
        if let Some(open) = self.0.take() {
            for token in open.streams.into_values() {
                token.cancel();
            }
        }
    }
}
