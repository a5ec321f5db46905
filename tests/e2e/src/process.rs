//! One real process: started, watched, stopped or killed.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::wait;

/// How much of a log is printed when a test fails.
const LAST_LINES: usize = 40;

/// Variables of the shell that would change a process's behaviour.
const FOREIGN: [&str; 3] = ["FANFARE_", "OTEL_", "RUST_BACKTRACE"];

/// A binary from the same build as this program.
///
/// # Panics
/// If it was not built.
pub fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("this test has a path");
    // Tests are in target/{profile}/deps, the benchmarks beside the other binaries.
    let folders = test.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.exists());
    found.unwrap_or_else(|| panic!("{name} is missing: run `cargo build --workspace --bins` first"))
}

/// A command of a binary with a clean environment.
pub fn command(name: &str) -> Command {
    let mut command = Command::new(binary(name));
    for (variable, _) in std::env::vars_os() {
        if FOREIGN.iter().any(|prefix| variable.to_string_lossy().starts_with(prefix)) {
            command.env_remove(variable);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// The result of a command that ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The exit code.
    pub code: Option<i32>,
    /// Its standard output.
    pub stdout: String,
    /// Its standard error.
    pub stderr: String,
}

/// Runs a command to its end, while this test's own tasks continue.
///
/// # Panics
/// If it cannot be started or does not end.
pub async fn run(mut command: Command) -> Outcome {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("started");
    let id = child.id();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output());
    let Ok(output) = tokio::time::timeout(wait::PATIENCE, output).await else {
        // A thread waits for the command, and the end of the test for that thread.
        send("KILL", id);
        panic!("waited in vain for the end of {command:?}");
    };
    let output = output.expect("no panic").expect("its output");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Outcome { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Expects all of these parts in what a command has told.
///
/// # Panics
/// If one is missing.
#[track_caller]
pub fn expect_parts(told: &str, parts: &[&str]) {
    for part in parts {
        assert!(told.contains(part), "no {part:?} in {told}");
    }
}

/// A running process whose output goes to a file. It is killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts a command; its output is appended to the log of its name.
    ///
    /// # Panics
    /// If it cannot be started.
    pub fn start(name: &str, folder: &Path, mut command: Command) -> Self {
        let log = log_path(folder, name);
        let file = open(&log).expect("a log");
        command.stdout(file.try_clone().expect("a second handle")).stderr(file);
        let child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self { name: name.to_owned(), child, log }
    }

    /// The exit status, if it has ended.
    ///
    /// # Panics
    /// If the operating system does not answer.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of this process")
    }

    /// Kills the process, like `kill -9`.
    ///
    /// # Panics
    /// If it had ended before.
    pub fn kill(mut self) {
        assert!(self.ended().is_none(), "{} ended by itself:\n{}", self.name, self.last_lines());
        self.child.kill().expect("killed");
        self.child.wait().expect("ended");
    }

    /// Asks the process to stop, without waiting.
    ///
    /// # Panics
    /// If the signal cannot be sent.
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal, such as `STOP`.
    ///
    /// # Panics
    /// If it cannot be sent.
    pub fn signal(&self, name: &str) {
        assert!(send(name, self.child.id()), "{} takes no signal", self.name);
    }

    /// Its memory, in bytes.
    ///
    /// # Panics
    /// If the operating system does not answer.
    pub fn resident(&self) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = fs::read_to_string(path).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
        let kibibytes = line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number");
        kibibytes * 1024
    }

    /// The number of its open files and sockets.
    ///
    /// # Panics
    /// If the operating system does not answer.
    pub fn open_files(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("a running process").count()
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// If it does not end in time.
    pub async fn end(mut self) -> ExitStatus {
        wait::until("the end of a process", async || self.ended()).await
    }

    /// Fails the test if the process has ended.
    ///
    /// # Panics
    /// If it has.
    pub fn expect_running(&mut self) {
        if let Some(status) = self.ended() {
            panic!("{} ended with {status}:\n{}", self.name, self.last_lines());
        }
    }

    fn last_lines(&self) -> String {
        let text = read(&self.log);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // If the process has ended, both fail, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- the last lines of {}:\n{}\n---", self.name, self.last_lines());
        }
    }
}

/// Sends a signal to a process of this test; whether it took it.
fn send(name: &str, id: u32) -> bool {
    // The shell's own `kill` is available everywhere; the standard library sends only SIGKILL, to a child that it holds.
    Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().expect("a shell").success()
}

/// The path of a process's log.
pub fn log_path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}

/// The output of a process so far; empty if it was never started.
pub fn read(log: &Path) -> String {
    String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).into_owned()
}

fn open(log: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).open(log)
}
