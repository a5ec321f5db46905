// The ticketing platform: an event of a ticket tells whoever may see it to fetch it again.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { cases } from "./case.mjs";
import { ExampleClient } from "./example-client.mjs";
import { Example } from "./example.mjs";

let example;
const open = [];
const check = cases(() => example);

before(async () => {
  example = await Example.start("tickets");
});
after(async () => {
  await Promise.all(open.map((client) => client.stop()));
  await example?.stop();
});

/** Connects as the page does: with the cookie of a session and no token. */
async function connect(user, options = {}) {
  const { cookie } = await example.signIn(user);
  const hub = example.nodes[0].url("/hubs/tickets");
  const client = await ExampleClient.start(hub, ["ticketChanged"], { headers: { cookie }, ...options });
  client.cookie = cookie;
  open.push(client);
  return client;
}

check("its configuration is sound", async () => {
  assert.match(await example.check(), /fanfare\.toml is sound/);
});

check("an assignment is told by the ticket's id alone", async () => {
  const alice = await connect("alice");
  const bob = await connect("bob");
  const answer = await example.call("POST", "/tickets/42/assign", { cookie: bob.cookie });
  assert.equal(answer.status, 200);
  assert.deepEqual(await alice.gets("ticketChanged"), ["42"]);
  assert.deepEqual(await bob.gets("ticketChanged"), ["42"]);
});
