//! The four streams: their requirements, their check, and creating the missing ones.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::request::{Failure, STORE_NOT_MADE, STREAM_NAME_IN_USE, STREAM_NOT_FOUND, SUBJECTS_OVERLAP};
use super::{EVENTS, STATE, Shared, durability, subject, time};
use crate::error::BrokerError;
use crate::letter::LETTERS_KEPT;

/// One of the streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Events,
    State,
    DeadLetters,
    /// The nodes' records.
    Nodes,
}

impl Kind {
    pub(super) fn of(partition: u32) -> Self {
        if partition == STATE { Self::State } else { Self::Events }
    }

    pub(super) fn partition(self) -> u32 {
        if self == Self::State { STATE } else { EVENTS }
    }
}

/// The server's description of a stream.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Info {
    pub(super) config: Config,
    /// When the stream was created, as the server writes it.
    pub(super) created: String,
    pub(super) state: State,
    /// The server's clock; servers before 2.10 do not send it.
    #[serde(default)]
    ts: String,
}

impl Info {
    /// The server's time in milliseconds, or this process's if the server does not send it.
    pub(super) fn now(&self) -> i64 {
        if self.ts.is_empty() { time::now() } else { time::milliseconds(&self.ts) }
    }
}

/// The needed part of a stream's configuration.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Config {
    pub(super) subjects: Vec<String>,
    pub(super) retention: String,
    /// Nanoseconds; 0 means forever.
    pub(super) max_age: u64,
    pub(super) max_msgs: i64,
    pub(super) max_bytes: i64,
    pub(super) max_msgs_per_subject: i64,
    pub(super) storage: String,
    pub(super) discard: String,
    pub(super) allow_msg_ttl: bool,
    pub(super) num_replicas: usize,
    /// Servers before 2.12 have only their default.
    pub(super) persist_mode: String,
    /// The stream that this one is a copy of.
    pub(super) mirror: Option<Mirror>,
}

/// What a mirror copies.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Mirror {
    name: String,
}

/// The content of a stream.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct State {
    pub(super) messages: u64,
    pub(super) first_seq: u64,
    pub(super) last_seq: u64,
    pub(super) last_ts: String,
    /// The requested subjects, with their numbers of messages.
    pub(super) subjects: Option<HashMap<String, u64>>,
}

/// The two streams of the log.
pub(super) struct Streams {
    pub(super) events: Info,
    pub(super) state: Info,
}

impl Streams {
    /// The incarnation of the log: it changes if either stream is recreated.
    pub(super) fn incarnation(&self) -> u64 {
        // FNV-1a, because the number must be the same in every version of this program.
        let bytes = self.events.created.bytes().chain([b'/']).chain(self.state.created.bytes());
        bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
    }

    pub(super) fn of(&self, partition: u32) -> &Info {
        if partition == STATE { &self.state } else { &self.events }
    }
}

impl Shared {
    /// The name of a stream.
    pub(super) fn name(&self, kind: Kind) -> String {
        let suffix = match kind {
            Kind::Events => "events",
            Kind::State => "state",
            Kind::DeadLetters => "deadletter",
            Kind::Nodes => "nodes",
        };
        format!("{}-{suffix}", self.options.prefix)
    }

    /// The subjects of a stream.
    pub(super) fn subjects(&self, kind: Kind) -> String {
        match kind {
            Kind::Events => format!("{}.>", subject::EVENTS),
            Kind::State => format!("{}.>", subject::STATE),
            Kind::DeadLetters => format!("{}.deadletter.>", self.options.prefix),
            Kind::Nodes => format!("{}.nodes.>", self.options.prefix),
        }
    }

    /// Both streams of the log as they are now, checked, and created if they were missing.
    pub(super) async fn streams(&self) -> Result<Streams, BrokerError> {
        let letters = async {
            if !self.checked.letters.load(Ordering::Acquire) {
                self.stream(Kind::DeadLetters).await?;
                self.checked.letters.store(true, Ordering::Release);
            }
            Ok(())
        };
        let (events, state) = (self.stream(Kind::Events), self.stream(Kind::State));
        let (events, state, (), _) = tokio::try_join!(events, state, letters, self.check_nodes())?;
        Ok(Streams { events, state })
    }

    /// Checks the streams of the log once. True if a tombstone may expire.
    pub(super) async fn check_publishing(&self) -> Result<bool, BrokerError> {
        if !self.checked.publishing.load(Ordering::Acquire) {
            let (_, state) = tokio::try_join!(self.stream(Kind::Events), self.stream(Kind::State))?;
            self.checked.expiry.store(state.config.allow_msg_ttl, Ordering::Release);
            self.checked.publishing.store(true, Ordering::Release);
        }
        Ok(self.checked.expiry.load(Ordering::Acquire))
    }

