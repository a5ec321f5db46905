// @fanfare/client in Chromium: five tabs of one browser share one connection, which another takes over when its tab
// closes, crashes, freezes or hangs.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BackgroundTabs } from "./background-tabs.mjs";
import { cases, unique } from "./case.mjs";
import { ClientPages } from "./client-page.mjs";
import { CutLine } from "./cut-line.mjs";
import { FanfareNode } from "./fanfare-node.mjs";

const TABS = 5;
const HAND_OVERS = 100;
/** A frozen tab recovers by itself; one that closes or crashes needs a replacement, which takes longer. */
const WAYS = ["close", "freeze", "freeze", "freeze", "crash", "freeze", "freeze", "freeze"];
const PAUSE_MS = 20;
/** A tab keeps 1,000 notifications for those that lack some. */
const MORE_THAN_KEPT = 1_100;
const HUB = `
method.JoinList = { arguments = ["listId"], allow = true, join = "list:{listId}" }
method.LeaveList = { arguments = ["listId"], leave = "list:{listId}" }`;
const ROUTES = `
[[route]]
name = "item-added"
event = "export.ExportProgress"
groups = ["list:{job_id}"]
send = { target = "ItemAdded", arguments = ["{job_id}", "{stage}"] }`;

let pages, node, browser;
const open = new Set();
const checked = cases(() => ({ logs: (since) => node?.log(since) }));

/** A test after which all tabs are closed, however it ends. */
function check(name, body, timeout) {
  checked(name, () => body().finally(closeTabs), timeout);
}

before(async () => {
  [pages, browser] = await Promise.all([ClientPages.serve(), BackgroundTabs.launch("shared-connection")]);
  node = await FanfareNode.start("shared-connection", { origins: [pages.origin], hub: HUB, routes: ROUTES });
});
after(async () => {
  await browser?.close();
  await node?.end();
  await pages?.close();
});

async function openTab(user, options = {}) {
  const tab = await pages.open(browser.context, { hub: node.hub(), user, token: node.token(user), ...options });
  open.add(tab);
  return tab;
}

async function openTabs(user, options) {
  const tabs = await Promise.all(Array.from({ length: TABS }, () => openTab(user, options)));
  await Promise.all(tabs.map((tab) => tab.connected()));
  return tabs;
}

async function closeTabs() {
  await Promise.all([...open].map((tab) => tab.close()));
  open.clear();
  await eventually("the connections are closed", async () => (await metric("fanfare_connections{")) === 0);
}

async function metric(name) {
  const lines = (await node.metrics()).split("\n").filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.split(" ").at(-1)), 0);
}

async function eventually(what, holds, deadlineMs = 20_000) {
  for (const deadline = Date.now() + deadlineMs; !(await holds()); await sleep(20)) {
    assert.ok(Date.now() < deadline, `${what}: not within ${deadlineMs} ms`);
  }
}

const leaderOf = (tabs) => tabs.find((tab) => tab.holdsConnection);

/** Publishes toasts until it is stopped; returns their titles. */
function publishing() {
  let over = false;
  const titles = [];
  const done = (async () => {
    while (!over) {
      const title = unique("toast");
      titles.push(title);
      await node.alert(title);
      await sleep(PAUSE_MS);
    }
  })();
  return {
    titles,
    async end() {
      over = true;
      await done;
      return titles;
    },
  };
}

/** Each title between the first and the last that a tab received, once and in order. */
function heardAll(tab, titles) {
  const from = titles.indexOf(tab.toasts[0]);
  assert.deepEqual(tab.toasts, titles.slice(from, from + tab.toasts.length));
  assert.equal(tab.gaps, 0, "nothing had to be fetched again");
}

check("five tabs have one connection, and each hears each notification once", async () => {
  const tabs = await openTabs("alice");
  assert.equal(await metric("fanfare_connections{"), 1);
  const titles = Array.from({ length: 50 }, () => unique("once"));
  for (const title of titles) {
    await node.alert(title);
  }
  await Promise.all(tabs.map((tab) => tab.hears(titles.at(-1))));
  for (const tab of tabs) {
    assert.deepEqual(tab.toasts, titles);
  }
  const follower = tabs.find((tab) => !tab.holdsConnection);
  assert.match(await follower.call("invoke", "Cursor"), /^[\w-]{32,}$/, "a call is answered through another tab");
  await assert.rejects(follower.call("invoke", "Nonsense"), /Nonsense/, "and so is an error");
});

