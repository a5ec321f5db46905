// The configurations of deploy/proxies in the real programs, in front of three nodes: the official client over every
// transport, a draining node, a killed one, long tokens, and what is public and what is logged.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { request } from "node:http";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { HttpTransportType } from "@microsoft/signalr";
import { cases } from "./case.mjs";
import { Cluster } from "./cluster.mjs";
import { COMBINATIONS } from "./combinations.mjs";
import { HubClient } from "./hub-client.mjs";
import { OtherProxy } from "./proxies/other-proxy.mjs";
import { PROXIES } from "./proxies/programs.mjs";
import { ReturningTab, expectAll, forgetEventSources, hearsAll } from "./returning-tab.mjs";
import { missingServers } from "./servers.mjs";

// Per combination. With three nodes, all of them reach the right one by chance in one of 3^12 runs.
const TABS = 3;
const ALERTS = 30;
const missing = missingServers();
let cluster;

before(async () => {
  cluster = missing ? undefined : await Cluster.start("proxies", 3, { apart: true });
});
after(async () => {
  forgetEventSources();
  await cluster?.end();
});

/** Why a proxy cannot be tested here, or `false`. */
function isMissing(name) {
  return missing || (PROXIES[name].find() === undefined && `${name} is not on this machine`);
}

/** Publishes this many alerts and returns their titles. */
async function publish(word, count = ALERTS) {
  const titles = Array.from({ length: count }, (_, number) => `${word}-${number}`);
  for (const title of titles) {
    await cluster.alert(title);
    await sleep(5);
  }
  return titles;
}

async function openTabs(hub, combinations) {
  const wanted = combinations.flatMap((one) => Array.from({ length: TABS }, () => one));
  return Promise.all(wanted.map((one) => ReturningTab.open({ hub, token: cluster.token("alice"), ...one })));
}

async function allHear(tabs, titles, what) {
  await Promise.all(tabs.map((tab) => hearsAll(tab, titles)));
  tabs.forEach((tab) => expectAll(tab, titles, what));
}

for (const name of Object.keys(PROXIES)) {
  const reason = isMissing(name);
  const check = reason ? (title) => test(title, { skip: reason }) : cases(() => cluster);
  check(`${name}: every transport works, and a node may drain or be killed`, async () => {
    const proxy = await OtherProxy.start(name, cluster.nodes);
    const hub = cluster.nodes[0].hub(proxy.port);
    let tabs = [];
    try {
      await takesConnections(hub);
      tabs = await openTabs(hub, COMBINATIONS);
      await allHear(tabs, await publish(`${name}-well`), `${name}, all nodes`);
      assert.equal(
        tabs.reduce((sum, tab) => sum + tab.returns, 0),
        0,
        "no connection was lost: its requests met the node that has it",
      );
      const resumed = await Promise.all(tabs.map((tab) => tab.resumes()));
      assert.ok(resumed.every(({ complete }) => complete));

      const [first, second] = cluster.nodes;
      const during = publish(`${name}-drain`);
      await first.stop();
      await allHear(tabs, await during, `${name}, a node drains`);
      await first.again();
      const meanwhile = publish(`${name}-kill`);
      await second.kill();
      await allHear(tabs, await meanwhile, `${name}, a node is killed`);
      await second.again();

      await passesLongTokens(hub);
      await keepsToTheHubs(proxy);
      const lines = proxy.log().split("\n");
      assert.deepEqual(
        lines.filter((line) => /access_token|eyJ/.test(line)),
        [],
        "a token is in the log",
      );
    } catch (error) {
      console.error(`\n=== ${name} logged\n${proxy.log().split("\n").slice(-30).join("\n")}`);
      throw error;
    } finally {
      await Promise.all(tabs.map((tab) => tab.stop()));
      await proxy.end();
    }
  });
}

/** Waits until the proxy's health checks of the nodes succeed. */
async function takesConnections(hub) {
  for (let turn = 0; ; turn += 1) {
    const headers = { authorization: `Bearer ${cluster.token("alice")}` };
    const { status } = await fetch(`${hub}/negotiate?negotiateVersion=1`, { method: "POST", headers });
    if (status === 200) {
      return;
    }
    assert.ok(turn < 100, `negotiate is answered with ${status}`);
    await sleep(100);
  }
}

/** A token of a user with 200 groups passes: in a header, and in the query, where browsers put it. */
async function passesLongTokens(hub) {
  const groups = Array.from({ length: 200 }, (_, number) => `${String(number).padStart(8, "0")}-5f4e-4d3c-8b2a-0123456789ab`);
  const token = cluster.nodes[0].token("alice", 3600, "acme", { groups });
  assert.ok(token.length > 11_000, `a token of ${token.length} bytes`);
  for (const transport of ["WebSockets", "ServerSentEvents", "LongPolling"]) {
    const client = await HubClient.connect(hub, token, { transport: HttpTransportType[transport] });
    assert.ok(await client.connection.invoke("Cursor"), `${transport}, in a header`);
    await client.stop();
  }

  const headers = { authorization: `Bearer ${token}` };
  const negotiated = await fetch(`${hub}/negotiate?negotiateVersion=1`, { method: "POST", headers });
  const { connectionToken } = await negotiated.json();
  const query = `id=${encodeURIComponent(connectionToken)}&access_token=${token}`;
  const stream = await fetch(`${hub}?${query}`, { headers: { accept: "text/event-stream" } });
  assert.equal(stream.status, 200, "an event stream, in the query");
  await stream.body.cancel();

  assert.equal(await opensSocket(`${hub}?access_token=${token}`), 101, "a WebSocket, in the query");
}

/** The status that a browser's request for a WebSocket is answered with. */
function opensSocket(url) {
  const key = randomBytes(16).toString("base64");
  const headers = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": 13, "sec-websocket-key": key };
  return new Promise((answered, failed) => {
    const asked = request(url, { headers }).on("error", failed);
    asked.on("upgrade", ({ statusCode }, socket) => answered(statusCode, socket.destroy()));
    asked.on("response", (answer) => answered(answer.statusCode, answer.destroy()));
    asked.end();
  });
}

/** Publishing, the page and the operator's port are not reachable through it. */
async function keepsToTheHubs(proxy) {
  for (const [method, path] of [
    ["POST", "/events"],
    ["GET", "/"],
    ["GET", "/metrics"],
    ["POST", "/hubs/../events"],
  ]) {
    const answer = await fetch(`http://127.0.0.1:${proxy.port}${path}`, { method });
    assert.equal(answer.status, 404, `${method} ${path}`);
    await answer.body?.cancel();
  }
}
