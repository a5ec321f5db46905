//! The metrics of a node's certificates.

use prometheus_client::registry::Registry;

use super::fanout::FanoutMetrics;
use super::labels::{ListenerLabel, OutcomeLabel};
use super::names;
use super::shape::{Counters, Gauges, registered};

/// The metrics of certificates.
#[derive(Clone, Debug)]
pub(super) struct TlsMetrics {
    expires: Gauges<ListenerLabel>,
    reloads: Counters<OutcomeLabel>,
}

impl TlsMetrics {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            expires: registered(r, names::CERTIFICATE_EXPIRES, "When the certificate in use expires"),
            reloads: registered(r, names::CERTIFICATE_RELOADS, "Reloads of changed certificate files"),
        }
    }
}

impl FanoutMetrics {
    /// Sets when the certificate of a listener, or the node's client certificate, expires, in seconds since 1970.
    pub fn set_certificate_expires(&self, listener: &'static str, unix_seconds: i64) {
        self.tls.expires.get_or_create(&ListenerLabel { listener }).set(unix_seconds);
    }

    /// Counts a reload of changed certificate files, by outcome.
    pub fn certificates_reloaded(&self, outcome: &'static str) {
        self.tls.reloads.get_or_create(&OutcomeLabel { outcome }).inc();
    }
}
