// The platform that leaves Azure SignalR Service: toasts, logout in every tab, licence and flags, as its client hears them.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { HttpTransportType } from "@microsoft/signalr";
import { cases, unique } from "./case.mjs";
import { ExampleClient } from "./example-client.mjs";
import { Example } from "./example.mjs";

const TARGETS = ["toast", "featureFlag", "logout"];
/** Ten attempts, like the page, but faster. */
const RETRIES = [0, 100, 200, 300, 400, 500, 600, 700, 800, 900];
const USERS = 500;
const TABS = 5;

let example;
const open = [];
const check = cases(() => example);

before(async () => {
  example = await Example.start("source");
});
after(async () => {
  await Promise.all(open.map((client) => client.stop()));
  await example?.stop();
});

async function connect(token, options = {}) {
  const client = await ExampleClient.start(example.nodes[0].url("/hubs/notifications"), TARGETS, { token, ...options });
  open.push(client);
  return client;
}

async function tab(user, options) {
  const session = await example.signIn(user);
  return Object.assign(await connect(session.token, options), session);
}

/** A client that has received this has received everything before it. */
async function fence(org, ...clients) {
  const title = unique("fence");
  await example.publish("source.Notification", { org, title });
  await Promise.all(clients.map((client) => client.gets("toast", (toast) => toast.title === title)));
}

const titles = (client) => client.of("toast").map(([toast]) => toast.title);

check("its configuration is sound", async () => {
  assert.match(await example.check(), /fanfare\.toml is sound/);
});

check("a change of roles is told to the user concerned in every tab, and to nobody else", async () => {
  const [first, second, colleague, admin] = await Promise.all(["alice", "alice", "bob", "bob"].map((user) => tab(user)));
  const answer = await example.call("PUT", "/users/alice/roles", { cookie: admin.cookie, body: { roles: ["editor"] } });
  assert.equal(answer.status, 202);
  for (const client of [first, second]) {
    const [toast] = await client.gets("toast", ({ title }) => title === "Your role has changed");
    assert.equal(toast.message, "You are now: editor, finance");
    assert.equal(toast.severity, "info");
  }
  await fence("acme", colleague);
  assert.ok(!titles(colleague).includes("Your role has changed"));
  const refused = await example.call("PUT", "/users/bob/roles", { cookie: first.cookie, body: { roles: ["admin"] } });
  assert.equal(refused.status, 403);
});

check("a role that was given joins its group in open tabs, and one that was taken leaves it", async () => {
  const [alice, bob] = [await tab("alice"), await tab("bob")];
  const toEditors = async () => {
    const title = unique("to editors");
    await example.publish("source.Notification", { org: "acme", role: "editor", title });
    await fence("acme", alice);
    return titles(alice).includes(title);
  };
  await example.call("PUT", "/users/alice/roles", { cookie: bob.cookie, body: { roles: ["editor"] } });
  await alice.gets("toast", ({ message }) => message.includes("editor"));
  assert.ok(await toEditors());
  await example.call("PUT", "/users/alice/roles", { cookie: bob.cookie, body: { roles: ["user"] } });
  await alice.gets("toast", ({ message }) => message === "You are now: user, finance");
  assert.ok(!(await toEditors()));
});

check("permissions are told to the user concerned", async () => {
  const [alice, bob] = [await tab("alice"), await tab("bob")];
  const body = { permissions: ["reports:read"] };
  await example.call("PUT", "/users/alice/permissions", { cookie: bob.cookie, body });
  await alice.gets("toast", ({ message }) => message.includes("reports:read"));
  await fence("acme", bob);
  assert.ok(!titles(bob).includes("Your permissions have changed"));
});

check("a user is in groups of both claims, the application's roles and the directory's groups", async () => {
  const [alice, bob, carol] = [await tab("alice"), await tab("bob"), await tab("carol")];
  const [finance, it] = [unique("finance"), unique("it")];
  await example.publish("source.Notification", { org: "acme", role: "finance", title: finance });
  await example.publish("source.Notification", { org: "acme", role: "it", title: it });
  await fence("acme", alice, bob);
  assert.deepEqual([titles(alice).includes(finance), titles(alice).includes(it)], [true, false]);
  assert.deepEqual([titles(bob).includes(finance), titles(bob).includes(it)], [true, true]);
  await fence("globex", carol);
  assert.ok(!titles(carol).includes(it), "a group of the same name in another tenant is another group");
});

check("a logout in one tab ends every tab of the user, and a sign-in right after it works", async () => {
  const [first, second, bob] = [await tab("alice"), await tab("alice"), await tab("bob")];
  assert.equal((await example.call("POST", "/logout", { cookie: first.cookie })).status, 202);
  for (const client of [first, second]) {
    const [logout] = await client.gets("logout");
    assert.equal(logout.reason, "log_off_initiated");
    assert.equal(await client.closed, undefined, "closed without an error");
  }
  const again = await tab("alice");
  await fence("acme", again, bob);
  assert.deepEqual([again.of("logout"), bob.of("logout")], [[], []]);
  await assert.rejects(connect(second.token), /401/);
  assert.equal((await example.call("GET", "/me", { cookie: second.cookie })).status, 401);
});

