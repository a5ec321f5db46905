// docs/clients.md to the letter: its code block is the script of a page in Chromium, whose node is killed, floods it
// and ends its user's session.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Browser } from "./browser.mjs";
import { cases } from "./case.mjs";
import { FanfareNode } from "./fanfare-node.mjs";

const DOCUMENT = readFileSync(join(import.meta.dirname, "../../docs/clients.md"), "utf8");
const OFFICIAL = readFileSync(
  join(import.meta.dirname, "node_modules/@microsoft/signalr/dist/browser/signalr.min.js"),
  "utf8",
);
const [, CODE] = DOCUMENT.match(/## A page that misses nothing\n\n```js\n([\s\S]*?)```/);
/** The largest resume, so that a page which does not continue loses the rest. */
const AT_ONCE = 3;
const HUB = `method.JoinList = { arguments = ["listId"], allow = true, join = "list:{listId}" }
after_expiry_minutes = 0`;

/** The functions that the document leaves to the page. */
const OWN = (token) => `
  const did = (window.did = { toasts: [], refetched: 0, joined: 0, signIn: 0, flags: [] });
  window.token = ${JSON.stringify(token)};
  const fetchToken = () => window.token;
  const showToast = ({ title, cursor }) => {
    did.first ??= cursor;
    did.toasts.push(title);
  };
  const setFlag = ({ flag }) => did.flags.push(flag);
  const refetch = async () => void did.refetched++;
  const showSignIn = () => void did.signIn++;
  const joinGroups = async (connection) => {
    window.connection = connection;
    await connection.invoke("JoinList", "7");
    did.joined++;
  };`;

let node, browser, server, origin;
const pages = new Map();
const check = cases(() => ({ logs: (since) => node?.log(since) }));

function pageOf(token) {
  const code = CODE.replace(/^import .*\n/, "const { HubConnectionBuilder } = window.signalR;\n")
    .replace('"/hubs/notifications"', JSON.stringify(node.hub()))
    .replace("1000 + Math.random() * 4000", "100 + Math.random() * 200");
  assert.notEqual(code, CODE);
  return `<!doctype html><meta charset=utf-8><title>page</title><script>${OFFICIAL}</script>
<script type=module>${OWN(token)}\n${code}\nwindow.did.started = true;</script>`;
}

before(async () => {
  server = createServer((request, response) => {
    response.writeHead(200, { "content-type": "text/html" });
    response.end(pages.get(request.url) ?? "");
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  origin = `http://127.0.0.1:${server.address().port}`;
  [node, browser] = await Promise.all([
    FanfareNode.start("writing-page", { origins: [origin], hub: HUB, limits: `[limits]\nresume_notifications = ${AT_ONCE}` }),
    Browser.launch(),
  ]);
});
after(async () => {
  await browser?.close();
  await node?.end();
  server?.closeAllConnections();
  server?.close();
});

async function open(user, seconds) {
  pages.set(`/${user}`, pageOf(node.token(user, seconds)));
  const { page } = await browser.open(await browser.person(), `${origin}/${user}`);
  return page;
}

const until = (page, what, argument) => page.waitForFunction(what, argument);
const did = (page) => page.evaluate(() => window.did);

check("the page of the document misses nothing, goes on while there is more, and shows each once", async () => {
  const page = await open("alice", 3600);
  await until(page, () => window.did.started);
  await node.alert("first");
  await until(page, () => window.did.toasts.length === 1);
  await node.kill();
  await node.again();
  const titles = Array.from({ length: 4 * AT_ONCE }, (_, at) => `away ${at}`);
  for (const title of titles) {
    await node.alert(title);
  }
  await until(page, (count) => window.did.toasts.length >= count, 1 + titles.length);
  await until(page, () => window.did.joined === 2);
  await node.alert("live");
  await until(page, () => window.did.toasts.at(-1) === "live");
  // A repeated notification is recognised by its id.
  const again = await page.evaluate(() => window.connection.invoke("Resume", window.did.first));
  assert.equal(again.replayed, AT_ONCE);
  await sleep(200);
  const { toasts, refetched, signIn } = await did(page);
  assert.deepEqual(toasts, ["first", ...titles, "live"]);
  assert.deepEqual([refetched, signIn], [0, 0]);
});

check("the page of the document waits for a node that is not there yet", async () => {
  await node.kill();
  const page = await open("bob", 3600);
  await sleep(500);
  await node.again();
  await until(page, () => window.did.started);
  await node.alert("now");
  await until(page, () => window.did.toasts.includes("now"));
});

check("the page of the document shows the sign-in once its token has run out or its user is logged out", async () => {
  const page = await open("carol", 4);
  await until(page, () => window.did.started);
  await until(page, () => window.did.signIn === 1);
  await sleep(600);
  assert.equal((await did(page)).signIn, 1, "it does not try again");
  const late = await open("dave", 3600);
  await until(late, () => window.did.started);
  await node.publish("auth.UserLoggedOut", "out", { org: "acme", user: "dave", session: null, reason: "bye" });
  const again = (await browser.open(await browser.person(), `${origin}/dave`)).page;
  await until(again, () => window.did.signIn === 1);
});
