// The shopping lists: rooms that the platform's own service opens, presence, and access that is withdrawn at once.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { MessagePackHubProtocol } from "@microsoft/signalr-protocol-msgpack";
import { cases, unique } from "./case.mjs";
import { ExampleClient } from "./example-client.mjs";
import { Example } from "./example.mjs";

const GROCERIES = "6f1c7a52-3b0e-4d0a-9a4e-1f2d3c4b5a69";
const PARTY = "0b9d8e7c-5a4f-4e3d-8c2b-7a6f5e4d3c2b";
const NOWHERE = "99999999-9999-4999-8999-999999999999";
/** The page waits 1, 2, 5, 10 and 30 s; a test cannot. */
const RETRIES = [100, 200, 500, 1_000, 3_000];
/** What the page does within 45 s happens here within 5. */
const QUICK = (text) => text.replace("inactive_after_seconds = 45", "inactive_after_seconds = 5");
/** The fields of each event between `eventType` and `listId` and `timestamp`. */
const FIELDS = {
  ItemAdded: ["item"],
  ItemUpdated: ["item", "changedFields"],
  ItemDeleted: ["itemId", "deletedBy"],
  ItemPurchasedStatusChanged: ["itemId", "isPurchased", "purchasedBy", "purchasedAt"],
  ListUpdated: ["changes", "changedFields", "updatedBy"],
  CollaboratorAdded: ["collaborator", "invitedBy"],
  CollaboratorPermissionChanged: ["userId", "permission", "changedBy"],
  CollaboratorRemoved: ["userId", "displayName", "removedBy"],
  UserJoined: ["user"],
  UserLeft: ["userId", "displayName"],
  PresenceUpdate: ["activeUsers"],
};
const EVENTS = [...Object.keys(FIELDS), "logout"];
const AVATAR = { alice: "/avatars/alice.svg", bob: "/avatars/bob.svg", carol: "/avatars/carol.svg" };

let example;
const open = [];
const check = cases(() => example);

before(async () => {
  example = await Example.start("lists", { nodes: 2, edit: QUICK });
});
after(async () => {
  await Promise.all(open.map((client) => client.stop()));
  await example?.stop();
});

/** A user's tab on a node, which reads its token once. */
async function tab(user, { node = 0, list, ...options } = {}) {
  const session = await example.signIn(user);
  const hub = example.nodes[node].url("/hubs/shopping-list");
  const client = await ExampleClient.start(hub, EVENTS, { token: session.token, ...options });
  open.push(client);
  Object.assign(client, session);
  if (list !== undefined) {
    await client.invoke("JoinList", list);
    // Before it, the tab has not caught up, and what the others do is in this and not told by itself.
    await client.gets("PresenceUpdate", (update) => update.listId === list);
  }
  return client;
}