check("an event without a session logs off a user whose token no service knows", async () => {
  const user = unique("dana");
  const dana = await connect(await example.token(user, "acme"));
  await example.publish("source.LogOffInitiated", { org: "acme", user });
  await dana.gets("logout");
  await dana.closed;
});

check("licence and flags are told to the tenant alone, and a flag also to whoever comes later", async () => {
  const [alice, bob, carol] = [await tab("alice"), await tab("bob"), await tab("carol")];
  const flag = unique("reports");
  assert.equal((await example.call("PUT", `/flags/${flag}`, { cookie: bob.cookie, body: { enabled: true } })).status, 202);
  await example.call("PUT", "/license", { cookie: bob.cookie, body: { plan: "Enterprise", seats: 500 } });
  await alice.gets("featureFlag", (one) => one.flag === flag && one.enabled);
  await alice.gets("toast", ({ message }) => message.includes("Enterprise"));
  const later = await tab("alice");
  await later.gets("featureFlag", (one) => one.flag === flag && one.enabled);
  await fence("globex", carol);
  assert.deepEqual(carol.of("featureFlag"), []);
  assert.ok(!titles(carol).includes("License updated"));
});

check("messages come in order and once", async () => {
  const alice = await tab("alice");
  const word = unique("in-order");
  const sent = Array.from({ length: 30 }, (_, number) => `${word}-${number}`);
  const { cookie } = await example.signIn("bob");
  for (const title of sent) {
    await example.call("POST", "/notifications", { cookie, body: { user: "alice", title } });
  }
  await alice.gets("toast", ({ title }) => title === sent.at(-1));
  assert.deepEqual(
    titles(alice).filter((title) => title.startsWith(word)),
    sent,
  );
});

check("a tab tries again until the node is back, and resumes what it missed", async () => {
  const alice = await tab("alice", { reconnect: RETRIES });
  const cursor = await alice.invoke("Cursor");
  const back = new Promise((reconnected) => alice.connection.onreconnected(reconnected));
  const { cookie } = await example.signIn("bob");
  const title = unique("missed");
  await example.nodes[0].kill();
  // The change is committed while no node runs; the relay brings its event when one does.
  assert.equal((await example.call("POST", "/notifications", { cookie, body: { user: "alice", title } })).status, 202);
  await example.nodes[0].start();
  await back;
  const { complete } = await alice.invoke("Resume", cursor);
  assert.equal(complete, true);
  await alice.gets("toast", (toast) => toast.title === title);
  await fence("acme", alice);
  assert.equal(titles(alice).filter((one) => one === title).length, 1);
});

check("who is connected is asked of the node, and closed by it", async () => {
  const [first, second] = [await tab("carol"), await tab("carol")];
  const asked = await example.operator("GET", "/connections?user=carol&org=globex");
  assert.equal(asked.status, 200);
  assert.ok(asked.body.connections.length >= 2, JSON.stringify(asked.body));
  for (const connection of asked.body.connections) {
    assert.deepEqual([connection.user, connection.org, connection.hub], ["carol", "globex", "/hubs/notifications"]);
  }
  assert.equal((await example.operator("DELETE", "/users/carol/connections")).status, 202);
  await Promise.all([first.closed, second.closed]);
});

check("without a token, or with another tenant's, nobody connects", async () => {
  await assert.rejects(connect(undefined), /401/);
  await assert.rejects(connect("no.token.at-all"), /401/);
  const { token } = await example.signIn("alice");
  await assert.rejects(connect(token, { headers: { "X-Organization-Id": "globex" } }), /403/);
});

check(`${USERS} users with five tabs each hear a message to all, once in each tab`, async () => {
  const hub = example.nodes[0].url("/hubs/notifications");
  const word = unique("to-all");
  const clients = [];
  const tokens = Array.from({ length: USERS }, (_, number) => example.signed({ sub: `user-${number}`, org: "acme" }));
  const began = Date.now();
  for (let first = 0; first < USERS; first += 25) {
    const some = tokens.slice(first, first + 25).flatMap((token) => Array.from({ length: TABS }, () => token));
    const options = { transport: HttpTransportType.WebSockets };
    clients.push(...(await Promise.all(some.map((token) => ExampleClient.start(hub, TARGETS, { token, ...options })))));
  }
  const opened = Date.now();
  try {
    await example.publish("source.Notification", { org: "acme", title: word });
    await Promise.all(clients.map((client) => client.gets("toast", ({ title }) => title === word)));
    console.log(`${clients.length} tabs: opened in ${opened - began} ms, all told ${Date.now() - opened} ms after publishing`);
    await sleep(200);
    assert.ok(clients.every((client) => titles(client).filter((title) => title === word).length === 1));
  } finally {
    await Promise.all(clients.map((client) => client.stop()));
  }
}, 300_000);
