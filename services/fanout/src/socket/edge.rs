//! The limits of the HTTP edge for one client, and what it logs about refused requests.

use std::hash::{BuildHasher as _, RandomState};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::request::Parts;

use super::body::BodyReader;
use super::client;
use super::forward::Forwarder;
use super::handshakes::Handshakes;
use super::origin::{Allowed, Origins};
use super::port::Port;
use super::seat::Seats;
use crate::config::{Config, EdgeLimits, ListenerTls, NodeTls, OriginPatterns};
use crate::limit::{Capacity, Decision, KeyedBuckets, Sampled, TrustedProxies, of_network};
use crate::tls::{Known, Prepared, Server, Trust};

/// Certificates, and whom to trust, that are to take the place of those in use.
#[derive(Debug)]
pub(crate) struct OtherTls {
    listeners: [Option<Prepared>; 2],
    peers: Arc<Known>,
}

/// The rules of the HTTP edge, as one node has them.
#[derive(Debug)]
pub struct Edge {
    /// The room of the node.
    pub(super) capacity: Capacity,
    /// The trusted proxies.
    pub(super) proxies: TrustedProxies,
    /// The origins whose pages may open WebSockets.
    pub(super) origins: Origins,
    /// The connections.
    pub(super) seats: Arc<Seats>,
    /// Reads bodies.
    pub(super) bodies: BodyReader,
    /// Forwards requests to the nodes that have their connections.
    pub(crate) forwarder: Forwarder,
    /// Whom this node trusts among those that it asks over TLS.
    pub(crate) trust: Arc<Trust>,
    /// The TCP connections of the public port.
    pub(super) public: Arc<Port>,
    /// The TCP connections of the operator's port.
    pub(super) operator: Arc<Port>,
    failed_tokens: Mutex<Option<KeyedBuckets>>,
    keys: RandomState,
    lines: Arc<Mutex<Sampled>>,
}

impl Edge {
    /// The rules of a configuration on a node with this much room.
    ///
    /// # Errors
    /// Why its TLS cannot be used.
    pub fn new(config: &Config, capacity: Capacity) -> Result<Self, String> {
        let (limits, tls) = (&config.limits.edge, &config.node.tls);
        let prepared = |of: &Option<ListenerTls>| of.as_ref().map(|tls| Prepared::new(&tls.listening)).transpose();
        let server = |of: &Option<ListenerTls>| Ok::<_, String>(prepared(of)?.map(Server::new));
        let proxies = config.node.trusted_proxies.clone().unwrap_or_default();
        let of_clients = Handshakes::new(limits.handshake_rate(), proxies.clone());
        // Whoever reaches the operator's port is the platform's own.
        let of_operators = Handshakes::new(None, proxies.clone());
        let trust = Trust::new(tls.peers.as_ref().map(|peers| peers.asking.clone()).unwrap_or_default())?;
        Ok(Self {
            capacity,
            proxies,
            origins: Origins { others: Allowed::new(config.cors.origins.clone()), hosts: config.node.hosts.clone() },
            seats: Seats::new(limits.connect_bounds(capacity.connections)),
            bodies: BodyReader::new(limits.body_bounds(), limits.body),
            forwarder: Forwarder::new(capacity.forwarded, limits.head, trust.client()?),
            trust,
            public: Port::new(capacity.public, capacity.http, limits.head, server(&tls.hubs)?, of_clients),
            operator: Port::new(
                capacity.operator,
                capacity.operator,
                limits.head,
                server(&tls.operator)?,
                of_operators,
            ),
            failed_tokens: Mutex::new(limits.failed_token_rate().map(KeyedBuckets::new)),
            keys: RandomState::new(),
            lines: Arc::default(),
        })
    }

    /// Other certificates, and others to trust; ready to be used.
    ///
    /// # Errors
    /// Why they cannot be used.
    pub(crate) fn prepare_tls(&self, tls: &NodeTls) -> Result<OtherTls, String> {
        let prepared = |of: &Option<ListenerTls>| of.as_ref().map(|tls| Prepared::new(&tls.listening)).transpose();
        let asking = tls.peers.as_ref().map(|peers| peers.asking.clone()).unwrap_or_default();
        let (listeners, peers) = ([prepared(&tls.hubs)?, prepared(&tls.operator)?], Known::new(asking)?);
        Ok(OtherTls { listeners, peers })
    }

    /// Uses these from the next handshake on.
    pub(crate) fn use_tls(&self, other: OtherTls) {
        for (port, prepared) in [&self.public, &self.operator].into_iter().zip(other.listeners) {
            if let (Some(server), Some(prepared)) = (port.tls(), prepared) {
                server.replace(prepared);
            }
        }
        self.trust.replace(other.peers);
    }

    /// New limits from now on, except the time for a request head. Open connections stay.
    pub(crate) fn set_limits(&self, limits: &EdgeLimits) {
        self.seats.set_bounds(limits.connect_bounds(self.capacity.connections));
        self.bodies.set_bounds(limits.body_bounds(), limits.body);
        self.public.handshakes.set_rate(limits.handshake_rate());
        let (rate, mut failed) = (limits.failed_token_rate(), locked(&self.failed_tokens));
        // Otherwise a change of another limit would forgive wrong tokens so far.
        if failed.as_ref().map(KeyedBuckets::rate) != rate {
            *failed = rate.map(KeyedBuckets::new);
        }
    }

    /// New origins whose pages may use the hubs from now on.
    pub(crate) fn set_origins(&self, origins: OriginPatterns) {
        self.origins.others.set(origins);
    }

    /// The most connections that there may be.
    pub(crate) fn most_connections(&self) -> usize {
        self.capacity.connections
    }

    /// The TCP connections of the public port.
    #[must_use]
    pub fn public_port(&self) -> Arc<Port> {
        Arc::clone(&self.public)
    }

    /// Where a request comes from, as far as it is known.
    pub(super) fn address(&self, parts: &Parts) -> Option<IpAddr> {
        client::address(&self.proxies, parts)
    }

    /// Whether a token of this address is looked at at all.
    ///
    /// # Errors
    /// How long not, as too many of the address were wrong.
    pub(super) fn check_tokens_of(&self, address: Option<IpAddr>) -> Result<(), Duration> {
        match (&*locked(&self.failed_tokens), address) {
            (Some(failed), Some(address)) => failed.check(self.key(address), Instant::now()),
            _ => Ok(()),
        }
    }

    /// A token of this address was wrong.
    pub(super) fn token_failed(&self, address: Option<IpAddr>) {
        if let (Some(failed), Some(address)) = (&mut *locked(&self.failed_tokens), address) {
            // Beyond the rate there is nothing to take, and no further token is looked at.
            let _ = failed.take(self.key(address), Instant::now());
        }
    }

    fn key(&self, address: IpAddr) -> u64 {
        self.keys.hash_one(of_network(address))
    }

    /// Whether a log line of this kind is written: a flood of refusals must not become a flood of lines. The number
    /// left out is logged at the end of the minute.
    pub(super) fn may_say(&self, kind: &'static str) -> bool {
        match locked(&self.lines).say(kind, Instant::now()) {
            Decision::Write => true,
            Decision::LeftOut => false,
            Decision::FirstLeftOut(wait) => {
                let lines = Arc::clone(&self.lines);
                tokio::spawn(async move {
                    tokio::time::sleep(wait).await;
                    let left_out = locked(&lines).left_out(kind);
                    tracing::warn!(kind, left_out, "further refusals of this kind within a minute were not logged");
                });
                false
            }
        }
    }
}

/// Locks what each call leaves in order, so that a panic elsewhere does not spoil it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