async function api(client, method, path, body) {
  const answer = await example.call(method, `/api/lists/${path}`, { cookie: client.cookie, body });
  assert.ok(answer.status < 300, `${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  return answer.body;
}

/** Checks that an event of this list has exactly the documented fields, in order. */
function isShaped(event, target, list = GROCERIES) {
  assert.deepEqual(Object.keys(event), ["eventType", "listId", ...FIELDS[target], "timestamp"], target);
  assert.deepEqual([event.eventType, event.listId], [target, list]);
  assert.ok(!Number.isNaN(Date.parse(event.timestamp)), event.timestamp);
}

/** A member of a list who has received this item has received everything before it. */
async function fence(list, ...clients) {
  const name = unique("fence");
  await example.publish("lists.ItemAdded", { listId: list, item: { id: name, name } });
  await Promise.all(clients.map((client) => client.gets("ItemAdded", ({ item }) => item.id === name)));
}

/**
 * Leaves before it closes: a user whose connection is only lost stays present for a moment, and would be in the next
 * test.
 */
async function leave(...clients) {
  await Promise.all(clients.map((client) => client.invoke("LeaveList", GROCERIES).catch(() => undefined)));
  await Promise.all(clients.map((client) => client.stop()));
}

check("its configuration is sound", async () => {
  assert.match(await example.check(), /fanfare\.toml is sound/);
});

check("who may not see a list is refused in the platform's words, and hears nothing of it", async () => {
  const [alice, carol] = [await tab("alice", { list: GROCERIES }), await tab("carol")];
  await assert.rejects(carol.invoke("JoinList", GROCERIES), /Access denied/);
  await assert.rejects(alice.invoke("JoinList", PARTY), /Access denied/);
  await assert.rejects(carol.invoke("JoinList", NOWHERE), /Access denied/);
  await api(alice, "POST", `${GROCERIES}/items`, { name: "Tea" });
  await alice.gets("ItemAdded", ({ item }) => item.name === "Tea");
  await sleep(300);
  assert.deepEqual(carol.of("ItemAdded"), []);
  await leave(alice, carol);
});

check("an argument that is no GUID is refused, and a GUID is taken in any case", async () => {
  const alice = await tab("alice");
  for (const method of ["JoinList", "LeaveList", "UpdatePresence"]) {
    for (const wrong of ["42", "", null, 7, "6f1c7a52-3b0e-4d0a-9a4e"]) {
      await assert.rejects(alice.invoke(method, wrong), /A list is named by a GUID/, `${method} ${wrong}`);
    }
    await assert.rejects(alice.invoke(method), /argument|GUID/);
  }
  await alice.invoke("JoinList", GROCERIES.toUpperCase());
  await fence(GROCERIES, alice);
  await leave(alice);
});

check("each event has the document's fields, the same in JSON and MessagePack, to the sender too", async () => {
  const alice = await tab("alice", { list: GROCERIES });
  const bob = await tab("bob", { list: GROCERIES, node: 1, protocol: new MessagePackHubProtocol() });
  const both = async (event, fits) => {
    const [[json], [packed]] = await Promise.all([alice.gets(event, fits), bob.gets(event, fits)]);
    const plain = (value) => JSON.parse(JSON.stringify(value));
    assert.deepEqual(plain(packed), plain(json), event);
    isShaped(json, event);
    return json;
  };
  const name = unique("Cheese");
  const item = await api(alice, "POST", `${GROCERIES}/items`, { name, quantity: 2 });
  const added = await both("ItemAdded", ({ item: one }) => one.id === item.id);
  assert.deepEqual(added.item, item);
  assert.equal(added.item.notes, null, "null is told as null");
  await api(bob, "PATCH", `${GROCERIES}/items/${item.id}`, { notes: "the old one" });
  const updated = await both("ItemUpdated", ({ item: one }) => one.id === item.id);
  assert.deepEqual(updated.changedFields, ["notes"]);
  assert.equal(updated.item.updatedBy.displayName, "Bob Brown");
  await api(bob, "PATCH", `${GROCERIES}/items/${item.id}/purchased`, { isPurchased: true });
  const bought = await both("ItemPurchasedStatusChanged", (one) => one.itemId === item.id && one.isPurchased);
  assert.deepEqual(bought.purchasedBy, { id: "bob", displayName: "Bob Brown", avatarUrl: AVATAR.bob });
  await api(bob, "PATCH", `${GROCERIES}/items/${item.id}/purchased`, { isPurchased: false });
  const back = await both("ItemPurchasedStatusChanged", (one) => one.itemId === item.id && !one.isPurchased);
  assert.deepEqual([back.purchasedBy, back.purchasedAt], [null, null]);
  await api(alice, "PATCH", GROCERIES, { description: null });
  const list = await both("ListUpdated");
  assert.deepEqual(list.changes, { description: null }, "what was set to null is there as null");
  await api(alice, "DELETE", `${GROCERIES}/items/${item.id}`);
  const deleted = await both("ItemDeleted", ({ itemId }) => itemId === item.id);
  assert.equal(deleted.deletedBy.id, "alice");
  await leave(alice, bob);
});

check("who leaves a list hears nothing more of it", async () => {
  const [alice, bob] = [await tab("alice", { list: GROCERIES }), await tab("bob", { list: GROCERIES })];
  await bob.invoke("LeaveList", GROCERIES);
  const before = bob.of("ItemAdded").length;
  await fence(GROCERIES, alice);
  await sleep(200);
  assert.equal(bob.of("ItemAdded").length, before);
  await leave(alice, bob);
});

check("presence: a newcomer hears who is there, the others that one came, once per user and across nodes", async () => {
  const alice = await tab("alice", { list: GROCERIES });
  const [first] = await alice.gets("PresenceUpdate");
  isShaped(first, "PresenceUpdate");
  const [{ joinedAt, ...described }] = first.activeUsers;
  assert.deepEqual(described, { id: "alice", displayName: "Alice Adams", avatarUrl: AVATAR.alice });
  assert.ok(Math.abs(Date.parse(joinedAt) - Date.now()) < 60_000, joinedAt);
  const bob = await tab("bob", { list: GROCERIES, node: 1 });
  const [joined] = await alice.gets("UserJoined");
  isShaped(joined, "UserJoined");
  assert.deepEqual(joined.user, { id: "bob", displayName: "Bob Brown", avatarUrl: AVATAR.bob });
  const [snapshot] = await bob.gets("PresenceUpdate", ({ activeUsers }) => activeUsers.length === 2);
  assert.deepEqual(snapshot.activeUsers.map(({ displayName }) => displayName).sort(), ["Alice Adams", "Bob Brown"]);
  const second = await tab("bob", { list: GROCERIES });
  await second.gets("PresenceUpdate");
  await second.stop();
  await sleep(1_000);
  assert.equal(alice.of("UserJoined").length, 1, "a user's second tab is no other user");
  assert.deepEqual(alice.of("UserLeft"), []);
  assert.deepEqual(bob.of("UserJoined"), [], "nobody hears of themselves");
  await bob.invoke("LeaveList", GROCERIES);
  const [left] = await alice.gets("UserLeft");
  isShaped(left, "UserLeft");
  assert.deepEqual([left.userId, left.displayName], ["bob", "Bob Brown"]);
  await leave(alice, bob);
});

check("presence: who sends no heartbeat is gone, and who does stays", async () => {
  const [alice, bob] = [await tab("alice", { list: GROCERIES }), await tab("bob", { list: GROCERIES, node: 1 })];
  await alice.gets("UserJoined", ({ user }) => user.id === "bob");
  const beats = setInterval(() => void alice.invoke("UpdatePresence", GROCERIES), 1_000);
  try {
    await alice.gets("UserLeft", ({ userId }) => userId === "bob");
    assert.deepEqual(bob.of("UserLeft"), []);
    const before = bob.of("ItemAdded").length;
    await fence(GROCERIES, alice, bob);
    assert.equal(bob.of("ItemAdded").length, before + 1, "who is inactive still hears of the list");
  } finally {
    clearInterval(beats);
  }
  await leave(alice, bob);
});

check("presence: the users of a node that was killed are gone", async () => {
  const alice = await tab("alice", { list: GROCERIES });
  const bob = await tab("bob", { list: GROCERIES, node: 1, reconnect: [] });
  await alice.gets("UserJoined", ({ user }) => user.id === "bob");
  const beats = setInterval(() => void alice.invoke("UpdatePresence", GROCERIES), 1_000);
  try {
    await example.nodes[1].kill();
    await alice.gets("UserLeft", ({ userId }) => userId === "bob");
  } finally {
    clearInterval(beats);
    await example.nodes[1].start();
  }
  await leave(alice, bob);
});

check("a collaborator who is removed hears of it and nothing after it, on any node", async () => {
  const alice = await tab("alice", { list: GROCERIES });
  await api(alice, "PUT", `${GROCERIES}/collaborators/carol`, { permission: "Editor" });
  const [invited] = await alice.gets("CollaboratorAdded");
  isShaped(invited, "CollaboratorAdded");
  const [me, them] = [["alice", "Alice Adams"], ["carol", "Carol Clark"]].map(([id, displayName]) => ({ id, displayName, avatarUrl: AVATAR[id] }));
  assert.deepEqual([invited.collaborator, invited.invitedBy], [{ ...them, permission: "Editor" }, me]);
  const carol = await tab("carol", { list: GROCERIES, node: 1 });
  await fence(GROCERIES, alice, carol);
  await api(alice, "PUT", `${GROCERIES}/collaborators/carol`, { permission: "Viewer" });
  const [viewer] = await carol.gets("CollaboratorPermissionChanged", ({ permission }) => permission === "Viewer");
  isShaped(viewer, "CollaboratorPermissionChanged");
  assert.deepEqual([viewer.userId, viewer.changedBy], ["carol", me]);
  const denied = await example.call("POST", `/api/lists/${GROCERIES}/items`, { cookie: carol.cookie, body: { name: "x" } });
  assert.equal(denied.status, 403);
  await api(alice, "DELETE", `${GROCERIES}/collaborators/carol`);
  const [removed] = await carol.gets("CollaboratorRemoved");
  isShaped(removed, "CollaboratorRemoved");
  assert.deepEqual([removed.userId, removed.displayName, removed.removedBy], ["carol", "Carol Clark", me]);
  await alice.gets("UserLeft", ({ userId }) => userId === "carol");
  const before = carol.of("ItemAdded").length;
  await fence(GROCERIES, alice);
  await sleep(300);
  assert.equal(carol.of("ItemAdded").length, before);
  await assert.rejects(carol.invoke("JoinList", GROCERIES), /Access denied/);
  await leave(alice, carol);
});

check("who has lost access leaves by the next heartbeat, before any event says so, and is told nothing", async () => {
  const alice = await tab("alice", { list: GROCERIES, node: 1 });
  await api(alice, "PUT", `${GROCERIES}/collaborators/carol`, {});
  const carol = await tab("carol", { list: GROCERIES, node: 1 });
  await fence(GROCERIES, carol);
  // The service publishes through this node, so that its event has to wait.
  await example.nodes[0].stop();
  try {
    await api(alice, "DELETE", `${GROCERIES}/collaborators/carol`);
    assert.equal(await carol.invoke("UpdatePresence", GROCERIES), null);
    await alice.gets("UserLeft", ({ userId }) => userId === "carol");
    const before = carol.of("ItemAdded").length;
    await fence(GROCERIES, alice);
    await sleep(300);
    assert.equal(carol.of("ItemAdded").length, before);
    assert.deepEqual(carol.of("CollaboratorRemoved"), []);
  } finally {
    await example.nodes[0].start();
  }
  await carol.gets("CollaboratorRemoved");
  await leave(alice, carol);
});

check("without an answer of the service nobody joins", async () => {
  const alice = await tab("alice");
  await example.stopBackend();
  try {
    await assert.rejects(alice.invoke("JoinList", GROCERIES));
  } finally {
    await example.startBackend();
  }
  await alice.invoke("JoinList", GROCERIES);
  await leave(alice);
});

check("a tab that lost its node joins again, and hears on", async () => {
  const alice = await tab("alice", { list: GROCERIES, reconnect: RETRIES });
  const back = new Promise((reconnected) => {
    alice.connection.onreconnected(async () => {
      await alice.invoke("JoinList", GROCERIES);
      reconnected();
    });
  });
  await example.nodes[0].kill();
  await example.nodes[0].start();
  await back;
  await fence(GROCERIES, alice);
  await leave(alice);
});

check("a service that is killed between commit and publishing tells it once it is back, and once", async () => {
  const alice = await tab("alice", { list: GROCERIES, node: 1 });
  const { cookie } = alice;
  await example.nodes[0].stop();
  const name = unique("Salt");
  const item = await example.call("POST", `/api/lists/${GROCERIES}/items`, { cookie, body: { name } });
  assert.equal(item.status, 201);
  await example.killBackend();
  await example.nodes[0].start();
  await example.startBackend();
  await alice.gets("ItemAdded", (event) => event.item.name === name);
  await fence(GROCERIES, alice);
  assert.equal(alice.of("ItemAdded").filter(([event]) => event.item.name === name).length, 1);
  await leave(alice);
});

check("what somebody does comes in the order in which it was done", async () => {
  const bob = await tab("bob", { list: GROCERIES, node: 1 });
  const { cookie } = await example.signIn("alice");
  const names = Array.from({ length: 20 }, () => unique("in-order"));
  for (const name of names) {
    await example.call("POST", `/api/lists/${GROCERIES}/items`, { cookie, body: { name } });
  }
  await bob.gets("ItemAdded", ({ item }) => item.name === names.at(-1));
  const heard = bob.of("ItemAdded").map(([{ item }]) => item.name);
  assert.deepEqual(heard.filter((name) => names.includes(name)), names);
  await leave(bob);
});

check("more than 100 calls a minute are refused in the platform's words, for this user alone", async () => {
  const carol = await tab("carol");
  const outcomes = [];
  for (let call = 0; call < 120; call += 1) {
    outcomes.push(await carol.invoke("LeaveList", NOWHERE).then(() => "done", (error) => error.message));
  }
  const refused = outcomes.filter((outcome) => outcome.includes("Rate limit exceeded. Please try again later."));
  assert.ok(refused.length >= 20 && refused.length < 120, `${refused.length} were refused: ${outcomes.at(-1)}`);
  const alice = await tab("alice", { list: GROCERIES });
  await leave(alice, carol);
});
