// What the console makes of what nodes say: its sentence, and what passes in a second.

import assert from "node:assert/strict";
import { test } from "node:test";
import { SHOWN_MS, line, remember } from "../../services/fanout/console/history.js";
import { momentText } from "../../services/fanout/console/moments.js";
import { asText, eventRows, unknownEvent } from "../../services/fanout/console/path.js";
import { pipeline, verdict } from "../../services/fanout/console/state.js";
import { plain } from "../../services/fanout/console/words.js";

function node(name, more = {}, log = {}, counters = {}) {
  return {
    node: name,
    ready: true,
    degraded: [],
    connections: 2,
    capacity: 10,
    routes: "abc",
    routes_refused: false,
    log: { broker: "nats", connected: true, risks: [], head: 7, position: 7, lag_records: 0, lag_seconds: 0, ...log },
    counters: { events_read: 0, notifications: 0, deliveries: 0, ...counters },
    ...more,
  };
}

const kindAndText = (states) => {
  const { kind, text } = verdict(states);
  return `${kind}: ${text}`;
};

test("the sentence says how many nodes answer, and the worst of them", () => {
  const well = [node("a"), node("b")];
  const all = "2 nodes answer, all with the same routes, 4 open connections";
  assert.equal(kindAndText({ nodes: well }), `good: Ready: ${all}; the log is in NATS.`);
  assert.equal(kindAndText({ nodes: [node("a")] }), "good: Ready: 1 node answers, 2 open connections; the log is in NATS.");
  const missing = [{ node: "c", reason: "Connection refused", lease_seconds: 4 }];
  assert.equal(kindAndText({ nodes: well, missing }), `bad: Something is down: ${all}; the log is in NATS.`);
  assert.deepEqual(verdict({ nodes: well, missing }).faults, [
    ["bad", "c does not answer: Connection refused (its lease was read 4 s ago)"],
  ]);
  const gone = [
    { node: "c", died: true, lease_seconds: 60, ended_seconds: 48 },
    { node: "d", died: false, lease_seconds: 9, ended_seconds: 8 },
    { node: "e", died: true, lease_seconds: 1000, ended_seconds: 988 },
  ];
  assert.equal(kindAndText({ nodes: well, gone }), `warn: Ready: ${all}; the log is in NATS; 1 node died of late.`);
});

test("what is degraded is told once for all who say it", () => {
  const degraded = (nodes) => verdict({ nodes });
  const many = { degraded: ["many connections"] };
  assert.deepEqual(degraded([node("a", many), node("b", many)]).faults, [["warn", "all nodes: many connections"]]);
  assert.deepEqual(degraded([node("a", many), node("b")]).faults, [["warn", "a: many connections"]]);
  assert.equal(degraded([node("a", many), node("b")]).kind, "warn");
  const differing = degraded([node("a"), node("b", { routes: "def" })]);
  assert.deepEqual([differing.kind, differing.faults[0][1]], ["warn", "the nodes have 2 different sets of routes"]);
  const refused = degraded([node("a", { routes_refused: true })]);
  assert.match(refused.faults[0][1], /^a: the route files have a fault/);
  const down = degraded([node("a", { ready: false, reason: "draining" }), node("b", many)]);
  assert.deepEqual([down.kind, down.faults.length], ["bad", 2]);
});

test("how durable the log is stands in the sentence", () => {
  assert.match(verdict({ nodes: [node("a", {}, { risks: ["1 replica"] })] }).text, /NATS, which may lose what it has/);
  assert.match(verdict({ nodes: [node("a", {}, { connected: false })] }).text, /NATS, which 1 node cannot reach/);
});

test("each node reads everything and pushes to its own tabs, and a new one has no rate yet", () => {
  const look = (at, ...counters) => ({ at, nodes: counters.map(([name, own]) => node(name, {}, {}, own)) });
  const before = look(1000, ["a", { events_read: 10, deliveries: 100 }], ["b", { events_read: 10, deliveries: 50 }]);
  const now = look(
    3000,
    ["a", { events_read: 30, deliveries: 200 }],
    ["b", { events_read: 28, deliveries: 70 }],
    ["c", { events_read: 9999, deliveries: 9999 }],
  );
  const [log, , , pushed] = pipeline(now, before);
  assert.deepEqual([log.note, pushed.value], ["10/s", "60/s"]);
  assert.equal(pipeline(now)[3].value, "…");
  assert.equal(pipeline(look(4000, ["a", {}]), before)[3].value, "0/s", "a counter that began again is no negative rate");
});

