// The values of an event as the official client is told them, and the values of a call as they reach an event: in JSON, in
// MessagePack, and in MessagePack with dates and times as text.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before } from "node:test";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { cases } from "./case.mjs";
import { FanfareNode } from "./fanfare-node.mjs";
import { HubClient } from "./hub-client.mjs";

const logical = (type, logicalType) => ({ type, logicalType });
const MEASURED = {
  type: "record",
  name: "Measured",
  fields: [
    { name: "org", type: "string" },
    { name: "run", type: "string" },
    { name: "big", type: "long", default: 0 },
    { name: "tenth", type: "float", default: 0 },
    { name: "changes", type: { type: "map", values: ["null", "string"] }, default: {} },
    { name: "micros", type: logical("long", "timestamp-micros"), default: 0 },
    { name: "local", type: logical("long", "local-timestamp-millis"), default: 0 },
    { name: "day", type: logical("int", "date"), default: 0 },
    { name: "hour", type: logical("long", "time-micros"), default: 0 },
    { name: "lasts", type: ["null", { type: "fixed", name: "Lasts", size: 12, logicalType: "duration" }], default: null },
    {
      name: "tree",
      type: ["null", { type: "record", name: "Tree", fields: [
        { name: "name", type: "string" },
        { name: "under", type: { type: "array", items: "Tree" }, default: [] },
      ] }],
      default: null,
    },
    {
      name: "either",
      type: ["null", "string", "double", { type: "record", name: "Range", fields: [{ name: "from", type: "int" }] }],
      default: null,
    },
  ],
};
const CALLED = {
  type: "record",
  name: "Called",
  fields: [
    { name: "org", type: "string" },
    { name: "run", type: "string" },
    { name: "raw", type: "bytes", default: "" },
    { name: "at", type: logical("long", "timestamp-millis"), default: 0 },
  ],
};
const ROUTES = `
[[route]]
name = "measured"
event = "values.Measured"
hubs = ["/hubs/notifications", "/hubs/text"]
groups = ["org:{org}"]
[route.send]
target = "measured"
arguments = [{ run = "{run}", big = "{big:text}", tenth = "{tenth}", "note??" = "{changes.note}", micros = "{micros}", local = "{local}", day = "{day}", hour = "{hour}", lasts = "{lasts}", tree = "{tree}", either = "{either}", words = "{micros}, {local}, {day}, {hour}" }]

[[route]]
name = "called"
event = "values.Called"
hubs = ["/hubs/notifications", "/hubs/text"]
groups = ["org:{org}"]
send = { target = "called", arguments = [{ run = "{run}", raw = "{raw}", at = "{at}" }] }
`;
const METHODS = `
method.Store = { arguments = ["run", { name = "raw", type = "any" }], allow = true, publish = { event = "values.Called", fields = { org = "{org}", run = "{run}", raw = "{raw}" } } }
method.Date = { arguments = ["run", { name = "at", type = "time" }], allow = true, publish = { event = "values.Called", fields = { org = "{org}", run = "{run}", at = "{at}" } } }
[hub."/hubs/text"]
messagepack_times = "text"
`;

let node;
const tabs = {};
const check = cases(() => node);

before(async () => {
  const schemas = { "values/Measured.v1.avsc": JSON.stringify(MEASURED), "values/Called.v1.avsc": JSON.stringify(CALLED) };
  node = await FanfareNode.start("values", { routes: ROUTES, hub: METHODS, schemas });
  const targets = ["measured", "called"];
  const open = (hub, protocol) => HubClient.connect(hub, node.token("alice"), { protocol, targets });
  tabs.json = await open(node.hub());
  tabs.packed = await open(node.hub(), new MessagePackHubProtocol());
  tabs.text = await open(node.hub().replace("notifications", "text"), new MessagePackHubProtocol());
});
after(async () => {
  await Promise.all(Object.values(tabs).map((tab) => tab.stop()));
  await node?.end();
});

/** What each tab is told of the event of a run. */
async function told(target, run) {
  const of = (tab) => tab.gets(`${target} ${run}`, (one) => one.target === target && one.run === run);
  const [json, packed, text] = await Promise.all([of(tabs.json), of(tabs.packed), of(tabs.text)]);
  return { json, packed, text };
}

