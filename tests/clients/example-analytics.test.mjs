// The analytics of AI usage: seven events for one organisation each, and who may hear them.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { HttpTransportType } from "@microsoft/signalr";
import EventSource from "eventsource";
import { cases, unique } from "./case.mjs";
import { ExampleClient } from "./example-client.mjs";
import { Example } from "./example.mjs";

const HUB = "/hubs/analytics";
const EVENTS = ["SessionStarted", "SessionEnded", "AIDetected", "DashboardUpdate", "ExportCompleted", "Alert", "UserJoined"];
const TARGETS = [...EVENTS, "SubscriptionExpired", "RolesChanged", "logout"];
const RETRIES = [0, 200, 500, 1_000, 2_000, 3_000];
const TIME = "2026-01-02T03:04:05.678Z";

let example;
const open = [];
const check = cases(() => example);

before(async () => {
  example = await Example.start("analytics", { nodes: 2 });
});
after(async () => {
  await Promise.all(open.map((client) => client.stop()));
  await example?.stop();
});

async function connect(token, { node = 0, org, ...options } = {}) {
  const headers = org === undefined ? {} : { "X-Organization-Id": org };
  const client = await ExampleClient.start(example.nodes[node].url(HUB), TARGETS, { token, headers, ...options });
  open.push(client);
  return client;
}

async function tab(user, options) {
  const session = await example.signIn(user);
  return Object.assign(await connect(session.token, options), session);
}

const leave = (...clients) => Promise.all(clients.map((client) => client.stop()));

/** A client that has received this has received everything before it. */
async function fence(org, ...clients) {
  const message = unique("fence");
  await example.publish("analytics.Alert", { org, type: "fence", message, severity: "info" });
  await Promise.all(clients.map((client) => client.gets("Alert", (alert) => alert.message === message)));
}

check("its configuration is sound", async () => {
  assert.match(await example.check(), /fanfare\.toml is sound/);
});

check("each event has the document's payload and audience, on every node", async () => {
  const [bob, far, carol] = [await tab("bob"), await tab("bob", { node: 1 }), await tab("carol")];
  const colleague = await connect(await example.token("dana", "acme", "Manager"));
  const sent = {
    SessionStarted: { sessionId: "s-1", userId: "alice", startTime: TIME },
    SessionEnded: { sessionId: "s-1", duration: 90.5, aiUsageTime: 30 },
    AIDetected: { tool: "assistant", duration: 12, userId: "alice" },
    DashboardUpdate: { metrics: { activeUsers: 3, "by team": { red: [1, 2] } }, trends: [{ day: "Monday", up: null }] },
    Alert: { type: "quota", message: "Almost used up", severity: "warning" },
    UserJoined: { userId: "erin", email: "erin@example.com", timestamp: TIME },
  };
  for (const [event, payload] of Object.entries(sent)) {
    await example.publish(`analytics.${event}`, { org: "acme", ...payload });
    for (const client of [bob, far, colleague]) {
      assert.deepEqual(await client.gets(event), [payload], event);
    }
  }
  const done = { jobId: "j-1", downloadUrl: "/exports/j-1" };
  await example.publish("analytics.ExportCompleted", { org: "acme", userId: "bob", ...done });
  await example.publish("analytics.Alert", { org: "acme", userId: "bob", type: "own", message: "to bob", severity: "info" });
  for (const client of [bob, far]) {
    assert.deepEqual(await client.gets("ExportCompleted"), [done]);
    await client.gets("Alert", ({ message }) => message === "to bob");
  }
  await fence("acme", colleague);
  assert.deepEqual(colleague.of("ExportCompleted"), []);
  assert.ok(!colleague.of("Alert").some(([{ message }]) => message === "to bob"));
  await fence("globex", carol);
  assert.equal(carol.received.length, 1, "nothing of another organisation but the fence of the own");
  await leave(bob, far, carol, colleague);
});

check("administrators, managers and the platform's own people connect, and nobody else", async () => {
  for (const role of ["Admin", "Manager", "SuperAdmin"]) {
    await leave(await connect(await example.token("someone", "acme", role)));
  }
  const groups = async (group) => {
    const { body } = await example.operator("GET", `/connections?group=${group}`);
    return [...new Set(body.connections.map(({ user }) => user))].sort();
  };
  const all = [await tab("bob"), await tab("carol"), await tab("root")];
  assert.deepEqual([await groups("admin"), await groups("superadmin"), await groups("org:acme")], [["bob"], ["root"], ["bob"]]);
  await leave(...all);
  const { token } = await example.signIn("alice");
  await assert.rejects(connect(token), /403/);
  await assert.rejects(connect(await example.token("someone", "acme")), /403/);
  await assert.rejects(connect(undefined), /401/);
});

check("the organisation of the header must be the token's, but for the platform's own people", async () => {
  const { token } = await example.signIn("bob");
  await leave(await connect(token, { org: "acme" }));
  await assert.rejects(connect(token, { org: "globex" }), /403/);
  const root = await tab("root", { org: "globex" });
  await fence("globex", root);
  await leave(root);
});

check("the platform's own people hear another organisation while they watch it; for others the call fails", async () => {
  const [root, bob] = [await tab("root"), await tab("bob")];
  await root.invoke("WatchOrganization", "acme");
  await fence("acme", root, bob);
  await root.invoke("UnwatchOrganization", "acme");
  const before = root.received.length;
  await fence("acme", bob);
  await sleep(200);
  assert.equal(root.received.length, before);
  await assert.rejects(bob.invoke("WatchOrganization", "globex"));
  await bob.invoke("WatchOrganization", "acme");
  await leave(root, bob);
});

