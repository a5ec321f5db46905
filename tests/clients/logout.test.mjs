// Logout with the official client: every tab gets it and is closed for good, and the old token is refused.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Api } from "./api.mjs";
import { cases, unique } from "./case.mjs";
import { HubClient } from "./hub-client.mjs";
import { Platform } from "./platform.mjs";

let platform, api;
const open = [];
const check = cases(() => platform);
// Reconnects at once and often: a client that is allowed to reconnect would.
const eager = [0, 0, 50, 50, 100, 100];

before(async () => {
  platform = await Platform.start("logout");
  api = new Api(platform);
});
after(async () => {
  await Promise.all(open.map((client) => client.stop()));
  await platform?.stop();
});

async function connect(token) {
  const client = await HubClient.connect(platform.hub, token, { reconnect: eager });
  open.push(client);
  return client;
}

async function endsFor(tab) {
  const logout = await tab.gets("the logout", (one) => one.target === "logout");
  assert.equal(logout.reason, "signed out");
  assert.ok(logout.id && logout.cursor && logout.at);
  await tab.closed;
  assert.equal(tab.connection.state, "Disconnected");
}

check("a logout everywhere ends every tab of the user and leaves the others", async () => {
  const [first, second, bob] = await Promise.all(["alice", "alice", "bob"].map((user) => api.login(user)));
  const tabs = await Promise.all([connect(first), connect(first), connect(second)]);
  const other = await connect(bob);
  await api.logout(first);
  await Promise.all(tabs.map(endsFor));

  assert.equal(await api.negotiate(first), 401, "the token of the logout");
  assert.equal(await api.negotiate(second), 401, "the token of the user's other session");
  const title = unique("still-here");
  await api.alert(bob, { title, org: "acme", user: "bob" });
  await other.getsToast(title);
  assert.deepEqual(other.of("logout"), []);
});

check("a login right after the logout works, and its tab stays", async () => {
  const old = await api.login("alice");
  await api.logout(old);
  const fresh = await api.login("alice");
  const tab = await connect(fresh);
  const root = await api.login("root");
  const title = unique("welcome-back");
  await api.alert(root, { title, org: "acme", user: "alice" });
  await tab.getsToast(title);
  assert.deepEqual(tab.of("logout"), [], "the earlier logout is not this session's");
  assert.equal(await api.negotiate(old), 401);
});

check("the logout of one session leaves the user's others", async () => {
  const [ending, staying] = [await api.login("carol"), await api.login("carol")];
  const [gone, kept] = await Promise.all([connect(ending), connect(staying)]);
  await api.logout(ending, "session");
  await endsFor(gone);
  const root = await api.login("root");
  const title = unique("kept");
  await api.alert(root, { title, org: "globex", user: "carol" });
  await kept.getsToast(title);
  assert.deepEqual(kept.of("logout"), []);
  assert.deepEqual([await api.negotiate(ending), await api.negotiate(staying)], [401, 200]);
});

check("a logout holds after the node has started again", async () => {
  const token = await api.login("alice");
  const tab = await connect(token);
  await api.logout(token);
  await endsFor(tab);
  await platform.service("fanout").kill();
  await platform.startFanout();
  assert.equal(await api.negotiate(token), 401);
  assert.equal(await api.negotiate(await api.login("alice")), 200);
});
