// The official client on three nodes behind a proxy that is not sticky: nodes are rolled and killed, nothing is missed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import NodeEventSource from "eventsource";
import { setTimeout as sleep } from "node:timers/promises";
import { cases } from "./case.mjs";
import { Cluster } from "./cluster.mjs";
import { missingServers } from "./servers.mjs";

const missing = missingServers();
const END_MS = 30_000;
let cluster;

// The client forgets an EventSource that never opened without closing it, and that one tries again every second for
// ever: no test process with one would end.
const eventSources = new Set();
class EventSource extends NodeEventSource {
  constructor(...args) {
    super(...args);
    eventSources.add(this);
  }
}

before(async () => {
  cluster = missing ? undefined : await Cluster.start("nodes");
});
after(async () => {
  eventSources.forEach((one) => one.close());
  await cluster?.end();
});

const check = missing ? (name) => test(name, { skip: missing }) : cases(() => cluster);

/** An application's tab: it remembers the cursor of what it heard, and comes back with it whenever it is closed. */
class Tab {
  heard = [];
  returns = 0;
  #transport;
  #token;
  #cursor;
  #connection;
  #stopped = false;

  static async open(transport, user) {
    const tab = new Tab();
    tab.#transport = HttpTransportType[transport];
    tab.#token = cluster.token(user);
    await tab.#connect();
    tab.#cursor = await tab.#connection.invoke("Cursor");
    return tab;
  }

  async #connect() {
    const query = this.#cursor === undefined ? "" : `?cursor=${this.#cursor}`;
    this.#connection = new HubConnectionBuilder()
      .withUrl(cluster.hub + query, {
        transport: this.#transport,
        accessTokenFactory: () => this.#token,
        EventSource,
      })
      .configureLogging(LogLevel.None)
      .build();
    this.#connection.on("toast", (toast) => {
      this.heard.push(toast);
      this.#cursor = toast.cursor;
    });
    this.#connection.onclose(() => this.#comeBack());
    await this.#connection.start();
  }

  async #comeBack() {
    while (!this.#stopped) {
      try {
        await this.#connect();
        this.returns += 1;
        return;
      } catch {
        await sleep(50);
      }
    }
  }

  async stop() {
    this.#stopped = true;
    await this.#connection.stop();
  }
}

/** Publishes numbered alerts one after the other until the faults are over; gives their titles. */
async function publishDuring(word, faults) {
  const titles = [];
  let over = false;
  const done = faults().finally(() => {
    over = true;
  });
  while (!over || titles.length < 200) {
    const title = `${word}-${titles.length}`;
    await cluster.alert(title);
    titles.push(title);
    await sleep(10);
  }
  await done;
  return titles;
}

function expectAll(tab, titles, what) {
  const heard = tab.heard.map((toast) => toast.title).filter((title) => titles.includes(title));
  const first = [...new Set(heard)];
  const missed = titles.filter((title) => !first.includes(title));
  const duplicated = heard.length - first.length;
  const counts = `sent ${titles.length}, received ${first.length}, missed ${missed.length}, duplicated ${duplicated}`;
  console.log(`${what}: ${counts}, ${tab.returns} reconnects`);
  assert.deepEqual(missed, [], what);
  assert.deepEqual(first, titles, `${what}: in the order of the stream`);
  const ids = new Map();
  for (const { title, id } of tab.heard) {
    assert.equal(ids.get(title) ?? id, id, "what comes again has the same id");
    ids.set(title, id);
  }
}

async function hearsAll(tab, titles) {
  const deadline = Date.now() + END_MS;
  const has = () => new Set(tab.heard.map((toast) => toast.title));
  while (Date.now() < deadline) {
    const heard = has();
    if (titles.every((title) => heard.has(title))) {
      return;
    }
    await sleep(50);
  }
}

for (const [word, what, faults] of [
  ["roll", "a rolling restart under load", () => cluster.roll()],
  ["kill", "kill -9 of each node under load", () => cluster.killEach()],
]) {
  check(`${what}: nothing is missed and order is kept, over every transport`, async () => {
    const transports = ["WebSockets", "ServerSentEvents", "LongPolling"];
    const tabs = await Promise.all(transports.flatMap((one) => ["alice", "bob"].map((user) => Tab.open(one, user))));
    try {
      const titles = await publishDuring(word, faults);
      await Promise.all(tabs.map((tab) => hearsAll(tab, titles)));
      tabs.forEach((tab, number) => expectAll(tab, titles, `${what}, ${transports[Math.floor(number / 2)]}`));
      assert.ok(
        tabs.some((tab) => tab.returns > 0),
        "somebody lost a connection",
      );
    } finally {
      await Promise.all(tabs.map((tab) => tab.stop()));
    }
  });
}