check("the calls of older clients work: to join the own organisation, and to send figures to it", async () => {
  const [bob, carol] = [await tab("bob"), await tab("carol")];
  assert.equal(await bob.invoke("JoinOrganizationGroup"), null);
  const metrics = { activeUsers: 7, nested: { a: [1, null] } };
  await bob.invoke("BroadcastDashboardUpdate", "acme", metrics);
  const [update] = await bob.gets("DashboardUpdate");
  assert.deepEqual(update, { metrics, trends: null });
  await assert.rejects(bob.invoke("BroadcastDashboardUpdate", "globex", metrics));
  await assert.rejects(bob.invoke("BroadcastDashboardUpdate", "", metrics), /orgId/);
  await assert.rejects(bob.invoke("BroadcastDashboardUpdate", "acme"), /metrics|argument/);
  await fence("globex", carol);
  assert.deepEqual(carol.of("DashboardUpdate"), []);
  await leave(bob, carol);
});

check("a subscription that expires tells, closes and refuses; renewed, it lets in again", async () => {
  const bob = await tab("bob", { node: 1, reconnect: RETRIES });
  const subscribe = (active) => example.call("PUT", "/subscription", { cookie: bob.cookie, body: { active } });
  // A tab that has not caught up yet is closed with the reason alone, and resumes the rest when it is let in again.
  await fence("acme", bob);
  assert.equal((await subscribe(false)).status, 202);
  await bob.gets("SubscriptionExpired");
  await bob.closed;
  for (const node of [0, 1]) {
    await assert.rejects(connect(await example.token("bob", "acme", "Admin"), { node }), /403/);
  }
  const carol = await tab("carol");
  assert.equal((await subscribe(true)).status, 202);
  let again;
  for (let attempt = 0; again === undefined && attempt < 50; attempt += 1) {
    again = await tab("bob").catch(() => sleep(100));
  }
  await fence("acme", again);
  await leave(again, carol);
});

check("a role that is taken away ends the dashboard, and one that is given opens it", async () => {
  const bob = await tab("bob");
  const setRoles = (roles) => example.call("PUT", "/users/alice/roles", { cookie: bob.cookie, body: { roles } });
  assert.equal((await setRoles(["Manager"])).status, 202);
  const alice = await tab("alice");
  await fence("acme", alice);
  assert.equal((await setRoles(["User"])).status, 202);
  await alice.closed;
  await assert.rejects(connect(alice.token), /403/);
  await leave(bob);
});

check("event streams and polls hear the same, where a proxy lets no WebSocket through", async () => {
  for (const transport of [HttpTransportType.ServerSentEvents, HttpTransportType.LongPolling]) {
    const { token } = await example.signIn("bob");
    const client = ExampleClient.of(example.nodes[0].url(HUB), TARGETS, { token, transport, EventSource });
    await client.connection.start();
    open.push(client);
    await fence("acme", client);
    await leave(client);
  }
});

check("a session of an agent is told as it happens: what was asked every 30 seconds is asked no more", async () => {
  const bob = await tab("bob");
  const { cookie } = await example.signIn("alice");
  const started = await example.call("POST", "/sessions", { cookie });
  const [session] = await bob.gets("SessionStarted");
  assert.deepEqual(session, started.body);
  await bob.gets("DashboardUpdate", ({ metrics }) => metrics.activeSessions === 1);
  await example.call("POST", "/detections", { cookie, body: { tool: "assistant", duration: 30 } });
  await bob.gets("DashboardUpdate", ({ metrics, trends }) => metrics.aiSeconds === 30 && trends.tools.assistant === 30);
  await example.call("POST", `/sessions/${started.body.sessionId}/end`, { cookie });
  await bob.gets("SessionEnded", ({ sessionId }) => sessionId === session.sessionId);
  await bob.gets("DashboardUpdate", ({ metrics }) => metrics.activeSessions === 0);
  assert.ok(!example.logs(0).includes('path="/dashboard"'), "nobody has asked for figures");
  await leave(bob);
});

check("a dashboard that lost its node comes back and resumes what it missed, in order and once", async () => {
  const bob = await tab("bob", { reconnect: RETRIES });
  const cursor = await bob.invoke("Cursor");
  const back = new Promise((reconnected) => bob.connection.onreconnected(reconnected));
  await example.nodes[0].kill();
  const missed = Array.from({ length: 5 }, () => unique("missed"));
  for (const message of missed) {
    await example.publish("analytics.Alert", { org: "acme", type: "t", message, severity: "info" });
  }
  await example.nodes[0].start();
  await back;
  assert.equal((await bob.invoke("Resume", cursor)).complete, true);
  await fence("acme", bob);
  const heard = bob.of("Alert").map(([{ message }]) => message);
  assert.deepEqual(heard.filter((message) => missed.includes(message)), missed);
  await leave(bob);
});

check("the subscription may be asked of a claim of the token too", async () => {
  // Tokens of `fanfare token` have no such claim unless it is said: so the example asks the events alone.
  const edit = (text) => text.replace("require_roles", 'require_claims = { subscription = "active" }\nrequire_roles');
  const strict = await Example.start("analytics", { test: "example-analytics-claim", edit });
  try {
    const hub = strict.nodes[0].url(HUB);
    const { token } = await strict.signIn("bob");
    await leave(await ExampleClient.start(hub, [], { token }));
    const claims = { sub: "bob", org: "acme", roles: ["Admin"] };
    await assert.rejects(ExampleClient.start(hub, [], { token: strict.signed({ ...claims, subscription: "expired" }) }), /403/);
    await assert.rejects(ExampleClient.start(hub, [], { token: strict.signed(claims) }), /403/);
  } finally {
    await strict.stop();
  }
});
