//! The login at the broker, which changes while the node runs: tried first, and kept as it was if it is of no use.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::super::broker::Logins;
use crate::config::{BrokerKind, Config};
use crate::socket::App;

/// Who a node that runs is to its broker.
pub(super) struct BrokerLogin {
    file: PathBuf,
    logins: Logins,
    app: Arc<App>,
    /// What the node has logged in with.
    used: Said,
    /// What the files said last.
    wanted: Said,
    /// Why that is of no use, as it was logged.
    fault: Option<String>,
}

/// What a configuration says of the login, and what the files hold that it names.
struct Said {
    kind: BrokerKind,
    contents: Vec<Vec<u8>>,
}

impl Said {
    fn of(kind: BrokerKind) -> Self {
        Self { contents: contents(&kind), kind }
    }

    fn is(&self, other: &Self) -> bool {
        self.kind.has_login_of(&other.kind) && self.contents == other.contents
    }
}

/// The contents of the files of a login; an unreadable one is empty.
fn contents(kind: &BrokerKind) -> Vec<Vec<u8>> {
    kind.login_files().iter().map(|file| std::fs::read(file).unwrap_or_default()).collect()
}

impl BrokerLogin {
    /// The one that the node was started with.
    pub(super) fn new(file: &Path, kind: &BrokerKind, logins: Logins, app: Arc<App>) -> Self {
        let said = || Said::of(kind.clone());
        Self { file: file.to_owned(), logins, app, used: said(), wanted: said(), fault: None }
    }

    /// Whether there is one that may change.
    pub(super) fn is_any(&self) -> bool {
        !matches!(self.logins, Logins::None)
    }

    /// Takes what a configuration says that was read again.
    pub(super) async fn reload(&mut self, kind: BrokerKind) {
        self.wanted = Said::of(kind);
        self.try_wanted().await;
    }

    /// Reads the configuration again if a file of the login has changed, and tries again what was in vain: the broker may
    /// have been away, or know the new login a moment later than the node.
    pub(super) async fn look(&mut self) {
        if self.fault.is_none() && contents(&self.wanted.kind) == self.wanted.contents {
            return;
        }
        match Config::load(&self.file) {
            Ok(config) => self.reload(config.broker.kind).await,
            Err(faults) => {
                let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
                self.refuse(said.join("; "));
            }
        }
    }

    async fn try_wanted(&mut self) {
        if self.wanted.is(&self.used) {
            self.fault = None;
            return self.app.metrics.set_broker_login_refused(false);
        }
        match self.logins.log_in(&self.wanted.kind).await {
            Ok(()) => {
                tracing::info!("logged in to the broker anew");
                self.used = Said { kind: self.wanted.kind.clone(), contents: self.wanted.contents.clone() };
                self.fault = None;
                self.app.metrics.broker_login_changed("replaced");
                self.app.metrics.set_broker_login_refused(false);
            }
            Err(fault) => self.refuse(fault),
        }
    }

    /// The login before stays. The same reason is logged once.
    fn refuse(&mut self, fault: String) {
        if self.fault.as_ref() != Some(&fault) {
            tracing::error!(fault, "the changed login at the broker is of no use: the one before stays");
            self.app.metrics.broker_login_changed("faulty");
        }
        self.fault = Some(fault);
        self.app.metrics.set_broker_login_refused(true);
    }
}
