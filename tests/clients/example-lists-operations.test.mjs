// What whoever operates the shopping lists is told: log lines, who is connected, metrics, and the node's health.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { cases } from "./case.mjs";
import { ExampleClient } from "./example-client.mjs";
import { Example } from "./example.mjs";

const GROCERIES = "6f1c7a52-3b0e-4d0a-9a4e-1f2d3c4b5a69";
const PARTY = "0b9d8e7c-5a4f-4e3d-8c2b-7a6f5e4d3c2b";
/** A test has a few connections and not a thousand. */
const FEW = (text) => text.replace("degraded_connections = 1000", "degraded_connections = 1");

let example;
const check = cases(() => example);

before(async () => {
  example = await Example.start("lists", { test: "example-lists-operations", edit: FEW });
});
after(() => example?.stop());

async function tab(user) {
  const { token } = await example.signIn(user);
  return ExampleClient.start(example.nodes[0].url("/hubs/shopping-list"), ["ItemAdded", "PresenceUpdate"], { token });
}

/** Polls until a value is not `undefined`. */
async function once(what, ask) {
  for (const end = Date.now() + 10_000; Date.now() < end; ) {
    const value = await ask();
    if (value !== undefined) {
      return value;
    }
    await new Promise((later) => setTimeout(later, 50));
  }
  throw new Error(`${what} did not come`);
}

check("each connection, join, leave and refusal has a log line that says whose it is", async () => {
  const began = Date.now();
  const bob = await tab("bob");
  await bob.invoke("JoinList", GROCERIES);
  await bob.invoke("LeaveList", GROCERIES);
  const alice = await tab("alice");
  await assert.rejects(alice.invoke("JoinList", PARTY), /Access denied/);
  await assert.rejects(alice.invoke("JoinList", "42"), /A list is named by a GUID/);
  await Promise.all([alice.stop(), bob.stop()]);
  const line = (event, ...parts) =>
    once(`a line of ${event}`, () => {
      const lines = example.nodes[0].log(began).split("\n");
      return lines.find((one) => one.includes(`: ${event} connection=`) && parts.every((part) => one.includes(part)));
    });
  const group = (list) => `group=list_${list}`;
  await line("connected", 'user="bob"', 'transport="WebSockets"');
  await line("joined", 'user="bob"', 'method="JoinList"', group(GROCERIES));
  await line("left", 'user="bob"', group(GROCERIES));
  await line("join refused", 'user="alice"', group(PARTY), 'reason="denied"');
  await line("join refused", 'user="alice"', 'reason="arguments"');
  assert.match(await line("closed", 'user="bob"'), /duration_ms=\d+/);
});

check("who is connected is looked up by user and by list", async () => {
  const [alice, bob] = [await tab("alice"), await tab("bob")];
  await bob.invoke("JoinList", GROCERIES);
  const users = async (query) => {
    const { status, body } = await example.operator("GET", `/connections?${query}`);
    assert.equal(status, 200);
    return body.connections.map(({ user }) => user);
  };
  assert.deepEqual(await users(`group=list_${GROCERIES}`), ["bob"]);
  assert.deepEqual(await users("user=alice"), ["alice"]);
  await Promise.all([alice.stop(), bob.stop()]);
});

check("metrics count connections, messages, latency, durations, reconnects and what could not be used", async () => {
  const alice = await tab("alice");
  await alice.invoke("JoinList", GROCERIES);
  await alice.gets("PresenceUpdate");
  const metric = async (name, labels = "") => {
    const lines = (await example.nodes[0].metrics()).split("\n");
    const found = lines.filter((line) => line.startsWith(name) && line.includes(labels) && !line.startsWith("#"));
    return found.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
  };
  const before = await metric("fanfare_deliveries_total");
  await example.publish("lists.ItemAdded", { listId: GROCERIES, item: { id: "1", name: "Tea" } });
  await alice.gets("ItemAdded");
  const risen = (name, than, labels) =>
    once(name, async () => ((await metric(name, labels)) > than ? true : undefined));
  await risen("fanfare_deliveries_total", before);
  await risen("fanfare_publish_to_push_seconds_count", 0);
  assert.equal(await metric("fanfare_connections{"), 1);
  const cursor = await alice.invoke("Cursor");
  await alice.stop();
  await risen("fanfare_connection_seconds_count", 0);
  const again = await tab("alice");
  await again.invoke("Resume", cursor);
  await risen("fanfare_reconnects_total", 0);
  const token = example.signed({ aud: "fanfare-publish", sub: "tests", org: "acme", roles: ["producer"], publish: ["*"] });
  const refused = await fetch(example.nodes[0].url("/events"), {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "ce-specversion": "1.0",
      "ce-id": "wrong",
      "ce-source": "tests",
      "ce-type": "lists.ItemAdded",
    },
    body: JSON.stringify({ listId: 7 }),
  });
  assert.equal(refused.status, 400);
  await risen("fanfare_publish_requests_total", 0, `status="400"`);
  await again.stop();
});

check("a load balancer is told the node's health on the hub's port, and an operator of too many connections", async () => {
  const health = async () => (await fetch(`http://127.0.0.1:${example.nodes[0].admin}/healthz`)).json();
  const alice = await tab("alice");
  assert.equal((await health()).status, "ok");
  const bob = await tab("bob");
  const { status, ...more } = await once("degraded health", async () => {
    const now = await health();
    return now.status === "degraded" ? now : undefined;
  });
  assert.match(JSON.stringify(more), /connections/);
  assert.equal(status, "degraded");
  assert.equal((await fetch(example.nodes[0].url("/health"))).status, 200, "it still takes all that come");
  await Promise.all([alice.stop(), bob.stop()]);
});
