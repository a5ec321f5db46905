/** The page's icons: 24 by 24, drawn in the colour of the text around them. */

import { svg } from "./dom.ts";

const PATHS = {
  info: ["M12 11v6", "M12 7.5v.01", "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18Z"],
  success: ["M8 12.4l2.7 2.7L16 9.6", "M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18Z"],
  warning: [
    "M12 9.5v4",
    "M12 17v.01",
    "M10.3 4.3 2.9 17.2A2 2 0 0 0 4.6 20h14.8a2 2 0 0 0 1.7-2.8L13.7 4.3a2 2 0 0 0-3.4 0Z",
  ],
  error: ["M12 7.5v5.5", "M12 16.5v.01", "M8.3 3h7.4L21 8.3v7.4L15.7 21H8.3L3 15.7V8.3Z"],
  close: ["M6.5 6.5l11 11", "M17.5 6.5l-11 11"],
  flag: ["M6 21V4", "M6 4.5c4-2 7 2 12 0v9c-5 2-8-2-12 0"],
  bell: ["M6.5 10a5.5 5.5 0 0 1 11 0c0 5 2 6.5 2 6.5h-15s2-1.5 2-6.5Z", "M10.2 19.6a2 2 0 0 0 3.6 0"],
  download: ["M12 4v11", "M7.5 11 12 15.5 16.5 11", "M5 20h14"],
  file: ["M7 3h7l4 4v14H7Z", "M14 3v4h4", "M10 12.5h5", "M10 16h5"],
  chart: ["M4 20h16", "M7 16v-4", "M12 16V6", "M17 16V9.5"],
  people: [
    "M9 11.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Z",
    "M3 19.5c.6-3.4 3-5 6-5s5.4 1.6 6 5",
    "M16 5a3.3 3.3 0 0 1 0 6.3",
    "M18 14.8c1.7.7 2.7 2.2 3 4.7",
  ],
  license: ["M4 5.5h16v13H4Z", "M8 10h8", "M8 14h4"],
  moon: ["M20 14.2A8.2 8.2 0 0 1 9.8 4a8.2 8.2 0 1 0 10.2 10.2Z"],
  sun: [
    "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8Z",
    "M12 2.5v2",
    "M12 19.5v2",
    "M2.5 12h2",
    "M19.5 12h2",
    "M5.3 5.3l1.4 1.4",
    "M17.3 17.3l1.4 1.4",
    "M5.3 18.7l1.4-1.4",
    "M17.3 6.7l1.4-1.4",
  ],
  tab: ["M4 6.5h16v12H4Z", "M4 10h16", "M10 6.5V10"],
  out: ["M14 4.5h5v15h-5", "M4 12h11", "M8 8l-4 4 4 4"],
  swap: ["M7 4 3.5 7.5 7 11", "M3.5 7.5H17", "M17 13l3.5 3.5L17 20", "M20.5 16.5H7"],
  trash: ["M5 7h14", "M10 7V4.5h4V7", "M7 7l.8 12.5h8.4L17 7"],
  plus: ["M12 5v14", "M5 12h14"],
  shield: ["M12 3l7 2.5V11c0 5-3 8-7 10-4-2-7-5-7-10V5.5Z"],
  external: ["M13 5h6v6", "M19 5l-8.5 8.5", "M16 14v5H5V8h5"],
  chevron: ["M7 10l5 5 5-5"],
} as const;

export type IconName = keyof typeof PATHS;

export function icon(name: IconName, label?: string): SVGElement {
  const paths = PATHS[name].map((d) => svg("path", { d }));
  const named: Record<string, string> =
    label === undefined ? { "aria-hidden": "true" } : { role: "img", "aria-label": label };
  return svg(
    "svg",
    {
      viewBox: "0 0 24 24",
      class: "icon",
      fill: "none",
      stroke: "currentColor",
      "stroke-width": "1.8",
      "stroke-linecap": "round",
      "stroke-linejoin": "round",
      ...named,
    },
    ...paths,
  );
}

/** Fanfare's mark: one source, three tabs. */
export function mark(): SVGElement {
  const rays = ["M13.2 13.1 20.6 8.6", "M14 16h8", "M13.2 18.9l7.4 4.5"].map((d) => svg("path", { d }));
  const dots = [
    [9, 16, 3.2],
    [23.6, 7, 2.1],
    [25.4, 16, 2.1],
    [23.6, 25, 2.1],
  ].map(([cx = 0, cy = 0, r = 0]) => svg("circle", { cx, cy, r }));
  return svg(
    "svg",
    { viewBox: "0 0 32 32", class: "mark", "aria-hidden": "true" },
    svg("rect", { width: 32, height: 32, rx: 8, class: "mark-ground" }),
    svg("g", { fill: "none", stroke: "#fff", "stroke-width": 2.6, "stroke-linecap": "round" }, ...rays),
    svg("g", { fill: "#fff" }, ...dots),
  );
}
