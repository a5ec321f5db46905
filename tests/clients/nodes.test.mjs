// The official client on three nodes behind a proxy without sticky sessions: nodes are rolled and killed, nothing is
// missed.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { cases } from "./case.mjs";
import { Cluster } from "./cluster.mjs";
import { ReturningTab, expectAll, forgetEventSources, hearsAll } from "./returning-tab.mjs";
import { missingServers } from "./servers.mjs";

const missing = missingServers();
let cluster;

before(async () => {
  cluster = missing ? undefined : await Cluster.start("nodes");
});
after(async () => {
  forgetEventSources();
  await cluster?.end();
});

const check = missing ? (name) => test(name, { skip: missing }) : cases(() => cluster);

/** Publishes numbered alerts one after another until the faults are over; returns their titles. */
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

for (const [word, what, faults] of [
  ["roll", "a rolling restart under load", () => cluster.roll()],
  ["kill", "kill -9 of each node under load", () => cluster.killEach()],
]) {
  check(`${what}: nothing is missed and order is kept, over every transport`, async () => {
    const transports = ["WebSockets", "ServerSentEvents", "LongPolling"];
    const tabs = await Promise.all(
      transports.flatMap((transport) =>
        ["alice", "bob"].map((user) => ReturningTab.open({ hub: cluster.hub, token: cluster.token(user), transport })),
      ),
    );
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
