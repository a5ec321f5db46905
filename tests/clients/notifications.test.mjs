// The official client in Node.js: the audience and shape of notifications.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { Api } from "./api.mjs";
import { cases, unique } from "./case.mjs";
import { HubClient } from "./hub-client.mjs";
import { Platform } from "./platform.mjs";

let platform, api;
let alice, bob, carol, root; // tokens
const open = [];
const check = cases(() => platform);

before(async () => {
  platform = await Platform.start("notifications");
  api = new Api(platform);
  [alice, bob, carol, root] = await Promise.all(["alice", "bob", "carol", "root"].map((user) => api.login(user)));
});
after(async () => {
  await Promise.all(open.map((client) => client.stop()));
  await platform?.stop();
});

async function connect(token, options) {
  const client = await HubClient.connect(platform.hub, token, options);
  open.push(client);
  return client;
}

// One stream has everything in order, so a client that got the fence has got everything before it.
async function fence(client, org, user) {
  const title = unique("fence");
  await api.alert(root, { title, org, user });
  await client.getsToast(title);
}

check("a flag reaches its org, and nobody else", async () => {
  const [a, b, c] = await Promise.all([alice, bob, carol].map((token) => connect(token)));
  const flag = unique("flag");
  await api.setFlag(bob, "acme", flag, true);
  const [atAlice, atBob] = await Promise.all([a.getsFlag(flag, true), b.getsFlag(flag, true)]);
  assert.equal(atAlice.id, atBob.id, "a notification has one id, wherever it arrives");
  assert.ok(atAlice.id.length > 0 && atAlice.cursor.length > 0);
  assert.ok(!Number.isNaN(Date.parse(atAlice.at)));
  await fence(c, "globex", "carol");
  assert.deepEqual(
    c.of("featureFlag").filter((one) => one.flag === flag),
    [],
  );
});

check("a tab that connects later gets the current flags, and not the removed ones", async () => {
  const [kept, gone] = [unique("kept"), unique("gone")];
  const early = await connect(alice);
  await api.setFlag(bob, "acme", kept, true);
  await api.setFlag(bob, "acme", kept, false);
  await api.setFlag(bob, "acme", gone, true);
  await api.removeFlag(bob, "acme", gone);
  const removed = await early.gets(`${gone} removed`, (one) => one.flag === gone && one.removed === true);
  assert.equal(removed.enabled, false);

  const late = await connect(alice);
  const retained = await late.getsFlag(kept, false);
  assert.equal(retained.id, early.received.findLast((one) => one.flag === kept).id);
  await fence(late, "acme", "alice");
  assert.deepEqual(
    late.of("featureFlag").filter((one) => one.flag === gone),
    [],
  );
  assert.equal(late.of("featureFlag").filter((one) => one.flag === kept).length, 1, "the newest value alone");
});

check("what fanfare publish is given reaches ten clients", async () => {
  const clients = await Promise.all(Array.from({ length: 10 }, () => connect(alice)));
  const flag = unique("published");
  const id = await platform.publish("license.FlagToggled", { org: "acme", flag, enabled: true });
  assert.ok(id.length > 0);
  await Promise.all(clients.map((client) => client.getsFlag(flag, true)));
});

check("an export reaches the tabs of its user alone", async () => {
  const tabs = await Promise.all([alice, alice, alice].map((token) => connect(token)));
  const [b, c] = await Promise.all([connect(bob), connect(carol)]);
  const job = await api.startExport(alice, "usage-report");
  for (const tab of tabs) {
    const toast = await tab.gets("the export's toast", (one) => one.target === "toast" && one.link?.includes(job));
    assert.equal(toast.severity, "success");
    const steps = tab.of("exportProgress").filter((one) => one.job_id === job);
    assert.ok(steps.length > 0);
    assert.deepEqual(
      steps.map((one) => one.percent),
      steps.map((one) => one.percent).toSorted((x, y) => x - y),
    );
  }
  await Promise.all([fence(b, "acme", "bob"), fence(c, "globex", "carol")]);
  for (const other of [b, c]) {
    assert.ok(!JSON.stringify(other.received).includes(job));
  }
});

