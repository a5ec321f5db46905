//! Opens the folder of a log: the lock, the file, and everything that can be wrong with them.

use std::fs::{self, File, TryLockError};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{Database, DatabaseError, ReadableDatabase, StorageError};

use super::tables::{FORMAT, META, Meta, Tables};

const FILE: &str = "log.redb";
const NEW_FILE: &str = "log.redb.new";
const LOCK: &str = "lock";

/// Why a log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The options contradict each other.
    #[error("the options of the log are wrong: {0}")]
    Options(String),
    /// The folder cannot be made, read or written.
    #[error("cannot use the folder {path}: {source}")]
    Folder {
        /// The folder of the log, or the file in it.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Another process, or another part of this one, has the log open.
    #[error("the log in {path} is already open; only one process can use it at a time")]
    AlreadyOpen {
        /// The folder of the log.
        path: PathBuf,
    },
    /// The file was written by a newer version of this program.
    #[error(
        "the log in {path} has format {found}, this version reads up to format {known}; use the newer version, or move the folder away to start afresh"
    )]
    NewerFormat {
        /// The folder of the log.
        path: PathBuf,
        /// The format of the file.
        found: u64,
        /// The newest format that this version knows.
        known: u64,
    },
    /// The file is not a log, or it is damaged.
    #[error("the log in {path} cannot be read ({reason}); move the folder away to start afresh")]
    Damaged {
        /// The folder of the log.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// The folder of one log, locked for this process while the value exists.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    // Separate from the file, so that no other process gets in while the file is closed and reopened after a disk
    // failure.
    lock: File,
}

impl Folder {
    /// Creates the folder if it is missing, and locks it.
    pub(super) fn lock(path: &Path) -> Result<Self, OpenError> {
        let failed = |source| OpenError::Folder { path: path.to_path_buf(), source };
        fs::create_dir_all(path).map_err(failed)?;
        let lock = File::create(path.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_path_buf(), lock }),
            Err(TryLockError::WouldBlock) => Err(OpenError::AlreadyOpen { path: path.to_path_buf() }),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Opens the log in the folder; creates a new one if there is none.
    pub(super) fn open_or_create(&self, opener: &dyn Opener) -> Result<(Database, Meta), OpenError> {
        let exists = self.path.join(FILE).try_exists();
        if !exists.map_err(|source| self.failed(source))? {
            self.create(opener)?;
        }
        self.open(opener)
    }

    fn open(&self, opener: &dyn Opener) -> Result<(Database, Meta), OpenError> {
        let file = self.path.join(FILE);
        // The database trusts its file: damage in the wrong place makes it panic.
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let database = opener.open(&file).map_err(|e| self.fault(e))?;
            let meta = self.check(&database)?;
            Ok((database, meta))
        }));
        opened.unwrap_or_else(|_| Err(self.damaged(&"the database panicked while it was opened")))
    }

    /// Reopens the log that was open before; never creates one, and accepts no other.
    pub(super) fn open_again(&self, opener: &dyn Opener, incarnation: u64) -> Result<(Database, Meta), OpenError> {
        fs::metadata(self.path.join(FILE)).map_err(|source| self.failed(source))?;
        let (database, meta) = self.open(opener)?;
        if meta.incarnation != incarnation {
            return Err(self.damaged(&"another log has taken its place"));
        }
        Ok((database, meta))
    }

    /// Lets other processes in.
    pub(super) fn unlock(&self) {
        if let Err(e) = self.lock.unlock() {
            tracing::warn!(error = %e, "the lock of the log stays until the process ends");
        }
    }

    /// Creates a new log beside its final place and moves it there once it is complete, so that a crash leaves no
    /// partial log.
    fn create(&self, opener: &dyn Opener) -> Result<(), OpenError> {
        let new = self.path.join(NEW_FILE);
        match fs::remove_file(&new) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(self.failed(e)),
            _ => {}
        }
        let database = opener.open(&new).map_err(|e| self.fault(e))?;
        initialise(&database).map_err(|e| self.damaged(&e))?;
        drop(database);
        fs::rename(&new, self.path.join(FILE)).map_err(|e| self.failed(e))?;
        // Without this sync a power failure may lose the file's name.
        let folder = File::open(&self.path).map_err(|e| self.failed(e))?;
        folder.sync_all().map_err(|e| self.failed(e))
    }

    fn check(&self, database: &Database) -> Result<Meta, OpenError> {
        let read = || -> Result<(Option<u64>, Result<Meta, redb::Error>), redb::Error> {
            let table = database.begin_read()?.open_table(META)?;
            let format = table.get("format")?.map(|row| row.value());
            Ok((format, Meta::load(&table)))
        };
        let (format, meta) = read().map_err(|e| self.damaged(&e))?;
        match format {
            Some(FORMAT) => meta.map_err(|e| self.damaged(&e)),
            Some(found) => Err(OpenError::NewerFormat { path: self.path.clone(), found, known: FORMAT }),
            None => Err(self.damaged(&"it names no format")),
        }
    }

    fn fault(&self, error: DatabaseError) -> OpenError {
        match error {
            DatabaseError::DatabaseAlreadyOpen => OpenError::AlreadyOpen { path: self.path.clone() },
            DatabaseError::Storage(StorageError::Io(e)) if e.kind() != io::ErrorKind::InvalidData => self.failed(e),
            other => self.damaged(&other),
        }
    }

    fn failed(&self, source: io::Error) -> OpenError {
        OpenError::Folder { path: self.path.clone(), source }
    }

    fn damaged(&self, reason: &dyn std::fmt::Display) -> OpenError {
        OpenError::Damaged { path: self.path.clone(), reason: reason.to_string() }
    }
}

fn initialise(database: &Database) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut tables = Tables::open(&transaction)?;
        tables.meta.insert("format", FORMAT)?;
        Meta::new().save(&mut tables.meta)?;
    }
    Ok(transaction.commit()?)
}

/// Opens the database file; tests insert a disk that fails.
pub(super) trait Opener: Send + Sync {
    /// Opens or creates the file.
    fn open(&self, file: &Path) -> Result<Database, DatabaseError>;
}

/// Opens a file on disk.
pub(super) struct DiskFile {
    pub(super) cache_bytes: usize,
}

impl Opener for DiskFile {
    fn open(&self, file: &Path) -> Result<Database, DatabaseError> {
        let name = file.display().to_string();
        Database::builder()
            .set_cache_size(self.cache_bytes)
            .set_repair_callback(move |session| {
                let percent = session.progress() * 100.0;
                tracing::info!(file = name, percent, "checking the log after a crash");
            })
            .create(file)
    }
}
