// What became of an event: the rows of its card. Pure.

import { counted, number, time } from "./words.js";

const OUTCOMES = {
  new: ["news", ""],
  duplicate: ["in the log before: dropped", "warn"],
  stale: ["older than what is known of its key: dropped", "warn"],
  dead_letter: ["a dead letter", "bad"],
};

const ms = (value) => `${number(value)} ms`;

/** What is shown of one record of an event: its name, its value, and how bad that is. */
export function eventRows(event) {
  const { nodes, slowest } = event;
  const waits = nodes.flatMap(({ notifications }) => notifications.map(({ waits }) => waits)).find((id) => id !== undefined);
  const waiting = sum(nodes, ({ waiting = 0 }) => waiting);
  return [
    ["outcome", ...outcome(nodes)],
    ["because", nodes.find(({ reason }) => reason !== undefined)?.reason, "warn"],
    ...notifications(nodes),
    ...passedBy(event),
    ["sent to", sentTo(event)],
    ["slowest", slowest && `${slowest.connection} on ${slowest.node}, ${ms(slowest.ms)} after it was stored, at most`],
    ["waiting", waiting > 0 ? `${counted(waiting, "connection")} have not taken it yet, such as ${waits}` : undefined, "warn"],
    ["read", nodes.map(({ node, read_ms: after }) => `${node} after ${ms(after)}`).join(", ")],
    ["stored", time(event.stored)],
    ["org", event.org],
    ["source", event.source],
    ["id", event.id],
    ["place", event.place],
    ["trace", event.trace_id],
  ];
}

/** The same for all nodes, or node by node where they differ. */
function outcome(nodes) {
  const said = new Map();
  for (const { node, outcome } of nodes) said.set(outcome, [...(said.get(outcome) ?? []), node]);
  const [[first]] = said;
  const word = (outcome) => OUTCOMES[outcome]?.[0] ?? outcome;
  if (said.size === 1) {
    return [`${word(first)}, on ${counted(nodes.length, "node")}`, OUTCOMES[first]?.[1] ?? ""];
  }
  return [[...said].map(([outcome, names]) => `${word(outcome)} on ${names.join(", ")}`).join("; "), "warn"];
}

/** Each notification once: what it is, and how many it has reached on all nodes. */
function notifications(nodes) {
  const byRoute = new Map();
  for (const one of nodes.flatMap(({ notifications }) => notifications)) {
    byRoute.set(one.route, [...(byRoute.get(one.route) ?? []), one]);
  }
  return [...byRoute].map(([route, all]) => {
    const [{ target, hub, groups, more_groups: more = 0 }] = all;
    const count = (key) => all.reduce((total, one) => total + (one[key] ?? 0), 0);
    const later = count("later") > 0 ? ` and ${number(count("later"))} once they have caught up` : "";
    const held = all.filter(({ throttled }) => throttled).length;
    const throttle = held > 0 ? `; held by a throttle, or replaced there by a newer one, on ${counted(held, "node")}` : "";
    const to = `${groups.join(", ")}${more > 0 ? `, and ${number(more)} more` : ""}`;
    return [`route ${route}`, `${target} on ${hub} to ${to}: ${counted(count("sent"), "connection")}${later}${throttle}`, held > 0 ? "warn" : ""];
  });
}

/** The routes that did not take it, each with the reason; or that there is none at all. */
function passedBy({ type, nodes }) {
  const rows = new Map();
  for (const { not_taken: none } of nodes) {
    for (const { route, reason } of none) rows.set(`not ${route}`, reason);
  }
  const more = Math.max(...nodes.map(({ more_not_taken: more = 0 }) => more));
  if (more > 0) rows.set("not others", counted(more, "more route"));
  const isNews = nodes.some(({ outcome }) => outcome === "new");
  if (isNews && rows.size === 0 && nodes.every(({ notifications }) => notifications.length === 0)) {
    rows.set("route", `none notifies anybody of ${type}`);
  }
  return [...rows];
}

function sentTo({ sent, nodes }) {
  const each = nodes.map((node) => [node.node, sum([node], (one) => one.sent + (one.later ?? 0))]).filter(([, count]) => count > 0);
  const where = each.length > 0 ? `: ${each.map(([node, count]) => `${node} ${number(count)}`).join(", ")}` : "";
  return `${counted(sent, "connection")}${where}`;
}

function sum(nodes, of) {
  return nodes.flatMap(({ notifications }) => notifications).reduce((total, one) => total + of(one), 0);
}

/** What is said where no node remembers the event: how far back they do. */
export function unknownEvent({ nodes, missing = [] }) {
  const each = nodes.map(({ node, events, since }) => (since === undefined ? `${node} none yet` : `${node} the newest ${number(events)}, since ${time(since)}`));
  const without = missing.length > 0 ? `; ${missing.join(", ")} gave no answer` : "";
  return `No node remembers it. They remember what they have read live: ${each.join("; ")}${without}. An older one may be a dead letter, or was never published.`;
}

/** Rows as text, for a message to somebody else. */
export function asText(title, rows) {
  const shown = rows.filter(([, value]) => value !== undefined && value !== null && value !== "");
  return [title, ...shown.map(([name, value]) => `  ${name}: ${value}`)].join("\n");
}
