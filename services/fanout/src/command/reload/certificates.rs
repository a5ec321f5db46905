//! Certificates and keys that change while the node runs: checked first, and kept as they were if a file has a fault.

use std::collections::HashMap;
use std::sync::Arc;

use crate::clock::unix_seconds;
use crate::config::NodeTls;
use crate::socket::{App, OtherTls};
use crate::tls::Age;

/// The certificates of a node that runs.
pub(super) struct Certificates {
    now: NodeTls,
    app: Arc<App>,
    /// The contents of the files when they were last read.
    seen: Vec<u8>,
    /// What has been logged about the age of each.
    told: HashMap<&'static str, Age>,
}

impl Certificates {
    /// Those that the node was started with.
    pub(super) fn new(now: NodeTls, app: Arc<App>) -> Self {
        let mut certificates = Self { seen: now.digest(), now, app, told: HashMap::new() };
        certificates.tell_ages();
        certificates
    }

    /// Whether there are any.
    pub(super) fn are_any(&self) -> bool {
        let NodeTls { hubs, operator, peers } = &self.now;
        hubs.is_some() || operator.is_some() || peers.is_some()
    }

    /// What is to take the place of those in use, if a configuration that was read again says others.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn check(&self, tls: &NodeTls) -> Result<Option<OtherTls>, String> {
        let other = (!tls.is_same(&self.now)).then(|| self.app.edge.prepare_tls(tls));
        other.transpose().map_err(|error| format!("TLS cannot be set up: {error}"))
    }

    /// Uses what was checked.
    pub(super) fn replace(&mut self, tls: NodeTls, other: OtherTls) {
        self.app.edge.use_tls(other);
        self.seen = tls.digest();
        self.now = tls;
        self.told.clear();
        for shown in self.now.shown() {
            let until = shown.validity.until;
            tracing::info!(listener = shown.by, file = %shown.path.display(), until, "certificate or key replaced");
        }
        self.tell_ages();
    }

    /// Reads the files again if their content has changed: renewals come without a signal.
    pub(super) fn look(&mut self) {
        let found = self.now.digest();
        if found != self.seen {
            self.seen = found;
            self.read_again();
        }
        self.tell_ages();
    }

    fn read_again(&mut self) {
        let read = self.now.read_again().map_err(|fault| fault.to_string());
        let checked = read.and_then(|tls| self.check(&tls).map(|other| (tls, other)));
        match checked {
            Ok((tls, Some(other))) => {
                self.app.metrics.certificates_reloaded("replaced");
                self.replace(tls, other);
            }
            Ok((_, None)) => {}
            Err(fault) => {
                self.app.metrics.certificates_reloaded("faulty");
                tracing::error!(fault, "the changed certificates have a fault: those before stay in use");
            }
        }
    }

    /// Logs how long each is valid, and warns once if that is not long.
    fn tell_ages(&mut self) {
        let now = unix_seconds();
        for shown in self.now.shown() {
            self.app.metrics.set_certificate_expires(shown.by, shown.validity.until);
            let age = shown.validity.at(now);
            let is_news = self.told.insert(shown.by, age) != Some(age);
            if let Some(fault) = shown.validity.fault_at(now).filter(|_| is_news) {
                tracing::warn!(listener = shown.by, file = %shown.path.display(), "{fault}");
            }
        }
    }
}
