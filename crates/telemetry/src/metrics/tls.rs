//! What a node counts of its certificates, and of its login at the broker.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::fanout::FanoutMetrics;
use super::labels::{ListenerLabel, OutcomeLabel};
use super::names;
use super::shape::{Counters, Gauges, registered};

/// The metrics of certificates and logins.
#[derive(Clone, Debug)]
pub(super) struct TlsMetrics {
    expires: Gauges<ListenerLabel>,
    reloads: Counters<OutcomeLabel>,
    logins: Counters<OutcomeLabel>,
    login_refused: Gauge,
}

impl TlsMetrics {
    pub(super) fn new(r: &mut Registry) -> Self {
        Self {
            expires: registered(r, names::CERTIFICATE_EXPIRES, "When the certificate in use expires"),
            reloads: registered(r, names::CERTIFICATE_RELOADS, "Reloads of changed certificate files"),
            logins: registered(r, names::BROKER_LOGINS, "Times that the login at the broker had changed"),
            login_refused: registered(
                r,
                names::BROKER_LOGIN_REFUSED,
                "1 while the login that is configured is of no use, and the one before is used",
            ),
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

    /// The login at the broker had changed, and is used or not.
    pub fn broker_login_changed(&self, outcome: &'static str) {
        self.tls.logins.get_or_create(&OutcomeLabel { outcome }).inc();
    }

    /// Whether the login that is configured is of no use.
    pub fn set_broker_login_refused(&self, refused: bool) {
        self.tls.login_refused.set(refused.into());
    }
}
