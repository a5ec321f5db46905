//! One server process: started, waited for, signalled, killed.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, PipeReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

/// The lines of output that are kept, to be shown if the server does not start.
const LINES_KEPT: usize = 40;

/// Why a server did not start.
#[derive(Debug)]
pub enum StartError {
    /// This machine does not have the server.
    Missing(String),
    /// The server did not become ready. Contains its last output.
    Failed(String),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(what) => write!(f, "{what}"),
            Self::Failed(said) => write!(f, "the server did not start; it said last:\n{said}"),
        }
    }
}

impl std::error::Error for StartError {}

impl StartError {
    /// Whether another process listens on the server's port.
    pub fn is_port_taken(&self) -> bool {
        matches!(self, Self::Failed(said) if said.to_lowercase().contains("address already in use"))
    }
}

/// A signal for a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Asks it to end.
    Terminate,
    /// Pauses it with its sockets open.
    Stop,
    /// Continues it.
    Continue,
    /// Asks it to read its configuration again.
    HangUp,
}

/// A server process. It is killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    said: Arc<Mutex<VecDeque<String>>>,
}

impl Process {
    /// Starts a server and waits until one of its lines contains `ready`.
    pub async fn start(mut command: Command, ready: &'static str, patience: Duration) -> Result<Self, StartError> {
        let failed = |e: std::io::Error| StartError::Failed(e.to_string());
        let (output, input) = std::io::pipe().map_err(failed)?;
        command.stdin(Stdio::null());
        command.stdout(input.try_clone().map_err(failed)?).stderr(input);
        let child = command.spawn().map_err(|e| StartError::Failed(format!("{command:?}: {e}")))?;
        // The command holds the pipe's other end; the pipe must end with the process.
        drop(command);
        let said = Arc::new(Mutex::new(VecDeque::new()));
        let (tell, told) = oneshot::channel();
        let process = Self { child, said: Arc::clone(&said) };
        std::thread::spawn(move || listen(output, ready, tell, &said));
        match tokio::time::timeout(patience, told).await {
            Ok(Ok(())) => Ok(process),
            Ok(Err(_)) => Err(StartError::Failed(process.said())),
            Err(_) => Err(StartError::Failed(format!("not ready after {patience:?}\n{}", process.said()))),
        }
    }

    /// The last lines of output.
    pub fn said(&self) -> String {
        let said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.iter().fold(String::new(), |all, line| all + line + "\n")
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let name = match signal {
            Signal::Terminate => "-TERM",
            Signal::Stop => "-STOP",
            Signal::Continue => "-CONT",
            Signal::HangUp => "-HUP",
        };
        let sent = Command::new("kill").args([name, &self.id().to_string()]).status();
        assert!(sent.is_ok_and(|s| s.success()), "process {} could not be signalled", self.id());
    }

    /// `kill -9`; returns when it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Asks the server to end, waits, and kills it if it does not. True if it ended by itself.
    pub async fn stop(&mut self, patience: Duration) -> bool {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return true;
        }
        self.signal(Signal::Terminate);
        let ended = async {
            while self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let ended = tokio::time::timeout(patience, ended).await.is_ok();
        self.kill();
        ended
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Reads the server's output for as long as it lives: a server whose pipe is full blocks.
fn listen(output: PipeReader, ready: &str, tell: oneshot::Sender<()>, said: &Mutex<VecDeque<String>>) {
    let mut tell = Some(tell);
    for line in BufReader::new(output).split(b'\n') {
        let Ok(line) = line else { break };
        let line = String::from_utf8_lossy(&line).into_owned();
        let is_ready = line.contains(ready);
        {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            if said.len() == LINES_KEPT {
                said.pop_front();
            }
            said.push_back(line);
        }
        if is_ready && let Some(tell) = tell.take() {
            let _ = tell.send(());
        }
    }
}
