//! The files of jobs on disk.
//!
//! Each worker writes a file of its own: one that lost its job to another, and has not noticed yet, must not write into
//! the other's file.

use crate::job::JobId;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The folder of files.
#[derive(Clone, Debug)]
pub struct Files(Arc<PathBuf>);

/// A committed file, and how much of it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The name of the file.
    pub file: String,
    /// Its committed size; anything after it comes from an interrupted step.
    pub size: u64,
}

impl Files {
    /// Creates the folder if it is missing.
    ///
    /// # Errors
    /// If the disk fails.
    pub async fn open(folder: PathBuf) -> io::Result<Self> {
        tokio::fs::create_dir_all(&folder).await?;
        Ok(Self(Arc::new(folder)))
    }

    /// The name of a worker's file for a job.
    pub fn name(job: &JobId, worker: &str) -> String {
        format!("{job}.{worker}.csv")
    }

    /// The path of a file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Appends a part to the committed part, in the file `name`, and returns once it is on disk.
    pub(crate) async fn append(&self, before: Option<Written>, name: String, part: String) -> io::Result<Written> {
        let folder = Arc::clone(&self.0);
        let appended = tokio::task::spawn_blocking(move || append(&folder, before, name, part.as_bytes()));
        appended.await.map_err(io::Error::other)?
    }

    /// The existing files, with their jobs.
    pub(crate) async fn list(&self) -> io::Result<Vec<(JobId, String)>> {
        let folder = Arc::clone(&self.0);
        let listed = tokio::task::spawn_blocking(move || {
            let mut files = Vec::new();
            for entry in fs::read_dir(&*folder)? {
                let name = entry?.file_name().to_string_lossy().into_owned();
                let job = name.split('.').next().unwrap_or_default();
                if let Ok(job) = JobId::try_from(job.to_owned()) {
                    files.push((job, name));
                }
            }
            Ok(files)
        });
        listed.await.map_err(io::Error::other)?
    }

    pub(crate) async fn remove(&self, name: &str) {
        match tokio::fs::remove_file(self.path(name)).await {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!(file = name, %error, "a file could not be removed and will be tried again");
            }
            _ => {}
        }
    }
}

fn append(folder: &Path, before: Option<Written>, name: String, part: &[u8]) -> io::Result<Written> {
    let size = before.as_ref().map_or(0, |before| before.size);
    let mut file = match before {
        Some(before) if before.file == name => reopen(&folder.join(&name), size)?,
        before => begin(folder, before, &name)?,
    };
    file.write_all(part)?;
    file.sync_data()?;
    Ok(Written { file: name, size: size + part.len() as u64 })
}

/// Opens the worker's own file at the end of the last committed step.
fn reopen(path: &Path, size: u64) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).open(path)?;
    if file.metadata()?.len() < size {
        return Err(lost());
    }
    file.set_len(size)?;
    file.seek(SeekFrom::Start(size))?;
    Ok(file)
}

/// Starts the worker's own file with another worker's committed part.
fn begin(folder: &Path, before: Option<Written>, name: &str) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(folder.join(name))?;
    if let Some(before) = before {
        let mut committed = File::open(folder.join(before.file))?.take(before.size);
        if io::copy(&mut committed, &mut file)? < before.size {
            return Err(lost());
        }
    }
    // The file's name must be on disk before the database refers to it.
    File::open(folder)?.sync_all()?;
    Ok(file)
}

fn lost() -> io::Error {
    io::Error::other("the file has lost what was written before")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, before: Option<&Written>, name: &str, part: &str) -> io::Result<Written> {
        append(folder, before.cloned(), name.to_owned(), part.as_bytes())
    }

    #[test]
    fn what_an_interrupted_step_left_is_cut_off() {
        let folder = tempfile::tempdir().expect("folder");
        let folder = folder.path();
        let first = write(folder, None, "a", "first,").expect("written");
        write(folder, Some(&first), "a", "half of a step that was not committed").expect("written");
        let second = write(folder, Some(&first), "a", "second").expect("written");
        assert_eq!(fs::read(folder.join("a")).expect("read"), b"first,second");
        assert_eq!(second, Written { file: "a".into(), size: 12 });
    }

    #[test]
    fn a_worker_that_lost_its_job_does_not_touch_the_file_of_the_next() {
        let folder = tempfile::tempdir().expect("folder");
        let folder = folder.path();
        let first = write(folder, None, "old", "first,").expect("written");
        let second = write(folder, Some(&first), "new", "second,").expect("written");
        write(folder, Some(&first), "old", "late").expect("written");
        write(folder, Some(&second), "new", "third").expect("written");
        assert_eq!(fs::read(folder.join("new")).expect("read"), b"first,second,third");
    }

    #[test]
    fn a_file_that_lost_its_beginning_is_an_error_and_not_filled_with_zeros() {
        let folder = tempfile::tempdir().expect("folder");
        let folder = folder.path();
        let mut written = write(folder, None, "a", "first").expect("written");
        written.size = 100;
        assert!(write(folder, Some(&written), "a", "more").is_err());
        assert!(write(folder, Some(&written), "b", "more").is_err());
    }
}
