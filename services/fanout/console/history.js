// The last minutes of a figure as a line. Where nobody looked, or no node answered, the line has a gap.

/** How far back a line goes. */
export const SHOWN_MS = 180_000;

/** What is further apart than this has a gap between it: a look comes every two seconds. */
const GAP_MS = 6000;

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 120;
const HEIGHT = 24;

/** Points of time and value; those that are too old are dropped. */
export function remember(points, now, value) {
  const kept = points.filter(({ at }) => now - at <= SHOWN_MS);
  return value === undefined ? kept : [...kept, { at: now, value }];
}

/** The line as a path: a stroke for each time without a gap, and a dot where there is one point alone. */
export function line(points, now) {
  const most = Math.max(...points.map(({ value }) => value), 1e-9);
  const x = ({ at }) => (WIDTH - ((now - at) / SHOWN_MS) * WIDTH).toFixed(1);
  const y = ({ value }) => (HEIGHT - 1 - (value / most) * (HEIGHT - 2)).toFixed(1);
  return points
    .map((point, number) => {
      const before = points[number - 1];
      const begins = before === undefined || point.at - before.at > GAP_MS;
      const after = points[number + 1];
      const isAlone = begins && (after === undefined || after.at - point.at > GAP_MS);
      return `${begins ? "M" : "L"}${x(point)} ${y(point)}${isAlone ? "h0.5" : ""}`;
    })
    .join("");
}

/** An element for a line, which `draw` fills. */
export function chart() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(SVG, "path"));
  return svg;
}

export function draw(svg, points, now) {
  svg.firstChild.setAttribute("d", line(points, now));
}
