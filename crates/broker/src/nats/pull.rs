//! One subscription to a stream: a consumer of its own, from which messages are pulled.
//!
//! Pulled, not pushed: a reader never buffers more than it requested, and one that wants ten records for a resume is
//! not sent megabytes. Two pulls are always pending, so that the server never waits for the next.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, Message, StatusCode, Subscriber};
use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::broadcast;

use super::Shared;
use super::request::{Failure, refusal_of};
use super::streams::Kind;
use super::wire::Place;

/// How long the server keeps a pull pending.
const PULL_LIFE: Duration = Duration::from_secs(30);

/// How often the server sends a heartbeat while it has no messages.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Silence after which the consumer counts as lost: three heartbeats.
const SILENCE: Duration = Duration::from_secs(3);

/// The number of concurrent pulls.
const PULLS: usize = 2;

/// The upper bound for a pull's bytes: the largest message that any server can be configured to accept.
const LARGEST_PULL: usize = 160 << 20;

/// A subscription that returns messages in order, without a gap.
pub(super) struct Pulling {
    kind: Kind,
    client: Client,
    pub(super) connection: u64,
    consumer: String,
    /// The subject for pulls.
    subject: String,
    inbox: String,
    subscriber: Subscriber,
    refusals: broadcast::Receiver<Arc<str>>,
    out: VecDeque<Out>,
    pulls: u64,
    records: usize,
    bytes: usize,
    /// The consumer's own count of delivered messages.
    given: u64,
    /// The number of messages that the server had when the consumer was created.
    pub(super) pending: u64,
}

/// A pending pull.
struct Out {
    number: u64,
    left: usize,
}

/// A received message.
pub(super) struct Came {
    pub(super) place: Place,
    /// The number of messages that the server has after this one.
    pub(super) pending: u64,
    pub(super) message: Message,
}

/// Why the subscription ended.
#[derive(Debug)]
pub(super) enum Lost {
    /// A fault that another subscription may not meet.
    Away(String),
    /// This login may not pull.
    Refused(String),
}

fn away<T>(reason: impl Into<String>) -> Result<T, Lost> {
    Err(Lost::Away(reason.into()))
}

