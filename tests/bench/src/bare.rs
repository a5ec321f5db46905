//! The program that reads a log and drops the records, driven like a node.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::stage::Stage;

/// The name of the program.
const PROGRAM: &str = "fanfare-read-log";

/// What it has read, and the cost.
pub(crate) struct Read {
    pub(crate) records: f64,
    pub(crate) took_ms: f64,
    pub(crate) cpu_us: f64,
}

/// Reads what a node reads at its start, on the servers' processors.
pub(crate) fn start(stage: &Stage, config: &Path) -> Result<Read> {
    let output = stage.cpus.for_server(&stage.program(PROGRAM)?).arg("start").arg(config).output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    numbers(&String::from_utf8_lossy(&output.stdout))
}

/// A program that follows a log until it has read this many records.
pub(crate) struct Follower {
    process: Child,
    output: BufReader<ChildStdout>,
}

impl Follower {
    /// Starts it, and waits until it is at the end of the log.
    pub(crate) fn start(stage: &Stage, config: &Path, records: u64) -> Result<Self> {
        let mut command = stage.cpus.for_server(&stage.program(PROGRAM)?);
        command.arg("follow").arg(config).arg(records.to_string()).stdout(Stdio::piped());
        let mut process = command.spawn().context("cannot start the reader")?;
        let output = BufReader::new(process.stdout.take().context("no output")?);
        let mut follower = Self { process, output };
        let line = follower.line()?;
        ensure!(line.trim() == "ready", "the reader is not ready: {line:?}");
        Ok(follower)
    }

    /// Waits until it has read all of them.
    pub(crate) fn finish(mut self) -> Result<Read> {
        numbers(&self.line()?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        Ok(line)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn numbers(said: &str) -> Result<Read> {
    let numbers: Result<Vec<f64>, _> = said.split_whitespace().map(str::parse).collect();
    match numbers.with_context(|| format!("not numbers: {said:?}"))?[..] {
        [records, took_ms, cpu_us] => Ok(Read { records, took_ms, cpu_us }),
        _ => bail!("not three numbers: {said:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_numbers_are_a_result_and_nothing_else_is() {
        let read = numbers("1000 12.5 9000\n").expect("a result");
        assert!((read.records - 1000.0).abs() < 1e-9 && (read.took_ms - 12.5).abs() < 1e-9);
        assert!((read.cpu_us - 9000.0).abs() < 1e-9);
        for wrong in ["", "ready", "1 2", "1 2 3 4"] {
            assert!(numbers(wrong).is_err(), "{wrong}");
        }
    }
}
