//! Ids of jobs.

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

/// The id of a job, which is also the name of its file: only a UUID is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

/// Why a text is not the id of a job.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the id of an export is a UUID")]
pub struct JobIdError;

impl JobId {
    pub(crate) fn new() -> Self {
        // Version 7: ids sort by creation time.
        Self(Uuid::now_v7().to_string())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for JobId {
    type Error = JobIdError;

    fn try_from(text: String) -> Result<Self, JobIdError> {
        let id = Uuid::try_parse(&text).map_err(|_| JobIdError)?;
        // One job has one id: no braces, no capitals.
        match id.to_string() == text {
            true => Ok(Self(text)),
            false => Err(JobIdError),
        }
    }
}

impl From<JobId> for String {
    fn from(id: JobId) -> Self {
        id.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_uuids_are_ids() {
        let id = JobId::new();
        assert_eq!(JobId::try_from(id.to_string()), Ok(id.clone()));
        for wrong in ["", "..", "../../etc/passwd", "1", &id.to_string().to_uppercase(), &format!("{{{id}}}")] {
            assert!(JobId::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }
}