test("it is red where it stops", () => {
  const kinds = (log) => pipeline({ at: 0, nodes: [node("a"), node("b", {}, log)] }).map(({ kind }) => kind);
  assert.deepEqual(kinds({}), ["", "", "", "", ""]);
  assert.deepEqual(kinds({ connected: false })[0], "bad");
  assert.deepEqual(kinds({ lag_seconds: 3 })[1], "warn");
  assert.deepEqual(kinds({ lag_seconds: 11, lag_records: 4000 })[1], "bad");
});

test("marks that nobody sees are shown by their numbers", () => {
  assert.equal(plain("a\u202eb\u0000\u200b\nc\té"), "a\\u{202e}b\\u{0}\\u{200b}\nc\té");
});

const notification = (more) => ({ route: "r", hub: "/h", target: "toast", groups: ["org:acme"], sent: 0, ...more });
const on = (name, notifications, more) => ({ node: name, read_ms: 3, outcome: "new", notifications, not_taken: [], ...more });
const stored = { stored: "2026-01-02T03:04:05Z", place: "0-7", id: "e", source: "/s", type: "a.B", sent: 0 };
const row = (event, name) => eventRows({ ...stored, ...event }).find(([key]) => key === name)?.[1];

test("an event's card adds up what all nodes say, and names who is slow", () => {
  const slowest = { connection: "c1", node: "b", ms: 1200 };
  const nodes = [
    on("a", [notification({ sent: 2, later: 1 })]),
    on("b", [notification({ sent: 1200, waiting: 2, waits: "c9", slowest })]),
    on("c", [notification()]),
  ];
  const event = { sent: 1203, nodes, slowest };
  assert.equal(row(event, "outcome"), "news, on 3 nodes");
  assert.equal(row(event, "route r"), "toast on /h to org:acme: 1,202 connections and 1 once they have caught up");
  assert.equal(row(event, "sent to"), "1,203 connections: a 3, b 1,200");
  assert.equal(row(event, "slowest"), "c1 on b, 1,200 ms after it was stored, at most");
  assert.equal(row(event, "waiting"), "2 connections have not taken it yet, such as c9");
  const text = asText("a.B", eventRows({ ...stored, ...event }));
  assert.match(text, /^a\.B\n {2}outcome: news/);
  assert.ok(!text.includes("undefined"), text);
});

test("an event's card says why nobody was sent anything", () => {
  const none = on("a", [], { not_taken: [{ route: "r", reason: "its condition on `user` does not hold" }], more_not_taken: 4 });
  assert.equal(row({ nodes: [none] }, "not r"), "its condition on `user` does not hold");
  assert.equal(row({ nodes: [none] }, "not others"), "4 more routes");
  assert.equal(row({ nodes: [on("a", [])] }, "route"), "none notifies anybody of a.B");
  const dead = on("a", [], { outcome: "dead_letter", reason: "body: no schema" });
  assert.deepEqual([row({ nodes: [dead] }, "outcome"), row({ nodes: [dead] }, "because")], ["a dead letter, on 1 node", "body: no schema"]);
  assert.equal(row({ nodes: [dead] }, "route"), undefined);
  const differing = { nodes: [on("a", []), on("b", [], { outcome: "duplicate" })] };
  assert.equal(row(differing, "outcome"), "news on a; in the log before: dropped on b");
  assert.match(row({ nodes: [on("a", [notification({ throttled: true })])] }, "route r"), /held by a throttle/);
  const unknown = unknownEvent({ nodes: [{ node: "a", events: 0 }, { node: "b", events: 7, since: "2026-01-02T03:04:05Z" }], missing: ["c"] });
  assert.match(unknown, /a none yet; b the newest 7, since .*; c gave no answer/);
});

test("a line has a gap where nobody looked, and forgets what is old", () => {
  const looks = (...times) => times.reduce((points, at) => remember(points, at, at), []);
  assert.equal(line(looks(0, 2000, 4000), 4000).match(/[ML]/g).join(""), "MLL");
  assert.equal(line(looks(0, 2000, 20_000, 22_000), 22_000).match(/[ML]/g).join(""), "MLML");
  assert.match(line(looks(0, 20_000), 20_000), /h0\.5M.*h0\.5$/, "a look alone is a dot");
  assert.deepEqual(remember([{ at: 0, value: 1 }], 2000, undefined), [{ at: 0, value: 1 }], "what is not known is no point");
  assert.deepEqual(remember([{ at: 0, value: 1 }], SHOWN_MS + 1, 2), [{ at: SHOWN_MS + 1, value: 2 }]);
  assert.equal(line([], 0), "");
});

test("the moments of a connection are put into words, also those that only a newer node knows", () => {
  const words = (what, count) => momentText({ at: "2026-01-02T03:04:05Z", what, count }).split("  ")[1];
  assert.equal(words("replayed", 1), "was sent 1 notification from the log");
  assert.equal(words("left_out", 984), "… 984 moments left out …");
  assert.equal(words("something_new"), "something_new");
});
