//! The contract and the rules about restarts, on a current server and on that of Debian 12.

use fanfare_test_servers::nats::Version;

use super::super::Options;
use super::server::Server;

mod current {
    use super::*;

    crate::contract_suite!(Server::start(Version::Current, |_| {}).await);
    crate::restart_suite!(Server::start(Version::Current, |_| {}).await);
}

mod debian {
    use super::*;

    crate::contract_suite!(Server::start(Version::Debian, |_| {}).await);
    crate::restart_suite!(Server::start(Version::Debian, |_| {}).await);
}

/// Every batch is small, so that pulls start and end all the time.
mod small_batches {
    use super::*;

    fn small(options: &mut Options) {
        (options.batch_records, options.batch_bytes) = (3, 1);
    }

    crate::contract_suite!(Server::start(Version::Current, small).await);
    crate::restart_suite!(Server::start(Version::Current, small).await);
}