check("a hundred hand-overs lose nothing and tell nothing twice", async () => {
  const tabs = await openTabs("alice");
  const every = [...tabs];
  const publisher = publishing();
  await Promise.all(tabs.map((tab) => tab.until("a first toast", () => tab.toasts.length > 0)));
  for (let i = 0; i < HAND_OVERS; i += 1) {
    await eventually("a tab holds the connection", () => leaderOf(tabs) !== undefined);
    const leader = leaderOf(tabs);
    const others = tabs.filter((tab) => tab !== leader);
    const way = WAYS[i % WAYS.length];
    if (way === "freeze") {
      // The foreground tab cannot be frozen.
      await others[0].page.bringToFront();
    }
    await leader[way]();
    const next = () => others.some((tab) => tab.holdsConnection && tab.state === "connected");
    await eventually(`the connection is handed on after ${way} ${i}`, next);
    if (way === "freeze") {
      await leader.thaw();
    } else {
      open.delete(leader);
      const fresh = await openTab("alice");
      tabs.splice(tabs.indexOf(leader), 1, fresh);
      every.push(fresh);
    }
  }
  const titles = await publisher.end();
  await Promise.all(tabs.map((tab) => tab.hears(titles.at(-1))));
  every.forEach((tab) => heardAll(tab, titles));
  await eventually("one connection", async () => (await metric("fanfare_connections{")) === 1);
}, 600_000);

check("a tab that hangs loses the connection to another, and takes it back to no harm", async () => {
  const tabs = await openTabs("alice");
  const leader = leaderOf(tabs);
  const others = tabs.filter((tab) => tab !== leader);
  await others[0].page.bringToFront();
  const hanging = leader.page.evaluate(() => {
    for (const until = Date.now() + 35_000; Date.now() < until; );
  });
  const title = unique("hangs");
  await eventually("another holds the connection", () => leaderOf(others) !== undefined, 40_000);
  await node.alert(title);
  await Promise.all(others.map((tab) => tab.hears(title)));
  await hanging;
  await leader.hears(title);
  await eventually("one connection", async () => (await metric("fanfare_connections{")) === 1);
  await eventually("one tab holds it", () => tabs.filter((tab) => tab.holdsConnection).length === 1);
  tabs.forEach((tab) => assert.deepEqual([tab.toasts, tab.gaps], [[title], 0]));
});

/** Adds an item to a list. */
function add(list, item) {
  const progress = { org: "acme", user: "somebody", job_id: list, percent: 0, stage: item };
  return node.publish("export.ExportProgress", unique("item"), progress);
}

check("after a cut the tab in front connects, not one in the background, and nothing is missed", async () => {
  const line = await CutLine.open();
  line.to(node.port);
  try {
    const tabs = await openTabs("alice", { hub: node.hub(line.port) });
    const [front] = tabs.filter((tab) => !tab.holdsConnection);
    await front.page.bringToFront();
    line.cut();
    await front.until("the cut", () => front.state === "reconnecting");
    const title = unique("cut");
    await node.alert(title);
    await sleep(500);
    line.mend();
    await Promise.all(tabs.map((tab) => tab.hears(title)));
    await eventually("the tab in front has the connection", () => front.holdsConnection);
    tabs.forEach((tab) => assert.deepEqual([tab.toasts, tab.gaps], [[title], 0]));
  } finally {
    await line.close();
  }
});

check("groups outlive the tab that holds the connection, and are left by a tab that crashes", async () => {
  const tabs = await openTabs("alice");
  const [one, two, three] = tabs.filter((tab) => !tab.holdsConnection);
  await Promise.all([one.join("7"), two.join("7"), three.join("8")]);
  await leaderOf(tabs).close();
  const rest = [one, two];
  const heard = (item) => Promise.all(rest.map((tab) => tab.until(item, () => tab.items.includes(item))));
  await Promise.all([add("7", "milk"), add("8", "bread")]);
  await Promise.all([heard("milk"), heard("bread")]);

  await three.crash();
  await one.leave("7");
  const isLeft = (list) => async () => {
    const item = unique("item");
    await add(list, item);
    await node.alert(item);
    await one.hears(item);
    return !one.items.includes(item);
  };
  await eventually("the group of the crashed tab is left", isLeft("8"));
  await add("7", "butter");
  await heard("butter");
  await two.leave("7");
  await eventually("a group that nobody wants is left", isLeft("7"));
});

check("a tab that opens later is told what is retained, and one that comes back repeats nothing", async () => {
  await node.publish("license.FlagToggled", unique("flag"), { org: "acme", flag: "dark", enabled: true, revision: 1 });
  const tabs = await openTabs("alice");
  await Promise.all(tabs.map((tab) => tab.until("the flag", () => tab.flags.length > 0)));
  const titles = [unique("known")];
  await node.alert(titles[0]);
  await Promise.all(tabs.map((tab) => tab.hears(titles[0])));
  const follower = () => tabs.find((one) => !one.holdsConnection);
  const reloaded = (tab, address) => tab.page.goto(address);
  // Kept by the browser for the back button: the page continues where it was.
  const back = (tab) => tab.page.goBack({ waitUntil: "commit" });
  for (const [tab, comesBack] of [[leaderOf(tabs), reloaded], [follower(), reloaded], [leaderOf(tabs), back], [follower(), back]]) {
    const address = tab.page.url();
    await tab.page.goto("about:blank");
    titles.push(unique("meanwhile"));
    await node.alert(titles.at(-1));
    await comesBack(tab, address);
    await Promise.all(tabs.map((one) => one.hears(titles.at(-1))));
    await tab.connected();
  }
  for (const tab of tabs) {
    assert.deepEqual([tab.toasts, tab.gaps], [titles, 0]);
  }
});

