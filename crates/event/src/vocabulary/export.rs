//! Events of the export service.

use serde::{Deserialize, Serialize};

use crate::Id;

/// An export job has made progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportProgress {
    /// The organisation.
    pub org: Id,
    /// The user who started the job.
    pub user: Id,
    /// The job.
    pub job_id: String,
    /// The progress, from 0 to 100.
    pub percent: i32,
    /// The current step of the job.
    pub stage: String,
}

/// An export job is done and its file can be downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportCompleted {
    /// The organisation.
    pub org: Id,
    /// The user who started the job.
    pub user: Id,
    /// The job.
    pub job_id: String,
    /// The kind of the export, such as `usage-report`.
    pub kind: String,
    /// The name of the file.
    pub file_name: String,
    /// The size of the file.
    pub size_bytes: i64,
    /// Where to download the file: https or relative.
    pub download_url: String,
}

/// An export job has failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportFailed {
    /// The organisation.
    pub org: Id,
    /// The user who started the job.
    pub user: Id,
    /// The job.
    pub job_id: String,
    /// The kind of the export.
    pub kind: String,
    /// The reason, as shown to the user.
    pub reason: String,
}
