//! Decoding and routing, without sockets and without a broker.

use std::path::Path;
use std::process::{Command, Output};

use anyhow::{Context, Result, ensure};

use super::pairs::alone;
use crate::node::{Settings, write_settings};
use crate::report::{Figure, Readings};
use crate::stage::Stage;

/// Events per turn.
const EVENTS: u32 = 200_000;

/// Events of the two runs whose instructions are counted: the difference excludes the start.
const FEW: u32 = 100;
const MANY: u32 = 2_100;

pub(super) fn run(stage: &Stage, name: &'static str) -> Result<Vec<Figure>> {
    let program = stage.program("fanfare-decode-route")?;
    let config = write_settings(stage.folder(), stage.mint.key_file(), &Settings::default())?;
    let instructions = instructions(stage, &program, &config)?;
    if instructions.is_none() {
        stage.say("no valgrind on this machine: instructions are not counted");
    }
    alone(stage, name, || {
        let output = stage.cpus.for_server(&program).arg(&config).arg(EVENTS.to_string()).output()?;
        let nanos = checked(&output)?.trim().parse::<f64>().context("not a number")?;
        let mut readings: Readings = vec![("ns_per_event", nanos)];
        readings.extend(instructions.map(|count| ("instructions_per_event", count)));
        Ok(readings)
    })
}

fn instructions(stage: &Stage, program: &Path, config: &Path) -> Result<Option<f64>> {
    if Command::new("valgrind").arg("--version").output().is_err() {
        return Ok(None);
    }
    stage.say("counting instructions");
    let few = count(program, config, FEW)?;
    let many = count(program, config, MANY)?;
    Ok(Some(many.saturating_sub(few) as f64 / f64::from(MANY - FEW)))
}

fn count(program: &Path, config: &Path, events: u32) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"])
        .arg(program)
        .arg(config)
        .arg(events.to_string())
        .output()?;
    checked(&output)?;
    instructions_in(&String::from_utf8_lossy(&output.stderr)).context("valgrind tells no instructions")
}

/// The number in valgrind's line `==7== I refs: 1,234`.
fn instructions_in(text: &str) -> Option<u64> {
    let (_, rest) = text.lines().find_map(|line| line.split_once("refs:"))?;
    rest.trim().replace(',', "").parse().ok()
}

fn checked(output: &Output) -> Result<String> {
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_read_from_valgrinds_output() {
        let text = "==1== Cachegrind, a profiler\n==1== \n==1== I refs:        12,345,678\n";
        assert_eq!(instructions_in(text), Some(12_345_678));
        assert_eq!(instructions_in("nothing"), None);
    }
}
