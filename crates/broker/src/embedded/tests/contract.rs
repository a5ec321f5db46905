//! The contract of all brokers, over a folder.

use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;

use crate::broker::Broker;
use crate::contract::Fixture;
use crate::embedded::{Embedded, Options};

/// A log in a folder of its own.
struct Folder {
    folder: TempDir,
    options: Options,
}

#[async_trait]
impl Fixture for Folder {
    async fn open(&self) -> Arc<dyn Broker> {
        let log = Embedded::open(self.folder.path(), self.options.clone());
        Arc::new(log.expect("opens"))
    }
}

fn folder(options: Options) -> Folder {
    Folder { folder: TempDir::new().expect("a folder"), options }
}

mod from_memory {
    use super::*;

    crate::contract_suite!(folder(Options::default()));
}

/// The memory tail is empty and batches are small, so that every read goes to the file.
mod from_the_file {
    use super::*;

    fn options() -> Options {
        Options { tail_bytes: 0, batch_records: 7, group_records: 3, concurrent_reads: 1, ..Options::default() }
    }

    crate::contract_suite!(folder(options()));
}
