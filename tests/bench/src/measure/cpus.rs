//! The processors for the servers, and those for the load client.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

/// The processors of a run. Client and server must not compete for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cpus {
    /// The last processor is the client's, all others are the servers'.
    Apart { server: String, client: String },
    /// Only one processor, or no `taskset`.
    Shared,
}

impl Cpus {
    /// Detects the processors and reserves the client's for this process.
    pub(crate) fn take() -> Result<Self> {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
        let cpus = Self::of(&allowed(list.trim()));
        if let Self::Apart { client, .. } = &cpus {
            let own = std::process::id().to_string();
            let Ok(output) = Command::new("taskset").args(["-a", "-c", "-p", client, &own]).output() else {
                return Ok(Self::Shared);
            };
            let said = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "taskset: {said}");
        }
        Ok(cpus)
    }

    fn of(allowed: &[u32]) -> Self {
        match allowed {
            [] | [_] => Self::Shared,
            [server @ .., client] => {
                let server: Vec<String> = server.iter().map(u32::to_string).collect();
                Self::Apart { server: server.join(","), client: client.to_string() }
            }
        }
    }

    /// A command that runs a program on the servers' processors.
    pub(crate) fn for_server(&self, program: &Path) -> Command {
        match self {
            Self::Apart { server, .. } => {
                let mut command = Command::new("taskset");
                command.args(["-c", server]).arg(program);
                command
            }
            Self::Shared => Command::new(program),
        }
    }

    /// As text, for the report.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Apart { server, client } => format!("server on CPU {server}, client on CPU {client}"),
            Self::Shared => "server and client share the CPUs".to_owned(),
        }
    }
}

/// The processors of a list such as `0-2,5`.
fn allowed(list: &str) -> Vec<u32> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse().ok()?..=last.parse().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_has_a_processor_of_its_own_where_there_are_two() {
        assert_eq!(Cpus::of(&allowed("3")), Cpus::Shared);
        assert_eq!(Cpus::of(&allowed("0-1")), Cpus::Apart { server: "0".into(), client: "1".into() });
        assert_eq!(Cpus::of(&allowed("0-2,5")), Cpus::Apart { server: "0,1,2".into(), client: "5".into() });
    }
}
