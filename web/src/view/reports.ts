import type { Flags } from "../state/flags.ts";
import { testid } from "../testids.ts";
import { REPORTS_FLAG } from "./demo.ts";
import { fill, h, svg } from "./dom.ts";
import { icon } from "./icons.ts";

// Sample figures, so that both designs show the same.
const DAYS: readonly (readonly [day: string, toasts: number, flags: number])[] = [
  ["Mon", 1240, 210],
  ["Tue", 1620, 180],
  ["Wed", 1510, 420],
  ["Thu", 2180, 260],
  ["Fri", 2640, 310],
  ["Sat", 890, 40],
  ["Sun", 760, 60],
];
const NUMBER = new Intl.NumberFormat();

/** The reports of the org; a feature flag switches them to a new design. */
export function reportsPanel(flags: Flags): HTMLElement {
  const panel = h("section", { class: "panel reports", testid: testid.reports, attrs: { "aria-label": "Reports" } });
  let shown: boolean | undefined;

  function show(): void {
    const beta = flags.isOn(REPORTS_FLAG);
    if (beta === shown) {
      return;
    }
    shown = beta;
    panel.dataset["design"] = beta ? "beta" : "classic";
    fill(panel, head(beta), beta ? betaDesign() : classicDesign());
  }

  show();
  flags.changes.listen(show);
  return panel;
}

function head(beta: boolean): HTMLElement {
  return h(
    "header",
    { class: "panel-head" },
    icon("chart"),
    h("h2", {}, "Reports"),
    beta ? h("span", { class: "badge accent" }, "New design") : h("span", { class: "badge" }, "Classic"),
  );
}

function classicDesign(): HTMLElement {
  const rows = DAYS.map(([day, toasts, flags]) =>
    h(
      "tr",
      {},
      h("th", { attrs: { scope: "row" } }, day),
      h("td", {}, NUMBER.format(toasts)),
      h("td", {}, NUMBER.format(flags)),
    ),
  );
  const headings = ["Day", "Toasts", "Flag changes"].map((text) => h("th", { attrs: { scope: "col" } }, text));
  return h(
    "div",
    { class: "design" },
    h("table", { class: "table" }, h("thead", {}, h("tr", {}, ...headings)), h("tbody", {}, ...rows)),
    h(
      "p",
      { class: "muted small" },
      "Sample figures. The flag ",
      h("code", {}, REPORTS_FLAG),
      " switches to the new design.",
    ),
  );
}

function betaDesign(): HTMLElement {
  const toasts = DAYS.reduce((sum, [, count]) => sum + count, 0);
  const flags = DAYS.reduce((sum, [, , count]) => sum + count, 0);
  const best = DAYS.reduce((most, day) => (day[1] > most[1] ? day : most));
  return h(
    "div",
    { class: "design beta" },
    h(
      "dl",
      { class: "figures" },
      figure("Toasts this week", NUMBER.format(toasts)),
      figure("Flag changes", NUMBER.format(flags)),
      figure("Busiest day", best[0]),
    ),
    chart(),
    h(
      "p",
      { class: "muted small" },
      "Sample figures, in the design that ",
      h("code", {}, REPORTS_FLAG),
      " switches on.",
    ),
  );
}

function figure(label: string, value: string): HTMLElement {
  return h("div", { class: "figure" }, h("dt", {}, label), h("dd", {}, value));
}

/** A chart of the week: one bar a day, the busiest in full colour. */
function chart(): HTMLElement {
  const top = Math.max(...DAYS.map(([, count]) => count));
  const width = 100 / DAYS.length;
  const bars = DAYS.map(([, count], index) => {
    const height = (count / top) * 46;
    return svg("rect", {
      x: index * width + width * 0.18,
      y: 48 - height,
      width: width * 0.64,
      height,
      rx: 1.2,
      class: count === top ? "bar top" : "bar",
    });
  });
  const lines = [2, 17.3, 32.6, 48].map((y) => svg("path", { d: `M0 ${y}H100`, class: "gridline" }));
  const words = DAYS.map(([day, count]) => `${day} ${NUMBER.format(count)}`).join(", ");
  const picture = svg(
    "svg",
    {
      viewBox: "0 0 100 49",
      preserveAspectRatio: "none",
      class: "chart",
      role: "img",
      "aria-label": `Toasts per day: ${words}`,
    },
    ...lines,
    ...bars,
  );
  const labels = DAYS.map(([day]) => h("span", {}, day));
  return h(
    "figure",
    { class: "chart-box" },
    picture,
    h("figcaption", { class: "chart-days", attrs: { "aria-hidden": "true" } }, ...labels),
  );
}
