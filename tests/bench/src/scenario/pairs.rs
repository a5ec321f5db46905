//! Turns of node and floor, one after another: F N F N F N F.
//!
//! A machine with other load varies in speed. Each turn of the node is compared with the floor right before and right
//! after it.

use anyhow::Result;

use crate::report::{Figure, Readings};
use crate::stage::Stage;

/// Measures both, in turns, and summarises.
pub(super) fn interleave(
    stage: &Stage,
    scenario: &'static str,
    what: &str,
    mut floor: impl FnMut() -> Result<Readings>,
    mut node: impl FnMut() -> Result<Readings>,
) -> Result<Vec<Figure>> {
    let mut floors = vec![floor()?];
    let mut turns = Vec::new();
    for pair in 1..=stage.pairs {
        stage.say(&format!("{what}: pair {pair} of {}", stage.pairs));
        turns.push(node()?);
        floors.push(floor()?);
    }
    Ok(Figure::sum_up(scenario, &turns, &floors))
}

/// Measures a figure without a floor, as often.
pub(super) fn alone(
    stage: &Stage,
    scenario: &'static str,
    mut node: impl FnMut() -> Result<Readings>,
) -> Result<Vec<Figure>> {
    let mut turns = Vec::new();
    for turn in 1..=stage.pairs {
        stage.say(&format!("turn {turn} of {}", stage.pairs));
        turns.push(node()?);
    }
    Ok(Figure::sum_up(scenario, &turns, &[]))
}
