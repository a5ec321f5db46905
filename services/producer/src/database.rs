//! A producer's database, whose clock also counts.

use crate::private_file;
use fanfare_event::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, Executor as _};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a request waits for a connection before it fails as busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 10;

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL names an unsupported database.
    #[error("the database URL starts with neither sqlite: nor postgres: (got {0:?})")]
    Scheme(String),
    /// The folder or the file cannot be created.
    #[error("cannot create {path}: {source}")]
    Folder {
        /// The path.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The database refuses.
    #[error("cannot open the database: {0}")]
    Database(#[from] sqlx::Error),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    fn of(url: &str) -> Result<Self, OpenError> {
        match url.split(':').next().unwrap_or_default() {
            "sqlite" => Ok(Self::Sqlite),
            "postgres" | "postgresql" => Ok(Self::Postgres),
            // The rest of the URL may contain a password, so it is not shown.
            other => Err(OpenError::Scheme(other.to_owned())),
        }
    }
}

/// The database of one producer.
///
/// SQLite has one writer: all changes use a single connection, so that no transaction ever fails because another one
/// was faster. Reads have connections of their own and never wait for it.
#[derive(Clone, Debug)]
pub struct Database {
    writer: AnyPool,
    reader: AnyPool,
    dialect: Dialect,
}

impl Database {
    /// Opens the SQLite file in the folder, creating both if they are missing.
    ///
    /// # Errors
    /// [`OpenError`] names what cannot be created or opened.
    pub async fn open_file(folder: &Path, file_name: &str) -> Result<Self, OpenError> {
        let file = std::path::absolute(folder.join(file_name))
            .and_then(|file| private_file::create_file(&file).map(|()| file))
            .map_err(|source| OpenError::Folder { path: folder.join(file_name), source })?;
        Self::open_url(&sqlite_url(&file)).await
    }

    /// Opens the database at the URL.
    ///
    /// # Errors
    /// [`OpenError`] with the reason; PostgreSQL needs the crate feature `postgres`.
    pub async fn open_url(url: &str) -> Result<Self, OpenError> {
        sqlx::any::install_default_drivers();
        let dialect = Dialect::of(url)?;
        if dialect == Dialect::Postgres {
            let pool = options(POSTGRES_CONNECTIONS).connect(url).await?;
            return Ok(Self { writer: pool.clone(), reader: pool, dialect });
        }
        let writer = sqlite_pool(url, 1, WRITER_PRAGMAS).await?;
        let reader = sqlite_pool(url, READERS, READER_PRAGMAS).await?;
        Ok(Self { writer, reader, dialect })
    }

    /// For statements that write outside a [`crate::Change`], such as creating tables.
    pub fn writer(&self) -> &AnyPool {
        &self.writer
    }

    /// For read-only statements. They see everything committed before.
    pub fn reader(&self) -> &AnyPool {
        &self.reader
    }

    /// The time by the clock of the database, which all its processes share.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn now(&self) -> Result<Timestamp, sqlx::Error> {
        let mut connection = self.reader.acquire().await?;
        self.now_on(&mut connection).await
    }

    pub(crate) async fn now_on(&self, connection: &mut AnyConnection) -> Result<Timestamp, sqlx::Error> {
        let statement = match self.dialect {
            Dialect::Sqlite => "SELECT CAST(ROUND(unixepoch('subsec') * 1000) AS INTEGER)",
            Dialect::Postgres => "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        };
        let milliseconds: i64 = sqlx::query_scalar(statement).fetch_one(connection).await?;
        Ok(Timestamp(milliseconds))
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}

/// FULL: an event that was answered with 202 survives a power failure.
const WRITER_PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; \
                              PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON";
const READER_PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON";

async fn sqlite_pool(url: &str, connections: u32, pragmas: &'static str) -> Result<AnyPool, sqlx::Error> {
    options(connections)
        .after_connect(move |connection, _| {
            Box::pin(async move { connection.execute(sqlx::raw_sql(pragmas)).await.map(drop) })
        })
        .connect(url)
        .await
}

fn options(connections: u32) -> AnyPoolOptions {
    AnyPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_TIMEOUT)
}

fn sqlite_url(file: &Path) -> String {
    const SPECIAL: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'_').remove(b'-');
    format!("sqlite://{}?mode=rwc", percent_encode(file.as_os_str().as_encoded_bytes(), SPECIAL))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_folder_with_odd_characters_works_and_the_file_is_private() {
        let folder = tempfile::tempdir().expect("folder");
        let odd = folder.path().join("a b?c#d%e");
        private_file::create_folder(&odd).expect("create");
        let database = Database::open_file(&odd, "x.db").await.expect("open");
        database.writer().execute("CREATE TABLE t (n BIGINT)").await.expect("table");
        assert!(odd.join("x.db").metadata().expect("file").len() > 0);
        #[cfg(unix)]
        for name in ["x.db", "x.db-wal"] {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = odd.join(name).metadata().expect("file").permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
    }

    #[tokio::test]
    async fn the_pragmas_hold_and_readers_cannot_write() {
        let folder = tempfile::tempdir().expect("folder");
        let database = Database::open_file(folder.path(), "x.db").await.expect("open");
        let pragma = async |statement: &'static str| -> i64 {
            sqlx::query_scalar(statement).fetch_one(database.writer()).await.expect("pragma")
        };
        assert_eq!(pragma("PRAGMA synchronous").await, 2);
        assert_eq!(pragma("PRAGMA foreign_keys").await, 1);
        let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(database.reader()).await.expect("mode");
        assert_eq!(mode, "wal");
        assert!(database.reader().execute("CREATE TABLE t (n BIGINT)").await.is_err());
    }

    #[tokio::test]
    async fn its_clock_is_the_time_in_milliseconds() {
        let folder = tempfile::tempdir().expect("folder");
        let database = Database::open_file(folder.path(), "x.db").await.expect("open");
        let system =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_millis() as i64;
        let Timestamp(database_time) = database.now().await.expect("time");
        assert!((database_time - system).abs() < 5_000, "{database_time} against {system}");
    }

    #[tokio::test]
    async fn an_unknown_scheme_is_named_without_its_password() {
        let error = Database::open_url("mysql://me:secret@host/db").await.expect_err("refused");
        assert!(error.to_string().contains("mysql"));
        assert!(!error.to_string().contains("secret"));
    }
}