    /// Checks the nodes' stream once. True if a removal may expire.
    pub(super) async fn check_nodes(&self) -> Result<bool, BrokerError> {
        if !self.checked.nodes.load(Ordering::Acquire) {
            let nodes = self.stream(Kind::Nodes).await?;
            self.checked.nodes_expire.store(nodes.config.allow_msg_ttl, Ordering::Release);
            self.checked.nodes.store(true, Ordering::Release);
        }
        Ok(self.checked.nodes_expire.load(Ordering::Acquire))
    }

    /// Forgets the check: a stream that is gone may come back with other settings.
    pub(super) fn check_again(&self) {
        self.checked.publishing.store(false, Ordering::Release);
        self.checked.letters.store(false, Ordering::Release);
        self.checked.nodes.store(false, Ordering::Release);
    }

    /// Checks one stream, and creates it if it was missing.
    pub(super) async fn stream(&self, kind: Kind) -> Result<Info, BrokerError> {
        // Read before the request: others may create the stream between its answer and now.
        let was_there = self.checked.was_seen(kind);
        let found = self.info(kind, &Value::Null).await;
        let info = match found {
            Err(failure) if failure.is(STREAM_NOT_FOUND) => {
                if was_there && self.checked.is_just_gone(kind) {
                    return Err(BrokerError::Unavailable(format!("stream {} was removed", self.name(kind))));
                }
                self.make(kind).await?
            }
            found => found.map_err(Failure::into_broker_error)?,
        };
        self.checked.seen(kind);
        self.check(kind, &info.config)?;
        // A server that was replaced behind the connection may have another version than the first.
        let version = self.link.version();
        if let Some(refused) = version.as_deref().and_then(durability::refused_version) {
            return Err(BrokerError::Refused(refused));
        }
        let risks = durability::risks(&self.name(kind), &info.config, self.options.replicas, version.as_deref());
        if let (true, Some(risk)) = (self.options.strict, risks.first()) {
            return Err(BrokerError::Refused(format!("{} (strict = true)", risk.reason)));
        }
        self.checked.found(kind, risks);
        Ok(info)
    }

    pub(super) async fn info(&self, kind: Kind, what: &Value) -> Result<Info, Failure> {
        self.api(&format!("STREAM.INFO.{}", self.name(kind)), what).await
    }

    async fn make(&self, kind: Kind) -> Result<Info, BrokerError> {
        let name = self.name(kind);
        if !self.options.create {
            let wanted = self.wanted_in_words(kind);
            return Err(BrokerError::Refused(format!(
                "there is no stream {name}, and this process is configured not to create it; it needs {wanted}"
            )));
        }
        let made = self.api::<Info>(&format!("STREAM.CREATE.{name}"), &self.wanted(kind).await?).await;
        match made {
            Ok(info) => {
                tracing::info!(stream = name, "stream made");
                Ok(info)
            }
            // Another node was faster.
            Err(failure) if failure.is(STREAM_NAME_IN_USE) => {
                self.info(kind, &Value::Null).await.map_err(Failure::into_broker_error)
            }
            Err(Failure::Forbidden(said)) => Err(BrokerError::Refused(format!(
                "there is no stream {name}, and this login may not create it: {said}; it needs {}",
                self.wanted_in_words(kind)
            ))),
            Err(failure) if failure.is(SUBJECTS_OVERLAP) => {
                let subjects = self.subjects(kind);
                let others = self.streams_of(&subjects).await;
                Err(BrokerError::Refused(format!(
                    "stream {name} cannot be made: its subjects {subjects} are taken by {others}"
                )))
            }
            Err(Failure::Fault(fault)) if fault.code != 503 && fault.err_code != STORE_NOT_MADE => {
                Err(BrokerError::Refused(format!(
                    "stream {name} cannot be made: {} ({})",
                    fault.description, fault.err_code
                )))
            }
            Err(other) => Err(other.into_broker_error()),
        }
    }

    /// Describes the streams that have some of these subjects.
    async fn streams_of(&self, subjects: &str) -> String {
        #[derive(Deserialize)]
        struct Names {
            #[serde(default)]
            streams: Option<Vec<String>>,
        }
        let names = self.api::<Names>("STREAM.NAMES", &json!({ "subject": subjects })).await;
        match names.ok().and_then(|names| names.streams) {
            Some(names) if !names.is_empty() => format!("stream {}", names.join(", ")),
            _ => "another stream".to_owned(),
        }
    }

