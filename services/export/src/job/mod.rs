//! Export jobs.

pub mod cleanup;
mod id;
pub mod runner;
mod steps;
pub(crate) mod store;

pub use id::JobId;

use crate::report::Written;
use fanfare_event::vocabulary::export::{ExportCompleted, ExportFailed, ExportProgress};
use fanfare_event::{Id, Timestamp};
use fanfare_producer::About;
use fanfare_producer::settings::BaseUrl;
use serde::{Deserialize, Serialize};

/// The kind of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// An org's usage of the platform, day by day.
    UsageReport,
    /// It fails half-way, to demonstrate a failure.
    Broken,
}

impl Kind {
    /// Its name in the API and the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::UsageReport => "usage-report",
            Self::Broken => "broken",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::UsageReport, Self::Broken].into_iter().find(|kind| kind.name() == name)
    }
}

/// The status of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// It waits for a worker.
    Queued,
    /// A worker runs it.
    Running,
    /// Its file is complete.
    Completed,
    /// It ended without a file.
    Failed,
}

impl Status {
    /// Its name in the API and the database.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        [Self::Queued, Self::Running, Self::Completed, Self::Failed].into_iter().find(|status| status.name() == name)
    }
}

/// An export that a user started.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The org whose data it exports.
    pub org: Id,
    /// The user who started it and gets its file.
    pub user: Id,
    /// The kind of the export.
    pub kind: Kind,
    /// The status.
    pub status: Status,
    /// The progress, from 0 to 100.
    pub percent: i32,
    /// The current step.
    pub stage: String,
    /// Why it failed, if it did.
    pub reason: Option<String>,
    /// The number of committed steps.
    pub steps_done: usize,
    /// The output of these steps.
    pub written: Option<Written>,
    /// When it was started.
    pub created_at: Timestamp,
}

impl Job {
    /// A job that waits for a worker.
    pub fn new(org: Id, user: Id, kind: Kind, created_at: Timestamp) -> Self {
        Self {
            id: JobId::new(),
            org,
            user,
            kind,
            status: Status::Queued,
            percent: 0,
            stage: "waiting".to_owned(),
            reason: None,
            steps_done: 0,
            written: None,
            created_at,
        }
    }

    /// The name under which a browser saves the file.
    pub fn file_name(&self) -> String {
        let date: String = self.created_at.to_rfc3339().chars().take(10).collect();
        format!("{}-{date}.csv", self.kind.name())
    }

    /// The size of the file so far.
    pub fn size_bytes(&self) -> u64 {
        self.written.as_ref().map_or(0, |written| written.size)
    }

    /// The file's address: below the public URL, else a path on this service.
    pub fn download_url(&self, public_url: Option<&BaseUrl>) -> String {
        format!("{}/exports/{}/download", public_url.map_or("", BaseUrl::as_str), self.id)
    }

    pub(crate) fn about(&self) -> About {
        About::org(&self.org, self.id.as_str())
    }

    pub(crate) fn progress(&self) -> ExportProgress {
        ExportProgress {
            org: self.org.clone(),
            user: self.user.clone(),
            job_id: self.id.to_string(),
            percent: self.percent,
            stage: self.stage.clone(),
        }
    }

    pub(crate) fn completed(&self, public_url: Option<&BaseUrl>) -> ExportCompleted {
        ExportCompleted {
            org: self.org.clone(),
            user: self.user.clone(),
            job_id: self.id.to_string(),
            kind: self.kind.name().to_owned(),
            file_name: self.file_name(),
            size_bytes: i64::try_from(self.size_bytes()).unwrap_or(i64::MAX),
            download_url: self.download_url(public_url),
        }
    }

    pub(crate) fn failed(&self, reason: &str) -> ExportFailed {
        ExportFailed {
            org: self.org.clone(),
            user: self.user.clone(),
            job_id: self.id.to_string(),
            kind: self.kind.name().to_owned(),
            reason: reason.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> Id {
        Id::parse(text).expect("id")
    }

    #[test]
    fn names_are_those_of_the_api() {
        for kind in [Kind::UsageReport, Kind::Broken] {
            assert_eq!(serde_json::to_value(kind).expect("json"), kind.name());
            assert_eq!(Kind::parse(kind.name()), Some(kind));
        }
        for status in [Status::Queued, Status::Running, Status::Completed, Status::Failed] {
            assert_eq!(serde_json::to_value(status).expect("json"), status.name());
            assert_eq!(Status::parse(status.name()), Some(status));
        }
    }

    #[test]
    fn links_are_paths_or_https() {
        let job = Job::new(id("acme"), id("alice"), Kind::UsageReport, Timestamp(1_767_323_045_678));
        assert_eq!(job.download_url(None), format!("/exports/{}/download", job.id));
        let public: BaseUrl = "https://exports.example/base".parse().expect("url");
        let link = job.download_url(Some(&public));
        assert_eq!(link, format!("https://exports.example/base/exports/{}/download", job.id));
        assert_eq!(job.file_name(), "usage-report-2026-01-02.csv");
    }
}
