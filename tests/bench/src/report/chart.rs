//! One chart for each scenario, as an SVG that is readable on white and on black.

use std::fmt::Write as _;

use super::figure::Figure;
use super::table::{number, range, with_unit};
use super::target::Target;
use crate::measure::Machine;

const WIDTH: u32 = 910;
/// The start and the largest length of bars.
const LEFT: u32 = 300;
const LENGTH: f64 = 300.0;
const TOP: u32 = 78;
const ROW: u32 = 44;

const STYLE: &str = "\
text{font:13px system-ui,sans-serif;fill:#1f2328}\
.title{font-size:17px;font-weight:600}\
.quiet{font-size:11.5px;fill:#59636e}\
.back{fill:#fff}.floor{fill:#c4ccd4}.good{fill:#2f6fd0}.bad{fill:#c2541b}.target{stroke:#1f2328;stroke-width:1.5}\
@media(prefers-color-scheme:dark){text{fill:#e6edf3}.quiet{fill:#9aa5b1}.back{fill:#0d1117}.floor{fill:#4b5561}\
.good{fill:#5b98f0}.bad{fill:#ee8a4f}.target{stroke:#e6edf3}}";

/// Draws the figures of one scenario.
pub(crate) fn chart(name: &str, about: &str, figures: &[Figure], machine: &Machine) -> String {
    let rows = u32::try_from(figures.len()).unwrap_or_default();
    let height = TOP + rows * ROW + 52;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n<title>{name}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"back\" width=\"{WIDTH}\" height=\"{height}\"/>\n"
    );
    text(&mut svg, 20, 30, "title", name);
    text(&mut svg, 20, 52, "quiet", about);
    for (row, figure) in (0..).zip(figures) {
        draw(&mut svg, TOP + row * ROW, figure);
    }
    let foot = TOP + rows * ROW;
    text(
        &mut svg,
        20,
        foot + 18,
        "quiet",
        "blue: Fanfare (orange where its target is missed), grey: the floor, line: the target",
    );
    text(&mut svg, 20, foot + 36, "quiet", &format!("{}. {}", machine.date, machine.describe()));
    svg.push_str("</svg>\n");
    svg
}

/// One figure: its bar, the floor's below it, the target across them, the numbers after them.
fn draw(svg: &mut String, y: u32, figure: &Figure) {
    let target = Target::of(figure);
    let most = target.and_then(|target| target.most(figure));
    let longest = [Some(figure.value), figure.floor, most].into_iter().flatten().fold(0.0, f64::max);
    let length = |value: f64| if longest > 0.0 { value / longest * LENGTH } else { 0.0 };
    let class = if target.is_none_or(|target| target.is_met(figure)) { "good" } else { "bad" };
    text(svg, 20, y + 15, "name", figure.figure);
    bar(svg, y + 4, 14, length(figure.value), class);
    if let Some(floor) = figure.floor {
        bar(svg, y + 19, 7, length(floor), "floor");
    }
    if let Some(most) = most.filter(|most| *most > 0.0) {
        let x = f64::from(LEFT) + length(most);
        // Writing to a String cannot fail.
        let _ = writeln!(svg, "<path class=\"target\" d=\"M{x:.1} {y}v30\"/>");
    }
    let x = LEFT + LENGTH as u32 + 16;
    text(svg, x, y + 15, "value", &headline(figure));
    text(svg, x, y + 31, "quiet", &details(figure));
}

fn headline(figure: &Figure) -> String {
    let value = with_unit(figure.value, figure.unit);
    figure.ratio.map_or(value.clone(), |ratio| format!("{value} = {ratio:.2} floors"))
}

fn details(figure: &Figure) -> String {
    let mut parts = Vec::new();
    if let Some(floor) = figure.floor {
        parts.push(format!("floor {}", number(floor)));
    }
    if let Some(spread) = figure.spread {
        parts.push(format!("{} in {} pairs", range(spread, figure.ratio.is_some()), figure.pairs));
    }
    match Target::of(figure) {
        Some(Target::Ratio(most)) => parts.push(format!("target {most:.2}")),
        Some(Target::Value(most)) => parts.push(format!("target {}", number(most))),
        None => {}
    }
    parts.join(", ")
}

fn bar(svg: &mut String, y: u32, height: u32, length: f64, class: &str) {
    // A bar of zero is still a line: there was a figure.
    let length = length.max(1.0);
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{LEFT}\" y=\"{y}\" width=\"{length:.1}\" height=\"{height}\" rx=\"2\"/>"
    );
}

fn text(svg: &mut String, x: u32, y: u32, class: &str, words: &str) {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(svg, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{words}</text>");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_names_its_figure_machine_and_date() {
        let figure = Figure {
            scenario: "broadcast_1k",
            figure: "cpu_us_per_delivery",
            unit: "us",
            value: 9.0,
            floor: Some(6.0),
            ratio: Some(1.5),
            pairs: 3,
            spread: Some([1.4, 1.6]),
        };
        let mut machine = Machine::here(2, "apart".into());
        machine.date = "2026-01-02".into();
        let svg = chart("broadcast_1k", "a < b", &[figure], &machine);
        for part in
            ["class=\"bad\"", "9 us = 1.50 floors", "1.40-1.60 in 3 pairs, target 1.15", "2026-01-02", "a &lt; b"]
        {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }
}
