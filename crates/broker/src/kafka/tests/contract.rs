//! The contract of all brokers, on one server that the rules share.

use std::sync::Arc;

use async_trait::async_trait;

use super::{open, options, shared};
use crate::broker::Broker;
use crate::contract::{Abilities, Fixture};
use crate::kafka::Options;

/// Topics of their own on the shared server.
struct Topics(Result<Options, String>);

#[async_trait]
impl Fixture for Topics {
    async fn open(&self) -> Arc<dyn Broker> {
        Arc::new(open(self.0.as_ref().expect("a server")))
    }

    fn missing(&self) -> Option<String> {
        self.0.as_ref().err().cloned()
    }

    fn abilities(&self) -> Abilities {
        // The idempotent producer drops its own duplicates, and knows no ids.
        Abilities { deduplicates: false, tells_conflicts: false }
    }
}

async fn topics() -> Topics {
    Topics(shared().await.map(|server| options(&server)))
}

crate::contract_suite!(topics().await);
