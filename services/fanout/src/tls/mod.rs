//! TLS: the certificates of a listener, which certificates a node trusts in other nodes, and the files of both.
//!
//! There is one implementation, rustls, with one provider of its cryptography, aws-lc-rs.

mod certificate;
mod client;
mod files;
mod identity;
mod server;

pub use certificate::{Age, Validity};
pub use client::{Asking, Known, Trust};
pub use files::{AskingFiles, FileFault, ListenerFiles, authorities};
pub use identity::{Identity, Unusable};
pub use server::{Listening, Minimum, Prepared, Server};

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// Where the cryptography comes from.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
