// The search box of the operator's console in a real browser: connections page by page, and one event on three nodes.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { HttpTransportType } from "@microsoft/signalr";
import { Browser } from "./browser.mjs";
import { cases } from "./case.mjs";
import { Cluster } from "./cluster.mjs";
import { Console } from "./console.mjs";
import { HubClient } from "./hub-client.mjs";
import { missingServers } from "./servers.mjs";

const missing = missingServers();
let cluster, browser;

before(async () => {
  if (!missing) {
    [cluster, browser] = await Promise.all([Cluster.start("console-search"), Browser.launch()]);
  }
});
after(async () => {
  await browser?.close();
  await cluster?.end();
});

const check = missing ? (name) => test(name, { skip: missing }) : cases(() => cluster);

check("one event's path says whom it has reached on all nodes, and why not", async () => {
  const [one, two] = cluster.nodes;
  const clients = await Promise.all([
    HubClient.connect(one.hub(), one.token("alice")),
    HubClient.connect(one.hub(), one.token("alice"), { transport: HttpTransportType.LongPolling }),
    HubClient.connect(two.hub(), two.token("alice")),
  ]);
  // From here on they are sent what is live.
  await Promise.all(clients.map((client) => client.connection.invoke("Cursor")));
  // As producers may make them.
  const id = "order/7?<b>";
  await one.publish("system.Alert", id, { org: "acme", severity: "info", title: "a path", message: "m" });
  await Promise.all(clients.map((client) => client.getsToast("a path")));
  const console = await Console.signedIn(browser, cluster.nodes[2]);
  const event = console.page.locator("#connections .card");
  await console.find("event", id);
  await console.says("#found", "1 record.");
  await console.says("#connections h3", "system.Alert");
  const row = (name) => event.locator(`dt:text-is('${name}') + dd`);
  const rows = async () => ({ sent: await row("sent to").textContent(), read: await row("read").textContent() });
  assert.match((await rows()).sent, /^3 connections: .* [12], .* [12]$/);
  assert.equal((await rows()).read.split(",").length, 3, "all nodes have read it");
  assert.match(await row("route alert-to-org").textContent(), /^toast on \/hubs\/notifications to org:acme: /);
  assert.equal(await row("not alert-to-user").textContent(), "its condition on `user` does not hold");
  assert.match(await row("slowest").textContent(), / on .*, [\d,]+ ms after it was stored, at most$/);
  await console.button("Copy as text").filter({ visible: true }).first().waitFor();
  await console.button("Show the slowest").click();
  await console.says("#found", "1 connection.");
  await console.says("#connections .card", "alice");

  await console.find("event", "of nobody");
  await console.says("#found", /No node remembers it\. .* the newest \d+, since \d/);
  assert.equal(await event.count(), 0);
  await console.find("user", "alice");
  await console.says("#found", "3 connections.");
  await console.says("#connections .card", "not measured: only a WebSocket can be pinged");
  await Promise.all(clients.map((client) => client.connection.stop()));
  await console.close();
});

check("connections come page by page", async () => {
  const [node] = cluster.nodes;
  const clients = await Promise.all(Array.from({ length: 60 }, () => HubClient.connect(node.hub(), node.token("many"))));
  const console = await Console.signedIn(browser, cluster.nodes[1]);
  await console.find("user", "many");
  await console.says("#found", "50 connections, and more.");
  await console.page.locator("#more").click();
  await console.says("#found", "60 connections.");
  const ids = await console.page.locator("#connections dt:text-is('id') + dd").allTextContents();
  assert.equal(new Set(ids).size, 60);
  assert.equal(await console.page.locator("#more").isVisible(), false);
  await Promise.all(clients.map((client) => client.connection.stop()));
  await console.close();
});

check("no page has reported an error", () => assert.deepEqual(browser.errors, []));
