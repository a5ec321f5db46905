import { safeLink, type LinkBases } from "../links.ts";
import type { Activity, ActivityItem } from "../state/activity.ts";
import { testid } from "../testids.ts";
import { h, KeyedList } from "./dom.ts";
import { moment } from "./format.ts";
import { icon } from "./icons.ts";
import { linkOf, type Download } from "./link.ts";

/** The list of what this tab has received. */
export function activityPanel(activity: Activity, bases: LinkBases, download: Download): HTMLElement {
  const list = h("ol", { class: "activity-list" });
  const clear = h("button", { class: "link", attrs: { type: "button" }, onclick: () => activity.clear() }, "Clear");
  const panel = h(
    "aside",
    { class: "panel activity", testid: testid.activity, attrs: { "aria-label": "Activity" } },
    h("header", { class: "panel-head" }, icon("bell"), h("h2", {}, "Activity"), clear),
    list,
  );

  const lines = new KeyedList<ActivityItem>(
    list,
    (item) => item.key,
    (item) => line(item, bases, download),
  );

  function show(): void {
    const items = activity.list();
    clear.hidden = items.length === 0;
    lines.show(items, nothing());
  }

  show();
  activity.changes.listen(show);
  return panel;
}

function line(item: ActivityItem, bases: LinkBases, download: Download): HTMLElement {
  const link = safeLink(item.link, bases);
  const at = h("time", { attrs: { datetime: new Date(item.at).toISOString() } }, moment(item.at, Date.now()));
  return h(
    "li",
    {
      class: "activity-item",
      testid: testid.activityItem,
      attrs: { "data-severity": item.severity, "data-kind": item.kind },
    },
    h("span", { class: "activity-icon" }, icon(item.kind === "flag" ? "flag" : item.severity)),
    h(
      "div",
      {},
      h("p", { class: "activity-title" }, item.title || item.message),
      item.title !== "" && item.message !== "" && h("p", { class: "activity-message" }, item.message),
      h("p", { class: "activity-foot" }, at, link && linkOf(link, "activity-link", download)),
    ),
  );
}

function nothing(): HTMLElement {
  return h(
    "li",
    { class: "empty" },
    icon("bell"),
    h("p", {}, "Nothing yet."),
    h("p", { class: "muted" }, "What arrives over the connection is listed here."),
  );
}
