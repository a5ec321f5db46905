//! PostgreSQL from the distribution's packages, unpacked and not installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::place::{free_port, tool};
use crate::process::{Process, StartError};

const PATIENCE: Duration = Duration::from_secs(60);
const READY: &str = "database system is ready to accept connections";
/// The server refuses to run as root; it then runs as this user, which every system has: nobody.
const NOBODY: u32 = 65_534;

/// A running server. It is killed when dropped.
#[derive(Debug)]
pub struct PostgresServer {
    process: Process,
    program: PathBuf,
    folder: TempDir,
    port: u16,
}

impl PostgresServer {
    /// The folder of the programs, if `scripts/setup.sh` could unpack them.
    fn programs() -> Option<PathBuf> {
        let versions = std::fs::read_dir(tool("postgresql/usr/lib/postgresql")?).ok()?;
        versions.flatten().map(|version| version.path().join("bin")).find(|bin| bin.join("postgres").exists())
    }

    /// Starts a server with an empty cluster, which trusts all clients on the loopback address.
    ///
    /// # Errors
    /// [`StartError`] if this machine has none, or it does not start.
    pub async fn start() -> Result<Self, StartError> {
        let missing = || StartError::Missing("PostgreSQL is not installed (scripts/setup.sh test)".to_owned());
        // The target of a link, because another user may not follow it.
        let programs = Self::programs().and_then(|path| path.canonicalize().ok()).ok_or_else(missing)?;
        if is_root() && !is_open_to_all(&programs) {
            return Err(StartError::Missing(
                "root cannot run PostgreSQL from a folder that is root's alone".to_owned(),
            ));
        }
        let failed = |error: std::io::Error| StartError::Failed(error.to_string());
        let folder = TempDir::new().map_err(failed)?;
        if is_root() {
            std::os::unix::fs::chown(folder.path(), Some(NOBODY), Some(NOBODY)).map_err(failed)?;
        }
        let mut initdb = command(&programs, "initdb");
        initdb.arg("-D").arg(folder.path().join("data")).args(["-U", "postgres", "-A", "trust", "-E", "UTF8"]);
        initdb.args(["--no-sync", "--no-instructions", "--locale=C"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let made = initdb.output().map_err(failed)?;
        if !made.status.success() {
            return Err(StartError::Failed(String::from_utf8_lossy(&made.stderr).into_owned()));
        }
        let port = free_port();
        let process = spawn(&programs, folder.path(), port).await?;
        Ok(Self { process, program: programs, folder, port })
    }

    /// The URL of a database on it; `postgres` exists.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// `kill -9` of the server; its child processes end with it.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it again on the same port, with its data.
    ///
    /// # Errors
    /// [`StartError`] if it does not start.
    pub async fn start_again(&mut self) -> Result<(), StartError> {
        // Processes of the killed server may hold its memory for a moment.
        for attempt in 1.. {
            match spawn(&self.program, self.folder.path(), self.port).await {
                Ok(process) => {
                    self.process = process;
                    break;
                }
                Err(error) if attempt >= 20 => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(200)).await,
            }
        }
        Ok(())
    }
}

async fn spawn(programs: &Path, folder: &Path, port: u16) -> Result<Process, StartError> {
    let mut server = command(programs, "postgres");
    server.arg("-D").arg(folder.join("data")).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
    server.arg("-k").arg(folder);
    // Tests kill the server and never the machine.
    server.args(["-c", "fsync=off", "-c", "shared_buffers=16MB", "-c", "max_connections=50"]);
    Process::start(server, READY, PATIENCE).await
}

fn command(programs: &Path, name: &str) -> Command {
    use std::os::unix::process::CommandExt as _;
    let mut command = Command::new(programs.join(name));
    // Libraries that this machine lacks were unpacked beside it.
    if let Some(usr) = programs.ancestors().nth(4) {
        let libraries = format!("{}/lib/{}-linux-gnu", usr.display(), std::env::consts::ARCH);
        command.env("LD_LIBRARY_PATH", libraries);
    }
    command.env("LC_ALL", "C").current_dir("/");
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Whether other users may enter all folders on the way.
fn is_open_to_all(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    path.ancestors().all(|folder| std::fs::metadata(folder).is_ok_and(|found| found.mode() & 0o001 != 0))
}
