// The ticketing platform: an event of a ticket tells whoever may see it to fetch it again.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { HttpTransportType } from "@microsoft/signalr";
import { cases, unique } from "./case.mjs";
import { ExampleClient } from "./example-client.mjs";
import { Example } from "./example.mjs";

const HUB = "/hubs/tickets";
const RETRIES = [0, 100, 300, 1_000, 2_000, 3_000];

let example;
const open = [];
const check = cases(() => example);

before(async () => {
  example = await Example.start("tickets", { nodes: 2 });
});
after(async () => {
  await Promise.all(open.map((client) => client.stop()));
  await example?.stop();
});

/** A tab like the page's: with a session cookie and no token. */
async function tab(user, { node = 0, ...options } = {}) {
  const { cookie } = await example.signIn(user);
  const headers = { cookie };
  const client = await ExampleClient.start(example.nodes[node].url(HUB), ["ticketChanged", "logout"], { headers, ...options });
  open.push(client);
  return Object.assign(client, { cookie });
}

const changed = (client) => client.of("ticketChanged").map(([id]) => id);

/** A client that has received this has received everything before it. */
async function fence(org, ...clients) {
  const ticketId = unique("fence");
  await example.publish("tickets.TicketChanged", { org, ticketId });
  await Promise.all(clients.map((client) => client.gets("ticketChanged", (id) => id === ticketId)));
}

function post(client, path, options = {}) {
  return example.call("POST", `/tickets/${path}`, { cookie: client.cookie, ...options });
}

async function leave(...clients) {
  await Promise.all(clients.map((client) => client.stop()));
}

check("its configuration is sound", async () => {
  assert.match(await example.check(), /fanfare\.toml is sound/);
});

check("an assignment is told by the ticket's id alone, a bare text, to the team on every node", async () => {
  const [alice, bob, carol] = [await tab("alice"), await tab("bob", { node: 1 }), await tab("carol")];
  const answer = await post(bob, "42/assign");
  assert.equal(answer.status, 200);
  assert.equal(answer.body.assignee, "bob");
  for (const client of [alice, bob]) {
    assert.deepEqual(await client.gets("ticketChanged", (id) => id === "42"), ["42"]);
  }
  await fence("globex", carol);
  assert.ok(!changed(carol).includes("42"), "a team of the same name in another org is another team");
  await leave(alice, bob, carol);
});

check("an event of any service is told the same", async () => {
  const alice = await tab("alice");
  const ticketId = unique("ticket");
  await example.publish("tickets.TicketAssigned", { org: "acme", ticketId });
  await alice.gets("ticketChanged", (id) => id === ticketId);
  await leave(alice);
});

check("a team hears of its own tickets alone, and the org of those without a team", async () => {
  const [alice, bob] = [await tab("alice"), await tab("bob")];
  assert.equal((await post(bob, "43/close")).status, 200);
  await bob.gets("ticketChanged", (id) => id === "43");
  assert.equal((await post(bob, "41/close")).status, 200);
  await alice.gets("ticketChanged", (id) => id === "41");
  assert.ok(!changed(alice).includes("43"));
  assert.equal((await post(alice, "43/assign")).status, 404, "nor does the API know it for her");
  await leave(alice, bob);
});

check("who watches a ticket hears of it without a call, in open tabs and later ones, until it is withdrawn", async () => {
  const [alice, bob] = [await tab("alice", { node: 1 }), await tab("bob")];
  const watch = (method) => example.call(method, "/tickets/43/watchers/alice", { cookie: bob.cookie });
  const times = async (client) => {
    await fence("acme", client);
    return changed(client).filter((id) => id === "43").length;
  };
  await watch("PUT");
  await alice.gets("ticketChanged", (id) => id === "43");
  await post(bob, "43/reopen");
  await bob.gets("ticketChanged", (id) => id === "43");
  assert.equal(await times(alice), 2, "of the watching and of the change");
  const later = await tab("alice");
  await post(bob, "43/close");
  await later.gets("ticketChanged", (id) => id === "43");
  await watch("DELETE");
  const before = await times(alice);
  await post(bob, "43/reopen");
  await bob.gets("ticketChanged");
  await fence("acme", bob);
  assert.equal(await times(alice), before);
  assert.equal(await times(later), 2, "of the change and of the withdrawal");
  await leave(alice, bob, later);
});

check("no name that a client sends is believed", async () => {
  const alice = await tab("alice");
  for (const method of ["JoinGroup", "JoinTicket", "AddToGroup"]) {
    await assert.rejects(alice.invoke(method, "org:acme/team:billing"), /JoinGroup|JoinTicket|AddToGroup/);
  }
  const { cookie } = await example.signIn("alice");
  const negotiate = (headers, query = "") =>
    fetch(example.nodes[0].url(`${HUB}/negotiate?negotiateVersion=1${query}`), {
      method: "POST",
      headers: { "x-requested-with": "XMLHttpRequest", ...headers },
    }).then(({ status }) => status);
  assert.equal(await negotiate({ cookie }), 200);
  assert.equal(await negotiate({ cookie }, "&org=globex"), 403);
  assert.equal(await negotiate({ cookie, origin: "https://evil.example" }), 403);
  assert.equal(await negotiate({}), 401);
  assert.equal(await negotiate({ cookie: "session=forged" }), 401);
  await leave(alice);
});

