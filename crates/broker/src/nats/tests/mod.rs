//! Against real servers: the contract, restarts, refusals, and NATS's own features.

mod access;
mod cluster;
mod contract;
mod credentials;
mod durability;
mod foreign;
mod logins;
mod outages;
mod races;
mod refusals;
mod relay;
mod server;

use bytes::Bytes;

use crate::message::{Message, Stream};

fn event(id: &str) -> Message {
    Message {
        stream: Stream::Events,
        org: Some("acme".into()),
        topic: "license.LicenseUpdated".into(),
        key: None,
        id: id.into(),
        headers: vec![("ce-id".into(), id.into())],
        body: Bytes::from_static(b"body"),
    }
}

fn state(key: &str, id: &str) -> Message {
    Message { stream: Stream::State, topic: "license.FlagToggled".into(), key: Some(key.into()), ..event(id) }
}
