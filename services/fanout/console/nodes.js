// The nodes: those that answer, those that do not, and those that are gone.

import { Cards, at } from "./element.js";
import { bytes, counts, duration, number } from "./words.js";

/** For how long a node that is gone is shown. */
const SHOWN_SECONDS = 3600;

const cards = new Cards(at("nodes"));

export function showNodes({ asked, nodes, missing = [], gone = [] }) {
  cards.show([
    ...missing.map((node) => [node.node, node.node, silent(node)]),
    ...nodes.map((node) => [node.node, node.node, rows(node, asked)]),
    ...gone
      .filter((node) => node.ended_seconds < SHOWN_SECONDS)
      .toReversed()
      .map((node) => [node.node, node.node, ended(node)]),
  ]);
}

function rows(node, asked) {
  const { counters, log } = node;
  const some = (count) => (count > 0 ? number(count) : undefined);
  return [
    ["state", ...state(node)],
    ["because", node.degraded.join("; "), "warn"],
    ["connections", `${number(node.connections)} of ${number(node.capacity)}`],
    ["by transport", counts(node.transports)],
    ["behind", `${log.lag_seconds.toFixed(1)} s, ${number(log.lag_records)} records`, log.lag_seconds > 10 ? "bad" : ""],
    ["disk", log.disk],
    ["memory", bytes(node.memory_bytes)],
    ["ended as slow", some(counters.slow_consumers), "warn"],
    ["closed", counts(node.closes)],
    ["refused", counts(node.refused), "warn"],
    ["dead letters", counts(node.letters) || some(counters.dead_letters), "warn"],
    ["held back from other orgs", some(counters.isolation_drops)],
    ["routes", node.routes_refused ? `${node.routes} (the files are refused)` : node.routes, node.routes_refused ? "warn" : ""],
    ["runs", `${duration(node.uptime_seconds)}, version ${node.version}${node.node === asked ? "; this page asks it" : ""}`],
  ];
}

function state(node) {
  if (node.draining) return ["draining", "warn"];
  if (!node.ready) return [`not ready: ${node.reason}`, "bad"];
  return node.degraded.length > 0 ? ["degraded", "warn"] : ["ready", "good"];
}

function silent({ reason, address, lease_seconds: lease }) {
  return [
    ["state", "does not answer", "bad"],
    ["because", reason],
    ["asked at", address],
    ["last lease", lease === undefined ? "never read" : `${duration(lease)} ago`],
  ];
}

function ended(node) {
  return [
    ["state", node.died ? "died" : "left", node.died ? "warn" : "quiet"],
    ["last lease", `${duration(node.lease_seconds)} ago`],
    ["lease ended", `${duration(node.ended_seconds)} ago`],
  ];
}