check("the cookie serves every transport", async () => {
  for (const transport of [HttpTransportType.WebSockets, HttpTransportType.LongPolling]) {
    const alice = await tab("alice", { transport });
    await fence("acme", alice);
    await leave(alice);
  }
});

check("who signs out is told in each tab of the session, and the cookie opens nothing any more", async () => {
  const alice = await tab("alice");
  const other = await tab("alice");
  assert.equal((await example.call("POST", "/logout", { cookie: alice.cookie })).status, 202);
  await alice.gets("logout");
  assert.equal(await alice.closed, undefined);
  const headers = { cookie: alice.cookie };
  await assert.rejects(ExampleClient.start(example.nodes[1].url(HUB), [], { headers }), /401/);
  await fence("acme", other);
  await leave(other);
});

check("a tab that was away resumes what it missed; one that does not know where it stood is told to fetch", async () => {
  const alice = await tab("alice", { reconnect: RETRIES });
  const cursor = await alice.invoke("Cursor");
  const back = new Promise((reconnected) => alice.connection.onreconnected(reconnected));
  await example.nodes[0].kill();
  const { cookie } = await example.signIn("bob");
  assert.equal((await example.call("POST", "/tickets/42/close", { cookie })).status, 200);
  await example.nodes[0].start();
  await back;
  assert.equal((await alice.invoke("Resume", cursor)).complete, true);
  await alice.gets("ticketChanged", (id) => id === "42");
  const another = await tab("alice");
  assert.equal((await another.invoke("Resume", null)).complete, false);
  await leave(alice, another);
});

check("a change that was committed is told once, though the service is killed before it is published", async () => {
  const alice = await tab("alice", { node: 1 });
  // The service publishes through this node.
  await example.nodes[0].stop();
  const { cookie } = await example.signIn("bob");
  assert.equal((await example.call("POST", "/tickets/42/reopen", { cookie })).status, 200);
  await example.killBackend();
  await example.nodes[0].start();
  await example.startBackend();
  await alice.gets("ticketChanged", (id) => id === "42");
  await fence("acme", alice);
  assert.equal(changed(alice).filter((id) => id === "42").length, 1);
  await leave(alice);
});

check("changes come in the order in which they were made", async () => {
  const alice = await tab("alice", { node: 1 });
  const sent = Array.from({ length: 30 }, () => unique("ordered"));
  for (const ticketId of sent) {
    await example.publish("tickets.TicketChanged", { org: "acme", ticketId });
  }
  await alice.gets("ticketChanged", (id) => id === sent.at(-1));
  assert.deepEqual(
    changed(alice).filter((id) => sent.includes(id)),
    sent,
  );
  await leave(alice);
});

check("what is no assignment is refused, naming why", async () => {
  const { cookie } = await example.signIn("bob");
  const assign = async (id, options) => (await example.call("POST", `/tickets/${id}/assign`, { cookie, ...options })).status;
  assert.equal(await assign("42", { body: { assignee: "carol" } }), 400, "of another org");
  assert.equal(await assign("42", { body: { assignee: 7 } }), 400);
  assert.equal(await assign("77"), 404, "of another org");
  assert.equal(await assign("4711"), 404);
  assert.equal(await assign("42", { cookie: undefined }), 401);
  assert.equal(await assign("42", { headers: { origin: "https://evil.example" } }), 403);
});

check("one correlation id leads from a connect, and from a request, to their log lines", async () => {
  const began = Date.now();
  const { cookie } = await example.signIn("alice");
  const [connects, assigns] = [unique("connects"), unique("assigns")];
  const headers = { cookie, "x-correlation-id": connects };
  const alice = await ExampleClient.start(example.nodes[0].url(HUB), ["ticketChanged"], { headers });
  open.push(alice);
  const answer = await post({ cookie }, "42/assign", { headers: { "x-correlation-id": assigns } });
  assert.equal(answer.headers.get("x-correlation-id"), assigns);
  await alice.gets("ticketChanged", (id) => id === "42");
  const line = (log, ...parts) => log.split("\n").some((one) => parts.every((part) => one.includes(part)));
  assert.ok(line(example.nodes[0].log(began), "connected", `correlation_id="${connects}"`, "groups="), "connect and groups");
  assert.ok(line(example.logs(began), " published ", `correlation_id="${assigns}"`), "publish");
  await leave(alice);
});

check("personal data in an event, a group, a join rule or an argument is refused by check", async () => {
  const routes = (from, to) => example.check({ routes: (text) => text.replaceAll(from, to) });
  const config = (from, to) => example.check({ config: (text) => text.replace(from, to) });
  for (const told of [
    await config('"user:{user}",', '"user:{user}", "user:{claim.email}",'),
    await config('cookie = "session"', 'cookie = "session"\nmethod.Ask = { arguments = ["email"], allow = true, join = "a:{email}" }'),
    await routes('"user:{previousAssignee}"', '"user:alice@example.com"'),
    await routes('arguments = ["{ticketId}"]', 'arguments = ["{ticketId}", "{email}"]'),
    await routes('"ticketChanged"', '"ticketChanged of alice@example.com"'),
  ]) {
    assert.match(told, /^exit 1: .*personal data/s);
  }
});

