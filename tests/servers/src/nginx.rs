//! nginx from the distribution, with the configuration shipped in `deploy/nginx`.

use std::fmt::Write as _;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::place::tool;

/// The shipped proxy for three nodes.
const SHIPPED: &str = include_str!("../../../deploy/nginx/nginx.conf");

/// Where a distribution's package installs it.
const INSTALLED: [&str; 2] = ["/usr/sbin/nginx", "/usr/bin/nginx"];

const PATIENCE: Duration = Duration::from_secs(20);

/// A running nginx. It is killed when dropped.
#[derive(Debug)]
pub struct Nginx {
    child: Child,
    folder: TempDir,
    listen: SocketAddr,
    nodes: Vec<SocketAddr>,
}

impl Nginx {
    /// The program, if it is on this machine.
    pub fn program() -> Option<PathBuf> {
        let unpacked = tool("nginx/usr/sbin/nginx");
        unpacked.or_else(|| INSTALLED.iter().map(PathBuf::from).find(|path| path.exists()))
    }

    /// Starts a proxy in front of these nodes; none if nginx is not installed on this machine.
    ///
    /// # Panics
    /// If it refuses its configuration, or does not listen in time.
    pub fn start(listen: SocketAddr, nodes: &[SocketAddr]) -> Option<Self> {
        let program = Self::program()?;
        let folder = TempDir::new().expect("a folder");
        write_configuration(folder.path(), listen, nodes);
        let child = spawn(&program, folder.path());
        let mut nginx = Self { child, folder, listen, nodes: nodes.to_vec() };
        nginx.wait_until_listening();
        Some(nginx)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.listen
    }

    /// The nodes.
    pub fn nodes(&self) -> &[SocketAddr] {
        &self.nodes
    }

    /// Sends new connections to other nodes from now on; open ones stay where they are.
    ///
    /// # Panics
    /// If it cannot be signalled.
    pub fn reload(&mut self, nodes: &[SocketAddr]) {
        write_configuration(self.folder.path(), self.listen, nodes);
        self.nodes = nodes.to_vec();
        let kill = format!("kill -HUP {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().expect("a shell");
        assert!(status.success(), "nginx takes no signal");
    }

    /// Kills it with all its connections, and starts it again on the same port.
    ///
    /// # Panics
    /// If it does not start.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.child = spawn(&Self::program().expect("it was there before"), self.folder.path());
        self.wait_until_listening();
    }

    /// Its output: the access log and its errors.
    pub fn logs(&self) -> String {
        let mut text = String::new();
        for name in ["access.log", "stderr.log"] {
            let bytes = fs::read(self.folder.path().join(name)).unwrap_or_default();
            let _ = write!(text, "{}", String::from_utf8_lossy(&bytes));
        }
        text
    }

    /// Kills the master, and then its workers.
    fn kill(&mut self) {
        // Workers are children of the master, and survive its kill: the whole process group is killed.
        let kill = format!("kill -KILL -{}", self.child.id());
        let _ = Command::new("sh").args(["-c", &kill]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }

    fn wait_until_listening(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(self.listen).is_err() {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("nginx ended with {status}:\n{}", self.logs());
            }
            assert!(Instant::now() < deadline, "nginx does not listen:\n{}", self.logs());
            sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(program: &Path, folder: &Path) -> Child {
    use std::os::unix::process::CommandExt as _;
    let stderr = fs::OpenOptions::new().append(true).create(true).open(folder.join("stderr.log"));
    Command::new(program)
        .arg("-p")
        .arg(folder)
        .args(["-c", "nginx.conf", "-e", "stderr", "-g"])
        .arg(format!("daemon off;{}", user()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr.expect("a log"))
        .process_group(0)
        .spawn()
        .expect("nginx starts")
}

/// The shipped file, with these nodes and this address instead of its own, and with writable paths in the folder.
fn render(folder: &Path, listen: SocketAddr, nodes: &[SocketAddr]) -> String {
    let folder = folder.display();
    let mut text = String::new();
    for line in SHIPPED.lines() {
        match line.trim().strip_prefix("server fanout-").and_then(|rest| rest.split_once(":8080")) {
            Some(("1", options)) => {
                for node in nodes {
                    let _ = writeln!(text, "server {node}{options}");
                }
            }
            Some(_) => {}
            None => {
                let _ = writeln!(text, "{line}");
            }
        }
    }
    for (shipped, here) in [
        // First, because the folder may be within it.
        (" /tmp/", format!(" {folder}/")),
        ("listen 8080;", format!("listen {listen};")),
        ("worker_processes auto;", "worker_processes 2;".to_owned()),
        ("worker_rlimit_nofile 65536;", String::new()),
        ("worker_connections 32768;", "worker_connections 4096;".to_owned()),
        ("/dev/stdout", format!("{folder}/access.log")),
        ("/dev/stderr", "stderr".to_owned()),
    ] {
        assert!(text.contains(shipped), "the shipped file has no {shipped:?} any more");
        text = text.replace(shipped, &here);
    }
    text
}

fn write_configuration(folder: &Path, listen: SocketAddr, nodes: &[SocketAddr]) {
    fs::write(folder.join("nginx.conf"), render(folder, listen, nodes)).expect("written");
}

/// Workers of root would become nobody, who cannot read the folder.
fn user() -> &'static str {
    use std::os::unix::fs::MetadataExt as _;
    if fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) { " user root;" } else { "" }
}