check("a tab that slept through more than is kept for it fetches again, and so does one whose place is unknown", async () => {
  const tabs = await openTabs("alice");
  const sleeper = tabs.find((tab) => !tab.holdsConnection);
  await Promise.all(tabs.map((tab) => tab.until("a fetch", () => tab.fetches === 1)));
  await leaderOf(tabs).page.bringToFront();
  await sleeper.freeze();
  const titles = Array.from({ length: MORE_THAN_KEPT }, () => unique("slept"));
  const left = [...titles];
  const publisher = async () => {
    for (let title = left.pop(); title !== undefined; title = left.pop()) {
      await node.alert(title);
    }
  };
  await Promise.all(Array.from({ length: 10 }, publisher));
  await leaderOf(tabs).until("all", () => leaderOf(tabs).toasts.length === titles.length);
  await sleeper.thaw();
  await sleeper.until("a gap and a fetch", () => sleeper.gaps === 1 && sleeper.fetches === 2);
  const title = unique("awake");
  await node.alert(title);
  await Promise.all(tabs.map((tab) => tab.hears(title)));
  assert.deepEqual([sleeper.toasts, leaderOf(tabs).fetches, leaderOf(tabs).gaps], [[title], 1, 0]);

  const other = await openTab("frank");
  await other.connected();
  const address = other.page.url();
  await other.page.waitForFunction(() => sessionStorage.length === 1);
  await other.page.evaluate(() => {
    const [key] = Object.keys(sessionStorage);
    sessionStorage.setItem(key, JSON.stringify({ cursor: "no-cursor-of-this-node-".repeat(2), ids: ["x"] }));
  });
  await other.page.goto("about:blank");
  await other.page.goto(address);
  await other.until("a gap", () => other.gaps === 1);
});

check("a logout ends the client in every tab of its user, and another user's tabs stay", async () => {
  const [alices, bobs] = [await openTabs("alice"), await openTabs("bob")];
  assert.equal(await metric("fanfare_connections{"), 2, "one connection each");
  const began = Date.now();
  await node.publish("auth.UserLoggedOut", unique("logout"), { org: "acme", user: "alice" });
  await Promise.all(alices.map((tab) => tab.until("the end", () => tab.end === "logged-out")));
  const title = unique("bob");
  await node.alert(title);
  await Promise.all(bobs.map((tab) => tab.hears(title)));
  for (const tab of alices) {
    assert.deepEqual([tab.toasts, tab.state], [[], "closed"]);
    assert.deepEqual(await tab.page.evaluate(() => Object.keys(sessionStorage)), [], "nothing of her stays");
  }
  assert.doesNotMatch(node.log(began), /token refused/, "the other tabs are told, and do not try for themselves");
  assert.ok(bobs.every((tab) => tab.end === undefined && tab.state === "connected"));
});

check("a token that is refused ends its own tab, and the next tab tries with its own", async () => {
  const bad = await openTab("carol", { token: "no token" });
  await bad.until("it has begun", () => bad.state !== "none");
  const good = await openTab("carol");
  await bad.until("the end", () => bad.end === "logged-out");
  await good.connected();
});

check("no token is said between tabs", async () => {
  const spy = await openTab("dave");
  await spy.connected();
  await spy.page.evaluate(async () => {
    const { held } = await navigator.locks.query();
    const { name } = held.find((lock) => lock.name.startsWith("fanfare:lead:"));
    window.said = [name];
    new BroadcastChannel(name.replace(":lead:", ":channel:")).onmessage = ({ data }) => said.push(JSON.stringify(data));
  });
  const others = [await openTab("dave"), await openTab("dave")];
  await Promise.all(others.map((tab) => tab.connected()));
  await others[0].join("7");
  await node.alert(unique("spied"));
  await spy.until("a toast", () => spy.toasts.length > 0);
  const said = await spy.page.evaluate(() => window.said);
  assert.ok(said.length > 5 && said.some((one) => one.includes('"heard"')), "the spy hears");
  const tokens = [spy, ...others].map((tab) => JSON.parse(decodeURIComponent(new URL(tab.page.url()).hash.slice(1))).token);
  for (const token of tokens) {
    assert.equal(token.split(".").length, 3);
    assert.ok(!said.some((one) => one.includes(token.split(".")[2])));
  }
});

check("where there are no locks, or no user is named, each tab has a connection of its own", async () => {
  const tabs = [
    await openTab("erin", { without: "locks" }),
    await openTab("erin", { without: "locks" }),
    await openTab("erin", { user: undefined }),
  ];
  await Promise.all(tabs.map((tab) => tab.connected()));
  assert.equal(await metric("fanfare_connections{"), 3);
  const title = unique("alone");
  await node.alert(title);
  await Promise.all(tabs.map((tab) => tab.hears(title)));
});
