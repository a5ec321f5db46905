// withStatefulReconnect of the official client: lost sockets, and the messages after them.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as signalR from "@microsoft/signalr";
import * as msgpack from "@microsoft/signalr-protocol-msgpack";
import { open } from "./compatibility/official.mjs";
import { Tab } from "./compatibility/tab.mjs";
import { CutLine } from "./cut-line.mjs";
import { FanfareNode } from "./fanfare-node.mjs";

const HIDDEN_MS = 400;

let node, line;
before(async () => {
  line = await CutLine.open();
  node = await FanfareNode.start("stateful-reconnect");
  line.to(node.port);
});
after(async () => {
  await node?.end();
  await line?.close();
});

async function connect(protocol, { stateful = true, port = line.port } = {}) {
  const tab = new Tab();
  const report = (event) => tab.report(event);
  const url = node.hub(port);
  const token = () => node.token("alice");
  Object.assign(tab, await open({ signalR, msgpack, url, transport: "WebSockets", protocol, stateful, token, report }));
  return tab;
}

const titles = (tab) => tab.received.map((one) => one.arguments[0].title);
const numbered = (word, count) => Array.from({ length: count }, (_, at) => `${word}-${at}`);

/** Breaks every socket; new ones work at once. */
function drop() {
  line.cut();
  line.mend();
}

for (const protocol of ["json", "messagepack"]) {
  describe(`stateful reconnect with ${protocol}`, { timeout: 60_000 }, () => {
    test("two drops in a row lose nothing, repeat nothing, and the app hears of neither", async () => {
      const tab = await connect(protocol);
      const id = tab.connection.connectionId;
      const all = numbered(`drop-${protocol}`, 9);
      for (const [at, title] of all.entries()) {
        if (at === 3 || at === 6) {
          drop();
        }
        await node.alert(title);
      }
      await tab.toast(all.at(-1));
      assert.deepEqual(titles(tab), all);
      assert.equal(tab.opens, 1, "no reconnect");
      assert.equal(tab.connection.connectionId, id);
      assert.match(await tab.invoke("Cursor"), /./, "calls are answered");
      await tab.stop();
    });

    test("two drops at once, with nothing to send again", async () => {
      const tab = await connect(protocol);
      await sleep(1500); // until all is acknowledged
      drop();
      drop();
      const call = tab.invoke("Cursor");
      await node.alert(`empty-${protocol}`);
      await tab.toast(`empty-${protocol}`);
      assert.match(await call, /./, "a call made meanwhile is answered");
      assert.equal(tab.opens, 1);
      await tab.stop();
    });

    test("more than is kept for a lost socket ends the state, and delays nobody", async () => {
      const [tab, other] = [await connect(protocol), await connect(protocol, { port: node.port })];
      line.cut();
      const big = numbered(`full-${protocol}`, 3);
      for (const title of big) {
        await node.alert(title, { message: "x".repeat(50_000) });
      }
      await other.toast(big.at(-1));
      assert.equal(other.opens, 1, "whoever takes what it is sent stays, though it acknowledges later");
      await sleep(HIDDEN_MS);
      line.mend();
      await tab.up(2);
      await node.alert(`after-full-${protocol}`);
      await tab.toast(`after-full-${protocol}`);
      assert.match(await tab.invoke("Cursor"), /./, "calls are answered");
      await Promise.all([tab.stop(), other.stop()]);
    });

    test("a Close that lets it come back makes a new connection", async () => {
      const tab = await connect(protocol);
      const id = tab.connection.connectionId;
      await node.stop();
      await node.again();
      await tab.up(2);
      assert.notEqual(tab.connection.connectionId, id);
      await node.alert(`closed-${protocol}`);
      await tab.toast(`closed-${protocol}`);
      await tab.stop();
    });

    test("a node that does not know the token makes a new connection", async () => {
      const tab = await connect(protocol);
      await node.kill();
      await node.again();
      await tab.up(2);
      await node.alert(`unknown-${protocol}`);
      await tab.toast(`unknown-${protocol}`);
      assert.match(await tab.invoke("Cursor"), /./, "calls are answered");
      await tab.stop();
    });
  });
}