impl Pulling {
    /// Creates a consumer of everything after a sequence.
    pub(super) async fn open(shared: &Shared, kind: Kind, after: u64) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct Consumer {
            name: String,
            #[serde(default)]
            num_pending: u64,
        }
        let (client, connection) = shared.link.client().await.map_err(Failure::NotSent)?;
        let from = json!({ "deliver_policy": "by_start_sequence", "opt_start_seq": after.saturating_add(1) });
        let consumer: Consumer = shared.make_consumer(kind, from).await?;
        let inbox = client.new_inbox();
        let refusals = shared.link.refusals();
        let subscriber = client.subscribe(format!("{inbox}.*")).await;
        let subscriber = subscriber.map_err(|e| Failure::Unknown(e.to_string()))?;
        // A pull that is too small for the largest message would never end.
        let bytes = shared.options.batch_bytes.max(2 * client.max_payload());
        Ok(Self {
            kind,
            client,
            connection,
            subject: format!("$JS.API.CONSUMER.MSG.NEXT.{}.{}", shared.name(kind), consumer.name),
            consumer: consumer.name,
            inbox,
            subscriber,
            refusals,
            out: VecDeque::with_capacity(PULLS),
            pulls: 0,
            records: shared.options.batch_records,
            bytes,
            given: 0,
            pending: consumer.num_pending,
        })
    }

    /// The next message; waits for it. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Came, Lost> {
        loop {
            self.pull().await?;
            let coming = tokio::time::timeout(SILENCE, self.subscriber.next());
            let message = tokio::select! {
                biased;
                came = coming => match came {
                    Ok(Some(message)) => message,
                    Ok(None) => return away("the subscription ended"),
                    Err(_) => return away(format!("the server was silent for {SILENCE:?}")),
                },
                said = refusal_of(&mut self.refusals, &self.subject) => return Err(Lost::Refused(said)),
            };
            if let Some(came) = self.take(message)? {
                return Ok(came);
            }
        }
    }

    /// The next message, if it has arrived already.
    pub(super) fn next_now(&mut self) -> Result<Option<Came>, Lost> {
        while let Some(Some(message)) = self.subscriber.next().now_or_never() {
            if let Some(came) = self.take(message)? {
                return Ok(Some(came));
            }
        }
        Ok(None)
    }

    /// Sends pulls until enough are pending.
    pub(super) async fn pull(&mut self) -> Result<(), Lost> {
        while self.out.len() < PULLS {
            let request = json!({
                "batch": self.records,
                "max_bytes": self.bytes,
                "expires": nanoseconds(PULL_LIFE),
                "idle_heartbeat": nanoseconds(HEARTBEAT),
            });
            let number = self.pulls;
            let subject = self.subject.clone();
            let inbox = format!("{}.{number}", self.inbox);
            let sent = self.client.publish_with_reply(subject, inbox, Bytes::from(request.to_string())).await;
            sent.or_else(|e| away(e.to_string()))?;
            // Counted after it was sent: a cancelled call sends it again.
            self.pulls += 1;
            self.out.push_back(Out { number, left: self.records });
        }
        Ok(())
    }

    fn take(&mut self, message: Message) -> Result<Option<Came>, Lost> {
        if let Some(status) = message.status {
            return self.told(status, &message).map(|()| None);
        }
        let Some((place, given, pending)) = message.reply.as_deref().and_then(|reply| self.place(reply)) else {
            return away("a message arrived without its place");
        };
        if given != self.given + 1 {
            return away(format!("message {given} of the consumer came after {}", self.given));
        }
        self.given = given;
        // The server serves pulls in their order.
        if let Some(first) = self.out.front_mut() {
            first.left -= 1;
            if first.left == 0 {
                self.out.pop_front();
            }
        }
        Ok(Some(Came { place, pending, message }))
    }

    /// Handles the server's status for a pull.
    fn told(&mut self, status: StatusCode, message: &Message) -> Result<(), Lost> {
        let said = message.description.as_deref().unwrap_or_default();
        let ended = match status.as_u16() {
            100 => return Ok(()),
            // Timed out, or there was nothing yet: the first pull races with the consumer.
            404 | 408 => true,
            409 => said.contains("MaxBytes") || said.contains("Batch Completed"),
            _ => false,
        };
        if !ended {
            return away(format!("{} {said}", status.as_u16()));
        }
        let number = message.subject.rsplit('.').next().and_then(|number| number.parse::<u64>().ok());
        let Some(at) = self.out.iter().position(|out| Some(out.number) == number) else { return Ok(()) };
        let out = self.out.remove(at);
        // The pull was too small for a single message.
        if said.contains("Exceeds MaxBytes") && out.is_some_and(|out| out.left == self.records) {
            self.bytes = self.bytes.saturating_mul(2).min(LARGEST_PULL);
        }
        Ok(())
    }

    /// Parses the subject for an acknowledgement:
    /// `$JS.ACK.[domain.account.]stream.consumer.delivered.sequence.given.time.pending[.random]`.
    fn place(&self, reply: &str) -> Option<(Place, u64, u64)> {
        let rest = reply.strip_prefix("$JS.ACK.")?;
        let skip = match rest.split('.').count() {
            7 => 3,
            9.. => 5,
            _ => return None,
        };
        let mut numbers = rest.split('.').skip(skip).map(str::parse::<u64>);
        let mut number = || numbers.next()?.ok();
        let (offset, given, time, pending) = (number()?, number()?, number()?, number()?);
        let time = i64::try_from(time / 1_000_000).ok()?;
        Some((Place { partition: self.kind.partition(), offset, time }, given, pending))
    }

    /// Removes the consumer.
    pub(super) async fn close(self, shared: &Shared) {
        shared.remove_consumer(self.kind, &self.consumer).await;
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
