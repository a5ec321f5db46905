//! The export service: jobs that write a file in the background and publish their progress.
//!
//! Each step of a job is one transaction with its event, so that a job survives the process: the next worker continues
//! it after the last committed step.

mod app;
pub mod download;
pub mod exports;
pub mod job;
pub mod report;
pub mod settings;

pub use app::App;
pub use settings::ExportSettings;

use fanfare_producer::Service;

/// The declaration of this service.
pub const SERVICE: Service = Service { name: "export", port: 8083, publishes: &["export.*"] };