/** Publishes a measurement, and gives what each tab is told. */
async function measured(fields) {
  const run = randomUUID();
  await node.publish("values.Measured", run, { org: "acme", run, ...fields });
  return told("measured", run);
}

check("a long beyond 2^53 is exact as text, and a float keeps its shortest form", async () => {
  for (const [how, tab] of Object.entries(await measured({ big: 9007199254740993n, tenth: 0.1 }))) {
    assert.deepEqual([tab.big, tab.tenth], ["9007199254740993", 0.1], how);
  }
});

check("what is set to null is told apart from what is not set", async () => {
  for (const [changes, has, note] of [
    [{ note: null }, true, null],
    [{ note: "n" }, true, "n"],
    [{ other: "n" }, false, undefined],
  ]) {
    for (const [how, tab] of Object.entries(await measured({ changes }))) {
      assert.deepEqual(["note" in tab, tab.note], [has, note], `${how} of ${JSON.stringify(changes)}`);
    }
  }
});

check("dates and times are text in JSON, timestamps in MessagePack, and text there if the hub says so", async () => {
  const sent = { micros: "2026-01-02T03:04:05.678901Z", local: "2026-01-02T03:04:05.678", day: "2026-01-02", hour: "03:04:05.678901" };
  const { json, packed, text } = await measured(sent);
  const times = ({ micros, local, day, hour }) => ({ micros, local, day, hour });
  for (const [how, tab] of Object.entries({ json, text })) {
    assert.deepEqual(times(tab), sent, how);
  }
  // A Date has milliseconds.
  const dates = { micros: "2026-01-02T03:04:05.678Z", local: "2026-01-02T03:04:05.678Z", day: "2026-01-02" };
  const expected = Object.fromEntries(Object.entries(dates).map(([name, at]) => [name, new Date(at)]));
  assert.deepEqual(times(packed), { ...expected, hour: sent.hour });
  const words = `${sent.micros}, ${sent.local}, ${sent.day}, ${sent.hour}`;
  assert.deepEqual([json.words, packed.words, text.words], [words, words, words], "within text they are ISO 8601 everywhere");
});

check("durations, recursive records and each kind of a union are told by their values", async () => {
  const tree = { name: "a", under: [{ name: "b", under: [{ name: "c", under: [] }] }, { name: "d", under: [] }] };
  for (const either of ["text", 2.5, { from: 7 }, null]) {
    for (const [how, tab] of Object.entries(await measured({ lasts: "P1M2DT3.5S", tree, either }))) {
      assert.deepEqual([tab.lasts, tab.tree, tab.either], ["P1M2DT3.5S", tree, either], how);
    }
  }
});

check("the bytes of a call are the event's, whether they come as base64 or as bytes", async () => {
  const bytes = Uint8Array.from([0, 255, 16, 128, 10]);
  const base64 = Buffer.from(bytes).toString("base64");
  for (const [by, raw] of [
    ["json", base64],
    ["packed", bytes],
  ]) {
    const run = randomUUID();
    await tabs[by].connection.invoke("Store", run, raw);
    const { json, packed } = await told("called", run);
    assert.deepEqual([json.raw, Uint8Array.from(packed.raw)], [base64, bytes], `called in ${by}`);
  }
});

check("a .NET DateTimeOffset is read as the moment that it is", async () => {
  // Over MessagePack .NET writes its clock's reading, as if it were UTC, and the offset in minutes; over JSON, text.
  const moment = new Date("2026-01-02T03:04:05.678Z");
  for (const [by, at] of [
    ["packed", [new Date("2026-01-02T04:04:05.678Z"), 60]],
    ["packed", moment],
    ["json", "2026-01-02T04:04:05.678+01:00"],
  ]) {
    const run = randomUUID();
    await tabs[by].connection.invoke("Date", run, at);
    const { json, packed } = await told("called", run);
    assert.deepEqual([json.at, packed.at], ["2026-01-02T03:04:05.678Z", moment], `called in ${by} with ${at}`);
  }
});
