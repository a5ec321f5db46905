//! Signing keys in files.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::signing::{KeyError, SigningKey};

/// Why a key file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// The failed action.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file does not contain a usable key.
    #[error("{}: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with the key.
        source: KeyError,
    },
}

impl SigningKey {
    /// Reads the key in this file, or creates one and stores it there, readable only by its owner.
    ///
    /// Processes that start at the same time agree on one key: the first to put its file in place wins. This blocks, so
    /// call it at the start.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyFileError> {
        if let Some(key) = load(path)? {
            return Ok(key);
        }
        let key = Self::generate().map_err(|source| key_fault(path, source))?;
        let pem = key.to_pkcs8_pem().map_err(|source| key_fault(path, source))?;
        if place(path, &pem)? {
            return Ok(key);
        }
        load(path)?.ok_or_else(|| io_fault("read", path, io::ErrorKind::NotFound.into()))
    }
}

fn load(path: &Path) -> Result<Option<SigningKey>, KeyFileError> {
    let pem = match fs::read_to_string(path) {
        Ok(pem) => pem,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_fault("read", path, error)),
    };
    let mode = fs::metadata(path).map_err(|error| io_fault("read", path, error))?.permissions().mode();
    if mode & 0o077 != 0 {
        // Not refused: mounted secrets are often readable by a group.
        tracing::warn!(file = %path.display(), "others may read this signing key; make it readable by its owner alone");
    }
    SigningKey::from_pkcs8_pem(&pem).map(Some).map_err(|source| key_fault(path, source))
}

/// Puts the file in place unless there is one already; returns whether it did.
fn place(path: &Path, pem: &str) -> Result<bool, KeyFileError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(|error| io_fault("create the folder of", path, error))?;
    let (temporary, mut file) = create_temporary(path)?;
    let placed = file
        .write_all(pem.as_bytes())
        .and_then(|()| file.sync_all())
        // Unlike a rename, a link never replaces what another process has just put there.
        .and_then(|()| match fs::hard_link(&temporary, path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        })
        .and_then(|placed| File::open(folder)?.sync_all().map(|()| placed));
    let removed = fs::remove_file(&temporary);
    let placed = placed.map_err(|error| io_fault("write", path, error))?;
    removed.map_err(|error| io_fault("remove", &temporary, error))?;
    Ok(placed)
}

fn create_temporary(path: &Path) -> Result<(PathBuf, File), KeyFileError> {
    for attempt in 0..100 {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.{attempt}.new", std::process::id()));
        let temporary = path.with_file_name(name);
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary) {
            Ok(file) => return Ok((temporary, file)),
            // Left over from a killed process, or in use by another thread.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(io_fault("create", &temporary, error)),
        }
    }
    Err(io_fault("create a file beside", path, io::ErrorKind::AlreadyExists.into()))
}

fn io_fault(action: &'static str, path: &Path, source: io::Error) -> KeyFileError {
    KeyFileError::Io { action, path: path.to_owned(), source }
}

fn key_fault(path: &Path, source: KeyError) -> KeyFileError {
    KeyFileError::Key { path: path.to_owned(), source }
}
