//! The TCP connections of a port, and which of them are closed to make room.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::handshakes::Handshakes;
use crate::limit::{Full, HttpConnections, HttpKey};
use crate::tls::Server;

/// The most bytes of request heads that are not whole yet.
const HEAD_BYTES: usize = 32 << 20;

/// The TCP connections of one port.
#[derive(Debug)]
pub struct Port {
    /// How long a connection may wait for a request, and a client may take for its head.
    pub(super) patience: Duration,
    /// The handshake on its connections before HTTP; none without TLS.
    tls: Option<Server>,
    /// Who may ask for how many handshakes of TLS.
    pub(super) handshakes: Handshakes,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    rule: HttpConnections,
    /// How those that are still HTTP are told to close.
    served: HashMap<HttpKey, Arc<Notify>>,
}

/// The place of one TCP connection; gone with it.
#[derive(Debug)]
pub(super) struct Place {
    port: Arc<Port>,
    key: HttpKey,
}

impl Port {
    /// A port with at most so many TCP connections, of which `most_waiting` wait for a request, each at most for so long.
    #[must_use]
    pub fn new(
        most: usize,
        most_waiting: usize,
        patience: Duration,
        tls: Option<Server>,
        handshakes: Handshakes,
    ) -> Arc<Self> {
        let rule = HttpConnections::new(most, most_waiting, HEAD_BYTES);
        Arc::new(Self { patience, tls, handshakes, inner: Mutex::new(Inner { rule, served: HashMap::new() }) })
    }

    /// The handshake on its connections before HTTP.
    pub(crate) fn tls(&self) -> Option<&Server> {
        self.tls.as_ref()
    }

    /// How many TCP connections there are.
    #[must_use]
    pub fn open(&self) -> usize {
        self.inner().rule.open()
    }

    /// Takes a connection; with what tells another one to close for it.
    pub(super) fn arrive(self: &Arc<Self>) -> Result<(Arc<Place>, Arc<Notify>), Full> {
        let mut inner = self.inner();
        let (key, gives_way) = inner.rule.arrive()?;
        let told = Arc::new(Notify::new());
        inner.served.insert(key, Arc::clone(&told));
        inner.tell(gives_way);
        Ok((Arc::new(Place { port: Arc::clone(self), key }), told))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Each call leaves the counts in order, so a panic elsewhere does not spoil them.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn tell(&self, gives_way: Option<HttpKey>) {
        if let Some(told) = gives_way.and_then(|key| self.served.get(&key)) {
            told.notify_one();
        }
    }
}

impl Place {
    /// It waits for a request.
    pub(super) fn wait(&self) {
        let mut inner = self.port.inner();
        let gives_way = inner.rule.wait(self.key);
        inner.tell(gives_way);
    }

    /// It has sent so many bytes.
    pub(super) fn receive(&self, bytes: usize) {
        let mut inner = self.port.inner();
        let gives_way = inner.rule.receive(self.key, bytes);
        inner.tell(gives_way);
    }

    /// It has sent the whole head of a request.
    pub(super) fn begin(&self) {
        self.port.inner().rule.begin(self.key);
    }

    /// It is not HTTP any more.
    pub(super) fn upgrade(&self) {
        self.port.inner().served.remove(&self.key);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut inner = self.port.inner();
        inner.rule.leave(self.key);
        inner.served.remove(&self.key);
    }
}
