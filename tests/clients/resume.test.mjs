// What a tab misses while it is disconnected, with the official client: Resume, Cursor, and a restarting node.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Api } from "./api.mjs";
import { cases, unique } from "./case.mjs";
import { CutLine } from "./cut-line.mjs";
import { HubClient } from "./hub-client.mjs";
import { Platform } from "./platform.mjs";

let platform, api, line, alice, bob, root;
const open = [];
const check = cases(() => platform);
const patient = { nextRetryDelayInMilliseconds: () => 50 };

before(async () => {
  line = await CutLine.open();
  platform = await Platform.start("resume");
  line.to(platform.fanoutPort);
  api = new Api(platform);
  [alice, bob, root] = await Promise.all(["alice", "bob", "root"].map((user) => api.login(user)));
});
after(async () => {
  await Promise.all(open.map((client) => client.stop()));
  await line?.close();
  await platform?.stop();
});

async function connect(token, options = {}) {
  const client = await HubClient.connect(options.hub ?? platform.hub, token, options);
  open.push(client);
  return client;
}

function event(client, name) {
  return new Promise((happened) => client.connection[name](happened));
}

async function alerts(count) {
  const titles = Array.from({ length: count }, () => unique("missed"));
  for (const title of titles) {
    await api.alert(bob, { title, org: "acme" });
  }
  return titles;
}

check("Resume sends what was missed, in order, and says that it is complete", async () => {
  const hub = `http://127.0.0.1:${line.port}/hubs/notifications`;
  const tab = await connect(alice, { hub, reconnect: patient });
  const watching = await connect(alice);
  const [known] = await alerts(1);
  const { cursor } = await tab.getsToast(known);

  const [away, back] = [event(tab, "onreconnecting"), event(tab, "onreconnected")];
  line.cut();
  await away;
  const titles = await alerts(5);
  await watching.getsToast(titles.at(-1));
  line.mend();
  await back;
  const resumed = await tab.connection.invoke("Resume", cursor);
  assert.deepEqual(resumed, { replayed: 5, complete: true, cursor: resumed.cursor });
  assert.match(resumed.cursor, /^[A-Za-z0-9._~-]+$/, "where it stands now");
  const replayed = tab.of("toast").filter((one) => titles.includes(one.title));
  assert.deepEqual(
    replayed.map((one) => one.title),
    titles,
  );
  const live = watching.of("toast").filter((one) => titles.includes(one.title));
  assert.deepEqual(
    replayed.map((one) => one.id),
    live.map((one) => one.id),
    "ids are stable",
  );
});

check("Cursor is the place to resume from for a tab that has received nothing", async () => {
  const tab = await connect(alice);
  const cursor = await tab.connection.invoke("Cursor");
  assert.match(cursor, /^[A-Za-z0-9._~-]+$/, "URL-safe");
  assert.ok(cursor.length <= 512);
  await tab.stop();
  const watching = await connect(alice);
  const [title] = await alerts(1);
  await watching.getsToast(title);

  const again = await connect(alice);
  const { replayed, complete } = await again.connection.invoke("Resume", cursor);
  assert.deepEqual({ replayed, complete }, { replayed: 1, complete: true });
  assert.equal(again.of("toast").filter((one) => one.title === title).length, 1);
});

check("?cursor= in the address does the same at connect", async () => {
  const first = await connect(alice);
  const cursor = await first.connection.invoke("Cursor");
  await first.stop();
  const watching = await connect(alice);
  const titles = await alerts(3);
  await watching.getsToast(titles.at(-1));
  const again = await connect(alice, { query: `?cursor=${encodeURIComponent(cursor)}` });
  await again.getsToast(titles.at(-1));
  assert.deepEqual(
    again
      .of("toast")
      .map((one) => one.title)
      .filter((one) => titles.includes(one)),
    titles,
  );
});

check("a cursor that was never issued is an error, and the connection stays", async () => {
  const tab = await connect(alice);
  await assert.rejects(tab.connection.invoke("Resume", "never-issued"));
  for (const none of ["", null]) {
    const { replayed, complete } = await tab.connection.invoke("Resume", none);
    assert.deepEqual({ replayed, complete }, { replayed: 0, complete: false }, "no cursor at all");
  }
  const title = unique("after-the-error");
  await api.alert(root, { title, org: "acme", user: "alice" });
  await tab.getsToast(title);
});

check("a node that is killed and started again loses nothing for a tab that resumes", async () => {
  const tab = await connect(alice, { reconnect: patient });
  const [known] = await alerts(1);
  const { cursor } = await tab.getsToast(known);
  const [away, back] = [event(tab, "onreconnecting"), event(tab, "onreconnected")];
  await platform.service("fanout").kill();
  await away;
  const titles = await alerts(3); // kept in the outbox of their producer until the node is back
  await platform.startFanout();
  await back;
  await tab.connection.invoke("Resume", cursor);
  await tab.getsToast(titles.at(-1));
  const got = tab
    .of("toast")
    .map((one) => one.title)
    .filter((one) => titles.includes(one));
  // Live notifications after the reconnect may arrive before replayed ones.
  assert.deepEqual([...new Set(got)].toSorted(), titles.toSorted());
});

check("a node that stops tells its tabs to come back", async () => {
  const tab = await connect(bob, { reconnect: patient });
  const [away, back] = [event(tab, "onreconnecting"), event(tab, "onreconnected")];
  const outcome = await platform.service("fanout").stop();
  assert.equal(outcome.code, 0, JSON.stringify(outcome));
  await away;
  await platform.startFanout();
  await back;
  assert.equal(tab.connection.state, "Connected");
});
