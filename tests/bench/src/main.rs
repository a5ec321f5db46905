//! The benchmarks: a real node, many tabs, and the floor with which both are compared.
//!
//! `fanfare-bench` runs all scenarios, `fanfare-bench NAME...` some of them. It prints a table, writes one line of JSON
//! for each figure to `target/bench/NAME.jsonl`, and draws a chart for each scenario into `docs/benchmarks/`.

mod backplane;
mod bare;
mod floor;
mod load;
mod measure;
mod node;
mod report;
mod scenario;
mod stage;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;

use measure::Machine;
use report::Figure;
use scenario::Scenario;
use stage::Stage;

/// Measures the fan-out.
#[derive(Debug, Parser)]
#[command(name = "fanfare-bench", version, about)]
struct Arguments {
    /// The scenarios to run, by name or prefix; all if none is given.
    scenarios: Vec<String>,
    /// How many pairs of node and floor are measured for each figure; 5 for published figures.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=100))]
    pairs: u8,
    /// Only lists the scenarios.
    #[arg(long)]
    list: bool,
    /// The folder for lines of JSON.
    #[arg(long, default_value = "target/bench", value_name = "FOLDER")]
    lines: PathBuf,
    /// The folder for charts.
    #[arg(long, default_value = "docs/benchmarks", value_name = "FOLDER")]
    charts: PathBuf,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(1)
        }
    }
}

/// Runs the requested scenarios; returns whether all of them succeeded.
fn run(arguments: &Arguments) -> Result<bool> {
    let mut out = std::io::stdout();
    if arguments.list {
        for scenario in scenario::ALL {
            writeln!(out, "{:20} {}", scenario.name, scenario.about)?;
        }
        return Ok(true);
    }
    let chosen = choose(&arguments.scenarios)?;
    for folder in [&arguments.lines, &arguments.charts] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let stage = Stage::prepare(&arguments.lines, arguments.pairs.into())?;
    let machine = Machine::here(processors, stage.cpus.describe());
    eprintln!("{}", machine.describe());
    let (mut figures, mut failed) = (Vec::new(), Vec::new());
    let begun = Instant::now();
    for (number, scenario) in (1..).zip(&chosen) {
        let (name, all, seconds) = (scenario.name, chosen.len(), begun.elapsed().as_secs());
        eprintln!("[{number}/{all}] {name} ({seconds} s)");
        match measure(scenario, &stage, arguments, &machine) {
            Ok(found) => figures.extend(found),
            Err(error) => {
                eprintln!("  failed: {error:#}");
                failed.push(name);
            }
        }
    }
    writeln!(out, "\n{}\n\n{}", machine.describe(), report::table(&figures))?;
    writeln!(out, "{} in {} s", counted(figures.len(), failed.len()), begun.elapsed().as_secs())?;
    Ok(failed.is_empty())
}

fn measure(scenario: &Scenario, stage: &Stage, arguments: &Arguments, machine: &Machine) -> Result<Vec<Figure>> {
    let figures = scenario.run(stage)?;
    // It has printed why there are none; the results of an earlier run stay.
    if figures.is_empty() {
        return Ok(figures);
    }
    report::write_lines(&arguments.lines, scenario.name, &figures)?;
    let path = arguments.charts.join(format!("{}.svg", scenario.name));
    fs::write(&path, report::chart(scenario.name, scenario.about, &figures, machine))
        .with_context(|| path.display().to_string())?;
    Ok(figures)
}

fn choose(names: &[String]) -> Result<Vec<&'static Scenario>> {
    for name in names {
        let known = scenario::ALL.iter().any(|scenario| scenario.is_called(name));
        let all: Vec<&str> = scenario::ALL.iter().map(|scenario| scenario.name).collect();
        anyhow::ensure!(known, "there is no scenario {name:?}; there are: {}", all.join(", "));
    }
    let asked = |scenario: &&Scenario| names.is_empty() || names.iter().any(|name| scenario.is_called(name));
    Ok(scenario::ALL.iter().filter(asked).collect())
}

fn counted(figures: usize, failed: usize) -> String {
    match failed {
        0 => format!("{figures} figures"),
        failed => format!("{figures} figures; {failed} scenarios failed"),
    }
}
