// The runbooks that change nodes' state or secrets, run on real nodes and brokers: docs/runbooks.md.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { cases } from "./case.mjs";
import { Cluster } from "./cluster.mjs";
import { FanfareNode } from "./fanfare-node.mjs";
import { ReturningTab, forgetEventSources, hearsAll } from "./returning-tab.mjs";
import { missingServers } from "./servers.mjs";

const OLD = 'secret = "the same on every node of these tests, and long"';
const NEW = 'secret = "the secret that takes its place, and is as long as it"';
const previous = (secret) => secret.replace("secret", "previous_secret");

const missing = missingServers();
let cluster;

before(async () => {
  cluster = missing ? undefined : await Cluster.start("runbooks", 2);
});
after(async () => {
  forgetEventSources();
  await cluster?.end();
});

const check = missing ? (name) => test(name, { skip: missing }) : cases(() => cluster);

const open = (node, cursor) =>
  ReturningTab.open({ hub: node.hub(), token: node.token("alice"), transport: "WebSockets", cursor });

/** Gives each node this secret and the previous one, one after another; `between` runs while they differ. */
async function roll(secret, before, between = async () => {}) {
  for (const [number, node] of cluster.nodes.entries()) {
    await node.stop();
    node.configure((text) => text.replace(/^(previous_)?secret = .*\n/gm, "").replace("[broker]", `${secret}\n${before}\n[broker]`));
    await node.again();
    if (number === 0) {
      await between();
    }
  }
}

/** Whether a cursor of each node is valid on the other one. */
async function understandEachOther() {
  const good = [];
  for (const [from, to] of [cluster.nodes, cluster.nodes.toReversed()]) {
    const tab = await open(from);
    const cursor = await tab.cursor();
    await tab.stop();
    const other = await open(to);
    good.push(await other.resumes(cursor).then(({ complete }) => complete, () => false));
    await other.stop();
  }
  return good;
}

check("the secret of the nodes is changed in the order of the runbook, and no cursor is refused meanwhile", async () => {
  const asRolled = [];
  const look = async () => asRolled.push(...(await understandEachOther()));
  await roll(OLD, previous(NEW), look);
  await look();
  await roll(NEW, previous(OLD), look);
  await look();
  await roll(NEW, "", look);
  await look();
  assert.deepEqual([...new Set(asRolled)], [true]);
});

check("in the wrong order nodes refuse each other's cursors for as long as they differ, and go on", async () => {
  let meanwhile;
  await roll(OLD, previous(NEW), async () => {
    meanwhile = await understandEachOther();
  });
  assert.deepEqual(meanwhile, [false, true]);
  await roll(OLD, "");
  assert.deepEqual(await understandEachOther(), [true, true]);
});

test("a copy of the embedded log is restored, and no cursor from behind it is believed", async () => {
  const node = await FanfareNode.start("runbooks-embedded");
  try {
    const tab = await open(node);
    await node.alert("before");
    await hearsAll(tab, ["before"]);
    const early = await tab.cursor();
    await node.stop();
    const copy = node.copyOfLog();
    await node.again();
    await node.alert("behind");
    await hearsAll(tab, ["before", "behind"]);
    const late = await tab.cursor();
    await tab.stop();
    await node.stop();
    copy.restore();
    await node.again();
    const completeness = async () => {
      const tab = await open(node);
      const answers = [await tab.resumes(early), await tab.resumes(late)];
      await tab.stop();
      return answers.map(({ complete }) => complete);
    };
    // Beyond the end of the copy, then where another record is now, then far after that.
    for (const events of [[], ["after"], ["more", "still more"]]) {
      for (const event of events) {
        await node.alert(event);
      }
      assert.deepEqual(await completeness(), [true, false], events.join());
    }
  } finally {
    await node.end();
  }
});