check("an export that fails says why", async () => {
  const tab = await connect(alice);
  await api.startExport(alice, "broken");
  const toast = await tab.gets("the failure", (one) => one.target === "toast" && one.severity === "error");
  assert.ok(toast.message.length > 0);
  assert.equal(toast.link, undefined);
});

check("a license change reaches the org", async () => {
  const [a, c] = await Promise.all([connect(alice), connect(carol)]);
  await api.setLicense(bob, "acme", { plan: unique("plan"), seats: 7, expires_at: "2031-01-02T03:04:05Z" });
  const toast = await a.getsToast("License updated");
  assert.match(toast.message, /refresh your browser/);
  await fence(c, "globex", "carol");
  assert.deepEqual(
    c.of("toast").filter((one) => one.title === "License updated"),
    [],
  );
});

check("a new role reaches the user's open tabs, and they hear what the role hears", async () => {
  const tab = await connect(alice);
  const title = unique("for-admins");
  await api.alert(root, { title, severity: "warning" });
  await fence(tab, "acme", "alice");
  assert.deepEqual(
    tab.of("toast").filter((one) => one.title === title),
    [],
    "alice is no admin yet",
  );

  await api.setRoles(bob, "alice", ["user", "admin"]);
  await tab.gets("the new roles", (one) => one.target === "toast" && one.message?.includes("admin"));
  const granted = unique("for-admins");
  await api.alert(root, { title: granted, severity: "warning" });
  assert.equal((await tab.getsToast(granted)).severity, "warning");

  await api.setRoles(bob, "alice", ["user"]);
  const withdrawn = unique("for-admins");
  const watching = await connect(root);
  await api.alert(root, { title: withdrawn });
  await watching.getsToast(withdrawn);
  await fence(tab, "acme", "alice");
  assert.deepEqual(
    tab.of("toast").filter((one) => one.title === withdrawn),
    [],
    "alice is an admin no more",
  );
});

check("a superadmin hears the org that the connection names", async () => {
  const acting = await connect(root, { query: "?org=acme" });
  const flag = unique("flag");
  await api.setFlag(root, "acme", flag, true);
  await acting.getsFlag(flag, true);
});

check("another org than the token's is refused", async () => {
  assert.equal(await api.negotiate(alice, { query: "&org=globex" }), 403);
  assert.equal(await api.negotiate(alice, { headers: { "x-organization-id": "globex" } }), 403);
  assert.equal(await api.negotiate(alice, { query: "&org=acme" }), 200);
  await assert.rejects(HubClient.connect(platform.hub, alice, { query: "?org=globex" }), /403/);
});

check("without a valid token nobody connects", async () => {
  assert.equal(await api.negotiate(undefined), 401);
  assert.equal(await api.negotiate("nonsense"), 401);
  await assert.rejects(HubClient.connect(platform.hub, "a.b.c"), /Unauthorized: Status code '401'/);
});

check("MessagePack carries the same notifications", async () => {
  const [json, packed] = await Promise.all([
    connect(alice),
    connect(alice, { protocol: new MessagePackHubProtocol() }),
  ]);
  const flag = unique("flag");
  await api.setFlag(bob, "acme", flag, true);
  const [one, other] = await Promise.all([json.getsFlag(flag, true), packed.getsFlag(flag, true)]);
  assert.ok(other.at instanceof Date, "times are MessagePack's own");
  assert.deepEqual({ ...other, at: other.at.toISOString() }, one);
});

check("an unknown method is answered, and the connection stays", async () => {
  const tab = await connect(alice);
  await assert.rejects(tab.connection.invoke("Nope"), /Unknown hub method 'Nope'/);
  await fence(tab, "acme", "alice");
});
