//! The interface for embedders: Rust code behind a hub. Without the feature `embed`, `no_handler.rs` takes its place.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use fanfare_signalr::{Outcome, Value};
use http::HeaderMap;
use http::request::Parts;
use thiserror::Error;
use tokio::sync::mpsc;

use super::Signature;

/// The code behind a hub.
pub type HubCode = Arc<dyn Handler>;

/// The code behind each hub that has any, by the hub's path.
#[derive(Clone, Default)]
pub struct Handlers(HashMap<Arc<str>, HubCode>);

impl Handlers {
    /// Puts code behind the hub at a path.
    pub(super) fn register(&mut self, hub: Arc<str>, code: HubCode) {
        self.0.insert(hub, code);
    }

    /// The code behind a hub that has a method of this name, and how the method is called.
    pub(super) fn find(&self, hub: &str, target: &str) -> Option<(HubCode, Signature)> {
        let code = self.0.get(hub)?;
        Some((Arc::clone(code), code.signature(target)?))
    }

    /// What is kept of the request that opens a connection: nothing without code that may ask for it.
    pub(super) fn request(&self, hub: &str, parts: &Parts) -> Option<Arc<Request>> {
        self.0.contains_key(hub).then(|| {
            let query = parts.uri.query().unwrap_or_default().to_owned();
            Arc::new(Request { headers: parts.headers.clone(), query })
        })
    }
}

/// The request that opened a connection's transport.
#[derive(Debug, Clone)]
pub struct Request {
    /// Its headers.
    pub headers: HeaderMap,
    /// Its query string.
    pub query: String,
}

/// A stream that the client uploads: items until the end, or its error.
#[derive(Debug)]
pub struct Upload(pub(crate) mpsc::Receiver<Result<Value<'static>, String>>);

impl Upload {
    /// The next item; nothing at the end, the client's error text if it failed.
    pub async fn next(&mut self) -> Option<Result<Value<'static>, String>> {
        self.0.recv().await
    }
}

/// The arguments and context of a call.
#[derive(Debug)]
pub struct Arguments {
    /// The method's name, in the client's case.
    pub target: String,
    /// The arguments.
    pub values: Vec<Value<'static>>,
    /// The streams that the client uploads.
    pub uploads: Vec<Upload>,
}

/// The connection has ended, so nothing more can be done on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the connection has ended")]
pub struct Gone;

/// The connection that calls.
#[async_trait(?Send)]
pub trait Caller {
    /// Its public id.
    fn connection_id(&self) -> String;
    /// The name of its transport.
    fn transport(&self) -> &'static str;
    /// The request that opened it.
    fn request(&self) -> Option<&Request>;
    /// Invokes a client method without an answer, waiting for room.
    async fn push(&self, target: &str, arguments: &[Value<'_>]) -> Result<(), Gone>;
    /// Sends the next item of the stream that the call asked for, waiting for room.
    async fn item(&self, item: Value<'_>) -> Result<(), Gone>;
    /// Waits until the client cancels the stream or leaves.
    async fn cancelled(&self);
}

/// Code behind a hub.
#[async_trait(?Send)]
pub trait Handler: Send + Sync + 'static {
    /// How a method is called; nothing if there is no such method. Names come in the client's case.
    fn signature(&self, target: &str) -> Option<Signature>;
    /// Carries out a call; an error is the text of the Completion.
    async fn call(&self, caller: &dyn Caller, arguments: Arguments) -> Result<Outcome<'static>, String>;
}
