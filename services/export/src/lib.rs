//! The export service: jobs that write a file in the background and tell how far they are.
//!
//! Each step of a job is one transaction with its event, so that a job survives the process: whoever runs
//! next takes it up at the last step that was committed.

mod app;
pub mod download;
pub mod exports;
pub mod job;
pub mod report;
pub mod settings;

pub use app::App;
pub use settings::ExportSettings;

use fanfare_producer::Service;

/// What this service is.
pub const SERVICE: Service = Service { name: "export", port: 8083, publishes: &["export.*"] };