    async fn wanted(&self, kind: Kind) -> Result<Value, BrokerError> {
        let o = &self.options;
        let mut wanted = json!({
            "name": self.name(kind),
            "subjects": [self.subjects(kind)],
            "retention": "limits",
            "storage": "file",
            "discard": "old",
            "num_replicas": o.replicas,
            "max_consumers": -1,
            "max_msgs": -1,
            "max_bytes": -1,
            "max_msg_size": -1,
            "max_age": 0,
            "max_msgs_per_subject": -1,
            "duplicate_window": nanoseconds(o.dedup),
            "allow_direct": true,
        });
        match kind {
            Kind::Events => {
                wanted["max_age"] = nanoseconds(o.retention_age).into();
                if o.retention_bytes > 0 {
                    wanted["max_bytes"] = o.retention_bytes.into();
                }
            }
            Kind::State | Kind::Nodes => {
                wanted["max_msgs_per_subject"] = 1.into();
                let (client, _) = self.link.client().await?;
                if client.is_server_compatible(2, 11, 0) {
                    wanted["allow_msg_ttl"] = true.into();
                }
            }
            Kind::DeadLetters => {
                // Not "discard new per subject": a full stream would then refuse all letters. The first letter about a
                // record stays because each is written only if there is none.
                wanted["max_msgs_per_subject"] = 1.into();
                wanted["max_msgs"] = LETTERS_KEPT.into();
            }
        }
        Ok(wanted)
    }

    fn wanted_in_words(&self, kind: Kind) -> String {
        let subjects = self.subjects(kind);
        match kind {
            Kind::Events => {
                format!("the subjects {subjects}, limits retention, and a max_age of {:?}", self.options.retention_age)
            }
            Kind::State | Kind::Nodes => {
                format!("the subjects {subjects}, limits retention, 1 message per subject, and no other limit")
            }
            Kind::DeadLetters => format!("the subjects {subjects}, limits retention, and 1 message per subject"),
        }
    }

    /// Compares a stream with its requirements.
    fn check(&self, kind: Kind, config: &Config) -> Result<(), BrokerError> {
        let name = self.name(kind);
        let refused = |has: String, right: String| {
            Err(BrokerError::Refused(format!("stream {name} has {has}; it must have {right}")))
        };
        let subjects = self.subjects(kind);
        // Nodes read by subjects, which a mirror does not have; nor may it get any.
        if let Some(Mirror { name: other }) = &config.mirror {
            return refused(
                format!("no subjects, since it is a mirror of {other}"),
                format!("{subjects} and no other, with {other} among its `sources` instead of as its `mirror`"),
            );
        }
        if config.subjects != [subjects.as_str()] {
            let has = if config.subjects.is_empty() { "none".into() } else { config.subjects.join(", ") };
            return refused(format!("the subjects {has}"), format!("{subjects} and no other"));
        }
        if let Some(mode) = durability::refused_mode(config) {
            return refused(mode.into(), "persist_mode default".into());
        }
        if config.retention != "limits" {
            return refused(format!("{} retention", config.retention), "limits retention".into());
        }
        let per_subject = config.max_msgs_per_subject;
        let age = Duration::from_nanos(config.max_age);
        match kind {
            Kind::Events => {
                if per_subject > 0 {
                    return refused(format!("at most {per_subject} messages per subject"), "no such limit".into());
                }
                let window = self.options.window;
                if config.max_age > 0 && age < window {
                    let right = format!("one of at least the replay window of {window:?}, or none");
                    return refused(format!("a max_age of {age:?}"), right);
                }
            }
            Kind::State | Kind::Nodes => {
                if per_subject != 1 {
                    return refused(format!("max_msgs_per_subject {per_subject}"), "1, the newest".into());
                }
                if config.max_age > 0 {
                    return refused(format!("a max_age of {age:?}"), "none: state outlives it".into());
                }
                if config.max_msgs > 0 || config.max_bytes > 0 {
                    return refused("a limit of messages or bytes".into(), "none: state would be lost".into());
                }
                if config.discard == "new" {
                    return refused("discard new".into(), "discard old: else nothing can change".into());
                }
            }
            Kind::DeadLetters => {
                if per_subject != 1 {
                    return refused(format!("max_msgs_per_subject {per_subject}"), "1: one letter per record".into());
                }
            }
        }
        Ok(())
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
