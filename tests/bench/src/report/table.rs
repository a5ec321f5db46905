//! The table on the terminal.

use super::figure::Figure;
use super::target::Target;

const HEAD: [&str; 7] = ["scenario", "figure", "value", "floor", "ratio", "spread", "target"];

/// The figures as a table, with their targets and whether they were met.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    let mut last = "";
    for figure in figures {
        let scenario = if figure.scenario == last { "" } else { figure.scenario };
        last = figure.scenario;
        rows.push([
            scenario.to_owned(),
            figure.figure.to_owned(),
            with_unit(figure.value, figure.unit),
            figure.floor.map(number).unwrap_or_default(),
            figure.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            figure.spread.map(|spread| range(spread, figure.ratio.is_some())).unwrap_or_default(),
            target(figure),
        ]);
    }
    let widths: Vec<usize> =
        (0..HEAD.len()).map(|at| rows.iter().map(|row| row[at].len()).max().unwrap_or_default()).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(&widths).enumerate();
        // Text left-aligned, numbers right-aligned.
        let cells = cells.map(|(at, (cell, &width))| match at {
            2..=5 => format!("{cell:>width$}"),
            _ => format!("{cell:width$}"),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// The target, and whether it was met.
pub(super) fn target(figure: &Figure) -> String {
    let Some(target) = Target::of(figure) else { return String::new() };
    let most = match target {
        Target::Value(most) => with_unit(most, figure.unit),
        Target::Ratio(most) => format!("x {most:.2}"),
    };
    let outcome = if target.is_met(figure) { "met" } else { "MISSED" };
    format!("{outcome} (<= {most})")
}

pub(super) fn with_unit(value: f64, unit: &str) -> String {
    match unit {
        "count" => number(value),
        "instructions" => format!("{} instr", number(value)),
        unit => format!("{} {unit}", number(value)),
    }
}

/// A smallest and a largest value, or ratio.
pub(super) fn range([low, high]: [f64; 2], of_ratios: bool) -> String {
    if of_ratios { format!("{low:.2}-{high:.2}") } else { format!("{}-{}", number(low), number(high)) }
}

/// A number with its significant digits.
pub(super) fn number(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 || value.fract() == 0.0 => format!("{value:.0}"),
        medium if medium >= 10.0 => format!("{value:.1}"),
        medium if medium >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_target_is_shown() {
        let figure = |figure, ratio| Figure {
            scenario: "broadcast_1k",
            figure,
            unit: "us",
            value: 9.876,
            floor: Some(6.58),
            ratio: Some(ratio),
            pairs: 3,
            spread: Some([1.41, 1.6]),
        };
        let text = table(&[figure("cpu_us_per_delivery", 1.5), figure("other", 1.5)]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "broadcast_1k  cpu_us_per_delivery  9.88 us   6.58   1.50  1.41-1.60  MISSED (<= x 1.15)");
        assert!(lines[2].starts_with("              other"));
    }
}
