//! Figures: the result of a scenario, one number each.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::measure::median;

/// The results of one turn, by the name of the figure.
pub(crate) type Readings = Vec<(&'static str, f64)>;

/// One number of a scenario.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub(crate) scenario: &'static str,
    pub(crate) figure: &'static str,
    pub(crate) unit: &'static str,
    /// The median of all turns; of counts the largest.
    pub(crate) value: f64,
    /// The median of the floor.
    pub(crate) floor: Option<f64>,
    /// The median of the ratios of all pairs.
    pub(crate) ratio: Option<f64>,
    pub(crate) pairs: usize,
    /// The smallest and the largest ratio, or value if there is no ratio.
    pub(crate) spread: Option<[f64; 2]>,
}

/// The unit of a figure, by its name.
fn unit(figure: &str) -> &'static str {
    const UNITS: [(&str, &str); 7] = [
        ("bytes", "bytes"),
        ("instructions", "instructions"),
        ("_per_second", "1/s"),
        ("cpu_us", "us"),
        ("_ms", "ms"),
        ("ns_", "ns"),
        ("", "count"),
    ];
    UNITS.iter().find(|(part, _)| figure.contains(part)).map_or("count", |(_, unit)| unit)
}

impl Figure {
    /// Summarises the turns of a scenario. `floors` has one turn more than `turns`: each turn is between two of them.
    pub(crate) fn sum_up(scenario: &'static str, turns: &[Readings], floors: &[Readings]) -> Vec<Self> {
        let names = turns.first().into_iter().flatten().map(|(name, _)| *name);
        names.map(|name| Self::one(scenario, name, turns, floors)).collect()
    }

    fn one(scenario: &'static str, figure: &'static str, turns: &[Readings], floors: &[Readings]) -> Self {
        let of = |readings: &Readings| readings.iter().find(|(name, _)| *name == figure).map(|(_, value)| *value);
        let values: Vec<f64> = turns.iter().filter_map(of).collect();
        let around: Vec<f64> = floors
            .windows(2)
            .filter_map(|pair| Some(f64::midpoint(of(&pair[0])?, of(&pair[1])?)))
            .filter(|floor| *floor > 0.0)
            .collect();
        let ratios: Vec<f64> = values.iter().zip(&around).map(|(value, floor)| value / floor).collect();
        let compared = ratios.len() == values.len();
        let unit = unit(figure);
        let value = if unit == "count" { largest(&values) } else { median(&values) };
        let shown = if compared { &ratios } else { &values };
        Self {
            scenario,
            figure,
            unit,
            value: rounded(value),
            floor: compared.then(|| rounded(median(&around))),
            ratio: compared.then(|| rounded(median(&ratios))),
            pairs: values.len(),
            spread: (values.len() > 1).then(|| [rounded(-largest_of(shown, |v| -v)), rounded(largest(shown))]),
        }
    }
}

fn largest(values: &[f64]) -> f64 {
    largest_of(values, |value| value)
}

fn largest_of(values: &[f64], what: impl Fn(f64) -> f64) -> f64 {
    values.iter().map(|value| what(*value)).fold(f64::NEG_INFINITY, f64::max)
}

/// Rounds to four significant digits: no measurement here is better.
fn rounded(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return 0.0;
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}

/// Writes the figures of a scenario as lines of JSON.
pub(crate) fn write_lines(folder: &Path, scenario: &str, figures: &[Figure]) -> Result<()> {
    let path = folder.join(format!("{scenario}.jsonl"));
    let mut file = fs::File::create(&path).with_context(|| path.display().to_string())?;
    for figure in figures {
        writeln!(file, "{}", serde_json::to_string(figure)?)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_compared_with_the_floor_on_both_sides_of_it() {
        let turns = [vec![("cpu_us_per_delivery", 9.0)], vec![("cpu_us_per_delivery", 16.0)]];
        let floors = [6.0, 12.0, 4.0].map(|value| vec![("cpu_us_per_delivery", value)]);
        let [figure] = &Figure::sum_up("x", &turns, &floors)[..] else { panic!("one figure") };
        assert_eq!(
            serde_json::to_string(figure).expect("json"),
            r#"{"scenario":"x","figure":"cpu_us_per_delivery","unit":"us","value":12.5,"floor":8.5,"ratio":1.5,"pairs":2,"spread":[1.0,2.0]}"#
        );
    }

    #[test]
    fn without_a_floor_the_values_are_spread_and_counts_are_the_worst() {
        let turns = [vec![("failures", 0.0)], vec![("failures", 3.0)], vec![("failures", 1.0)]];
        let [figure] = &Figure::sum_up("x", &turns, &[])[..] else { panic!("one figure") };
        assert_eq!((figure.value, figure.unit, figure.floor), (3.0, "count", None));
        assert_eq!(figure.spread, Some([0.0, 3.0]));
    }

    #[test]
    fn units_follow_from_names() {
        let units = ["latency_p99_ms", "rss_bytes_per_connection", "ns_per_event", "listen_overflows"].map(unit);
        assert_eq!(units, ["ms", "bytes", "ns", "count"]);
        assert!((rounded(1234.567) - 1235.0).abs() < 1e-9 && (rounded(0.012_345_6) - 0.012_35).abs() < 1e-9);
    }
}
