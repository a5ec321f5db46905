// The client that anybody would write: its handlers keep the newest cursor, and it resumes after a reconnect. A node is
// killed and restarted under a stream of toasts; nothing is missed silently.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import NodeEventSource from "eventsource";
import { setTimeout as sleep } from "node:timers/promises";
import { cases } from "./case.mjs";
import { FanfareNode } from "./fanfare-node.mjs";

const TRANSPORTS = ["WebSockets", "ServerSentEvents", "LongPolling"];
/** The differences between tabs: acme has a retained flag, globex has none; groups are joined before Resume or not. */
const ORDERS = ["acme", "globex"].flatMap((org) => [true, false].map((joins) => ({ org, joins })));
const TABS_EACH = 2;
const KILLS = 3;
/** 20 toasts per second, some of which are published before a tab is back. */
const PAUSE_MS = 50;
const RETRY_MS = 400;
const END_MS = 30_000;
const LISTS = ["1", "2", "3"];
const METHODS = `method.JoinList = { arguments = ["listId"], allow = true, join = "list:{listId}" }`;

let node;
const check = cases(() => ({ logs: (since) => node?.log(since) }));

// The client drops an EventSource that never opened without closing it, and that one retries forever.
const eventSources = new Set();
class EventSource extends NodeEventSource {
  constructor(...args) {
    super(...args);
    eventSources.add(this);
  }
}

before(async () => {
  node = await FanfareNode.start("returning", { hub: METHODS });
  await node.publish("license.FlagToggled", "flag-1", { org: "acme", flag: "dark", enabled: true, revision: 1 });
});
after(async () => {
  eventSources.forEach((one) => one.close());
  await node?.end();
});

class Tab {
  heard = new Set();
  resumed = [];
  #cursor;
  #connection;

  static async open(transport, { org, joins }, number) {
    const tab = new Tab();
    tab.what = `${transport}, ${org === "acme" ? "a retained flag" : "nothing retained"}, ${joins ? "joins first" : "resumes first"}`;
    tab.joins = joins;
    tab.org = org;
    const token = node.token(`user-${number}`, 3600, org);
    tab.#connection = new HubConnectionBuilder()
      .withUrl(node.hub(), { transport: HttpTransportType[transport], accessTokenFactory: () => token, EventSource })
      .withAutomaticReconnect({ nextRetryDelayInMilliseconds: () => RETRY_MS })
      .configureLogging(LogLevel.None)
      .build();
    for (const target of ["toast", "featureFlag"]) {
      tab.#connection.on(target, (shown) => {
        tab.#cursor = shown.cursor;
        tab.heard.add(shown.title);
      });
    }
    tab.#connection.onreconnected(() => tab.#comeBack().catch(() => undefined)); // lost again: it will be back
    await tab.#connection.start();
    await tab.#join();
    tab.#cursor = await tab.#connection.invoke("Cursor");
    return tab;
  }

  async #comeBack() {
    if (this.joins) {
      await this.#join();
    }
    let answer = { more: true };
    while (answer.more) {
      answer = await this.#connection.invoke("Resume", answer.cursor ?? this.#cursor);
    }
    this.resumed.push(answer);
    if (!this.joins) {
      await this.#join();
    }
  }

  #join() {
    return Promise.all(LISTS.map((list) => this.#connection.invoke("JoinList", list)));
  }

  /** Whether it learnt that it lacks something, so that it refetches. */
  get isTold() {
    return this.resumed.some((answer) => answer.complete === false);
  }

  stop() {
    return this.#connection.stop();
  }
}

/** Publishes one toast after another to both orgs until the kills are over; returns their titles. */
async function publishDuring(kills) {
  const titles = [];
  let over = false;
  const done = kills().finally(() => {
    over = true;
  });
  while (!over || titles.length < 100) {
    const title = `toast-${titles.length}`;
    for (const org of ["acme", "globex"]) {
      await stored(() => node.alert(title, { org, id: `${org}-${title}` }));
    }
    titles.push(title);
    await sleep(PAUSE_MS);
  }
  await done;
  return titles;
}

/** Retries while the node is down, always with the same id. */
async function stored(publish) {
  const deadline = Date.now() + END_MS;
  for (;;) {
    try {
      return await publish();
    } catch (error) {
      if (Date.now() > deadline) {
        throw error;
      }
      await sleep(10);
    }
  }
}

check("the obvious client misses nothing without being told, on every transport and in every order", async () => {
  const plans = TRANSPORTS.flatMap((transport) => ORDERS.map((order) => ({ transport, order })));
  const all = plans.flatMap((plan) => Array.from({ length: TABS_EACH }, () => plan));
  const tabs = await Promise.all(all.map(({ transport, order }, number) => Tab.open(transport, order, number)));
  try {
    const titles = await publishDuring(async () => {
      for (let kill = 0; kill < KILLS; kill += 1) {
        await sleep(2_000);
        await node.kill();
        await node.again();
      }
      await sleep(2_000);
    });
    const last = titles.at(-1);
    const deadline = Date.now() + END_MS;
    while (Date.now() < deadline && !tabs.every((tab) => tab.heard.has(last))) {
      await sleep(50);
    }
    const silent = [];
    for (const tab of tabs) {
      const missed = titles.filter((title) => !tab.heard.has(title));
      const complete = tab.resumed.filter((answer) => answer.complete).length;
      console.log(`${tab.what}: missed ${missed.length} of ${titles.length}, ${complete} of ${tab.resumed.length} resumes complete`);
      if (missed.length > 0 && !tab.isTold) {
        silent.push(`${tab.what}: missed ${missed.join(", ")}`);
      }
    }
    assert.deepEqual(silent, [], "missed in silence");
    const wholly = tabs.filter((tab) => tab.resumed.length > 0 && !tab.isTold).map((tab) => tab.what);
    const never = new Set(tabs.map((tab) => tab.what).filter((what) => !wholly.includes(what)));
    assert.deepEqual([...never], [], "some tab of each order is given all that it missed: fetching anew is the exception");
  } finally {
    await Promise.all(tabs.map((tab) => tab.stop()));
  }
});
