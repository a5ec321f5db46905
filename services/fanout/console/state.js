// What the nodes' own words come to: a verdict, and what passes in a second. Pure.

import { counted, duration, number, rate } from "./words.js";

/** For how long a node that died is part of the verdict. */
const TOLD_SECONDS = 600;

const ORDER = ["good", "warn", "bad"];
const worst = (faults) => ORDER[Math.max(0, ...faults.map(([kind]) => ORDER.indexOf(kind)))];
const list = (nodes) => nodes.map(({ node }) => node).join(", ");

/** One sentence on all nodes, what is wrong one by one, and how bad it is. */
export function verdict({ nodes, missing = [], gone = [] }) {
  const faults = [];
  for (const node of nodes.filter((node) => !node.ready)) {
    faults.push(["bad", `${node.node} is not ready: ${node.reason}`]);
  }
  for (const node of missing) {
    faults.push(["bad", `${node.node} does not answer: ${node.reason}${lease(node)}`]);
  }
  for (const [reason, having] of byReason(nodes)) {
    faults.push(["warn", `${having.length === nodes.length && nodes.length > 1 ? "all nodes" : list(having)}: ${reason}`]);
  }
  const refused = nodes.filter((node) => node.routes_refused);
  if (refused.length > 0) {
    faults.push(["warn", `${list(refused)}: the route files have a fault or need a start; the log says which`]);
  }
  const routes = new Set(nodes.map((node) => node.routes)).size;
  if (routes > 1) {
    faults.push(["warn", `the nodes have ${routes} different sets of routes`]);
  }
  const word = { good: "Ready", warn: "Degraded", bad: "Something is down" }[worst(faults)];
  // What has died is told, and whether another took its place nobody here can know.
  const dead = gone.filter((node) => node.died && node.ended_seconds < TOLD_SECONDS);
  dead.forEach((node) => faults.push(["warn", `${node.node} died: its lease was read ${duration(node.lease_seconds)} ago`]));
  const kind = worst(faults);
  const tabs = nodes.reduce((sum, node) => sum + node.connections, 0);
  const same = routes === 1 && nodes.length > 1 ? ", all with the same routes" : "";
  const answer = nodes.length === 1 ? "answers" : "answer";
  const text = `${word}: ${counted(nodes.length, "node")} ${answer}${same}, ${counted(tabs, "open connection")}; ${log(nodes)}${dead.length > 0 ? `; ${counted(dead.length, "node")} died of late` : ""}.`;
  return { text, kind, faults };
}

function lease({ lease_seconds: seconds }) {
  return seconds === undefined ? "" : ` (its lease was read ${duration(seconds)} ago)`;
}

function byReason(nodes) {
  const reasons = new Map();
  for (const node of nodes) {
    node.degraded.forEach((reason) => reasons.set(reason, [...(reasons.get(reason) ?? []), node]));
  }
  return reasons;
}

/** How durable the log is. */
function log(nodes) {
  const broker = { nats: "NATS", kafka: "Kafka", embedded: "the node itself" }[nodes[0]?.log.broker] ?? "unknown";
  const away = nodes.filter((node) => !node.log.connected).length;
  if (away > 0) {
    return `the log is in ${broker}, which ${counted(away, "node")} cannot reach`;
  }
  const risks = new Set(nodes.flatMap((node) => node.log.risks));
  return `the log is in ${broker}${risks.size > 0 ? ", which may lose what it has acknowledged" : ""}`;
}

/** What passed each node in a second, since the look before; nothing for one that was not there then. */
function rates(now, before, key) {
  const seconds = before === undefined ? 0 : (now.at - before.at) / 1000;
  if (seconds <= 0) return [];
  const earlier = new Map(before.nodes.map((node) => [node.node, node.counters[key]]));
  const both = now.nodes.filter((node) => earlier.has(node.node));
  return both.map((node) => Math.max(0, node.counters[key] - earlier.get(node.node)) / seconds);
}

/** The steps of an event's way, each with the amount that its line draws; nothing where that is not known. Each node reads and routes all events, and pushes to its own tabs. */
export function pipeline(now, before) {
  const { nodes } = now;
  const most = (values) => (values.length > 0 ? Math.max(...values) : undefined);
  const sum = (values) => (values.length > 0 ? values.reduce((all, value) => all + value, 0) : undefined);
  const head = Math.max(0, ...nodes.map(({ log }) => log.head));
  const lag = Math.max(0, ...nodes.map(({ log }) => log.lag_seconds));
  const records = Math.max(0, ...nodes.map(({ log }) => log.lag_records));
  const tabs = sum(nodes.map((node) => node.connections)) ?? 0;
  const room = sum(nodes.map((node) => node.capacity)) ?? 0;
  const [read, made] = ["events_read", "notifications"].map((key) => most(rates(now, before, key)));
  const pushed = sum(rates(now, before, "deliveries"));
  const cut = nodes.some(({ log }) => !log.connected);
  return [
    { title: "records in the log", value: number(head), note: cut ? "not reached" : rate(read), amount: cut ? undefined : read, kind: cut ? "bad" : "" },
    { title: "behind, at most", value: `${lag.toFixed(lag > 0 && lag < 10 ? 1 : 0)} s`, note: counted(records, "record"), amount: lag, kind: lag > 10 ? "bad" : lag > 2 ? "warn" : "" },
    { title: "notifications made", value: rate(made), note: "by routes", amount: made, kind: nodes.some((node) => node.routes_refused) ? "warn" : "" },
    { title: "pushed to tabs", value: rate(pushed), note: "on all nodes", amount: pushed, kind: "" },
    { title: "open connections", value: number(tabs), note: `of ${number(room)}`, amount: tabs, kind: tabs > room * 0.9 ? "warn" : "" },
  ];
}
