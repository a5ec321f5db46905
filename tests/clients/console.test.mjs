// The operator's console in a real browser: three nodes on NATS, one of which dies, and what each token allows.

import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { BackgroundTabs } from "./background-tabs.mjs";
import { Browser, DESKTOP, PHONE, Tab } from "./browser.mjs";
import { cases } from "./case.mjs";
import { Cluster } from "./cluster.mjs";
import { Console, expired } from "./console.mjs";
import { HubClient } from "./hub-client.mjs";
import { SECRET } from "./fanfare-node.mjs";
import { OUTPUT } from "./platform.mjs";
import { missingServers } from "./servers.mjs";

const missing = missingServers();
const HOSTILE = "<img src=x onerror=alert(1)>\u202e/../é";
/** Knows an event that the nodes do not begin with. */
const LATE = `[event."tests.Late"]
fields = { org = "string", title = "string" }
[[route]]
name = "late"
event = "tests.Late"
groups = ["org:{org}"]
send = { target = "late", arguments = [{ title = "{title}" }] }
`;
let cluster, browser;

before(async () => {
  if (!missing) {
    [cluster, browser] = await Promise.all([Cluster.start("console"), Browser.launch()]);
  }
});
after(async () => {
  await browser?.close();
  await cluster?.end();
});

const check = missing ? (name) => test(name, { skip: missing }) : cases(() => cluster);
const fits = async ({ page }) => {
  const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(over <= 0, `the page is ${over} px wider than the screen`);
};

check("without a good token it says which is needed, and keeps one in its tab alone", async () => {
  const [node] = cluster.nodes;
  const console = await Console.open(browser, node);
  const kept = () => console.page.evaluate(() => [sessionStorage.length, localStorage.length, document.cookie]);
  await console.says("#verdict", "A token is needed");
  await console.says("#enter", "fanfare token --config FILE --operator --read-only");
  for (const [token, words] of [
    ["not a token: é", "no token of an operator"],
    [expired(-600, "another secret, as long as it must be"), "not sealed with this node's secret"],
    [expired(3600), "has expired"],
    [cluster.token("alice"), "no token of an operator"],
  ]) {
    await console.enter(token);
    await console.says("#entered", words);
    assert.ok(!(await console.page.locator("#inside").isVisible()), token);
    assert.deepEqual(await kept(), [0, 0, ""]);
  }
  await console.enter(await node.operator("--read-only", "--minutes", "30"));
  await console.inside();
  assert.deepEqual(await kept(), [1, 0, ""]);
  await console.says("#rights", /may only look, until \d/);
  await console.page.reload();
  await console.inside();
  // Another tab of the same browser is asked for its own.
  const other = await Console.open(browser, node, { context: console.page.context() });
  await other.page.locator("#enter").waitFor();
  await console.button("Forget the token").click();
  await console.page.locator("#enter").waitFor();
  assert.deepEqual(await kept(), [0, 0, ""]);
  const left = () => console.page.locator("#faults li, #pipeline li, .card, #routes li, #config-waits li").count();
  await sleep(2500);
  assert.equal(await left(), 0, "with the token goes what it has shown");
  await console.close();
});

check("a token that runs out while it looks ends at the door, with the reason", async () => {
  const [node] = cluster.nodes;
  const console = await Console.signedIn(browser, node);
  await console.page.evaluate((token) => sessionStorage.setItem("fanfare.operator", token), expired(60));
  await console.says("#entered", "has expired");
  assert.equal(await console.page.evaluate(() => sessionStorage.length), 0);
  await console.close();
});

check("it shows all nodes, what passes them, and who is connected to which", async () => {
  const [one, two] = cluster.nodes;
  const clients = await Promise.all([
    HubClient.connect(one.hub(), one.token("alice")),
    HubClient.connect(two.hub(), two.token("alice")),
    HubClient.connect(two.hub(), two.token(HOSTILE)),
  ]);
  const console = await Console.signedIn(browser, cluster.nodes[2]);
  const asked = new Set();
  console.page.on("request", (request) => asked.add(new URL(request.url()).origin));
  await console.says("#verdict", "Ready: 3 nodes answer, all with the same routes, 3 open connections; the log is in NATS.");
  assert.equal(await console.page.locator("#nodes .card .good").count(), 3);
  await console.says("#nodes .card", "WebSockets 2");
  await console.says("#nodes .card", "this page asks it");
  // Kafka and the embedded log say it, NATS does not.
  await console.page.route("**/nodes", async (route) => {
    const response = await route.fetch();
    const answer = await response.json();
    answer.nodes[0].log.disk = "it writes <b>now</b> and then";
    await route.fulfill({ response, json: answer });
  });
  await console.says("#nodes .card", "diskit writes <b>now</b> and then");
  await console.page.unroute("**/nodes");

  // What passes in a second, while something does.
  let over = false;
  const publishing = (async () => {
    while (!over) await cluster.alert(`passing ${Math.random()}`);
  })();
  const step = (title) => console.page.locator("#pipeline li").filter({ hasText: title }).locator("b");
  await step("pushed to tabs").filter({ hasText: /^[1-9][\d,.]*\/s$/ }).waitFor();
  await step("notifications made").filter({ hasText: /^[1-9][\d,.]*\/s$/ }).waitFor();
  over = true;
  await publishing;
  await step("pushed to tabs").filter({ hasText: /^0\/s$/ }).waitFor();
  assert.equal(await console.page.locator("#pipeline li.bad").count(), 0);

  await console.find("user", "alice");
  await console.says("#found", "2 connections.");
  const cards = await console.page.locator("#connections .card").allTextContents();
  assert.ok(cards.every((card) => card.includes("org:acme") && card.includes("WebSockets")), cards.join("\n"));
  assert.ok(cards.every((card) => /clientSignalR \d+\.\d+\.\d+ NodeJS/.test(card)), cards.join("\n"));
  const measured = console.page.locator("#connections dt:text-is('round trip') + dd").filter({ hasText: /^[\d.]+ ms$/ });
  await measured.nth(1).waitFor();
  const id = await console.page.locator("#connections .card").first().locator("dt:text-is('id') + dd").textContent();
  await console.find("id", id);
  await console.says("#found", "1 connection.");
  await console.button("Timeline").click();
  await console.says("#connections pre", /opened\n.*shook hands and was let in\n.*caught up by saying nothing/);
  await console.find("id", "alice");
  await console.says("#found", "`id` must be the id of a connection");
  await console.find("user", HOSTILE);
  await console.says("#found", "1 connection.");
  const shown = await console.page.locator("#connections h3").textContent();
  assert.equal(shown, HOSTILE.replace("\u202e", "\\u{202e}"), "what would turn the text around stands there by its number");
  assert.equal(await console.page.locator("#connections img").count(), 0);
  await one.publish("auth.UserLoggedOut", "console-logout", { user: "dora", org: "acme", session: null });
  while ((await console.page.locator("#refused li").count()) === 0) {
    await console.find("user", "dora");
    await sleep(300);
  }
  await console.says("#refused li", /Tokens issued until .* are refused: logged out at \d/);
  await console.find("user", "alice");
  await console.says("#found", "2 connections.");
  assert.equal(await console.page.locator("#refused li").count(), 0);
  await console.find("org", "nobody's");
  await console.says("#found", "0 connections.");

  await console.says("#routes-said", /\d+ routes at the node that is asked/);
  await console.says("#routes li", "org:{");
  await console.says("#config-said", "What the node that is asked runs with");
  await console.says("#config", "[hub.");
  assert.ok(!(await console.page.locator("#config").textContent()).includes(SECRET), "secrets are masked");
  assert.deepEqual([...asked], [new URL(cluster.nodes[2].console).origin], "nothing is asked of anybody else");
  await Promise.all(clients.map((client) => client.connection.stop()));
  await console.close();
});

check("who may only look is offered nothing that changes anything; who may, is asked first", async () => {
  const [node, elsewhere] = cluster.nodes;
  const client = await HubClient.connect(node.hub(), node.token("carol"));
  let closed = false;
  client.closed.then(() => {
    closed = true;
  });
  const looks = await Console.signedIn(browser, elsewhere);
  await looks.find("user", "carol");
  await looks.says("#found", "1 connection.");
  for (const name of ["Close…", "Close all…", "Publish again…"]) {
    assert.equal(await looks.button(name).filter({ visible: true }).count(), 0, name);
  }
  await looks.says("#read-only", "may only look closes nothing");
  const status = await looks.page.evaluate(async () => {
    const headers = { authorization: `Bearer ${sessionStorage.getItem("fanfare.operator")}` };
    return (await fetch("/users/carol/connections", { method: "DELETE", headers })).status;
  });
  assert.equal(status, 403);
  await looks.close();

  const changes = await Console.signedIn(browser, elsewhere, ["--minutes", "30"]);
  await changes.says("#rights", "may change things");
  await changes.find("user", "carol");
  await changes.button("Close…").click();
  await changes.says("#ask-text", "It is no logout");
  await changes.page.keyboard.press("Escape");
  await sleep(500);
  assert.equal(closed, false, "Escape is no");
  await changes.button("Close…").click();
  await changes.button("Close").click();
  await changes.says("#found", /Every node closes the connection .* in the log as/);
  await client.closed;
  await changes.close();
});

check("dead letters are opened, and published again after a dry run", async () => {
  await cluster.poison(25);
  const [node] = cluster.nodes;
  const looks = await Console.signedIn(browser, node);
  const letters = looks.page.locator("#letters .card");
  while ((await letters.count()) < 10) {
    await looks.page.locator("#letters-again").click();
    await sleep(300);
  }
  await looks.says("#letters .card", "system.Alert");
  await looks.button("Show older").click();
  await letters.nth(19).waitFor();
  await looks.button("Show older").click();
  await letters.nth(24).waitFor();
  assert.equal(await letters.count(), 25);
  await letters.nth(24).getByRole("button", { name: "Open" }).click();
  await looks.says("#letters pre", "ce-id: poison-0");
  await looks.says("#letters pre", "<b>no record 0</b>");
  await looks.says("#letters [role=status]", "could not be used now either");
  assert.equal(await looks.page.locator("#letters pre b").count(), 0);
  await looks.find("event", "poison-0");
  await looks.says("#connections .card", /a dead letter, on 3 nodes.*because/);
  await looks.close();
  const changes = await Console.signedIn(browser, node, ["--minutes", "30"]);
  await changes.page.locator("#letters .card").first().getByRole("button", { name: "Publish again…" }).click();
  await changes.says("#letters [role=status]", "No node could use it now either");
  await changes.close();
});

check("a letter that other routes can use is published again from the page, and tabs hear it", async () => {
  const [node, elsewhere] = cluster.nodes;
  const client = await HubClient.connect(elsewhere.hub(), elsewhere.token("alice"), { targets: ["late"] });
  await cluster.event("tests.Late", { title: "too early" });
  const changes = await Console.signedIn(browser, node, ["--minutes", "30"]);
  const letter = changes.page.locator("#letters .card").filter({ hasText: "tests.Late" });
  const said = (text) => letter.locator("[role=status]").filter({ hasText: text }).waitFor();
  while ((await letter.count()) === 0) {
    await changes.page.locator("#letters-again").click();
    await sleep(300);
  }
  const again = letter.getByRole("button", { name: "Publish again…" });
  await again.click();
  await said("No node could use it now either");
  await Promise.all(cluster.nodes.map((one) => one.reroute(LATE)));
  await again.click();
  await changes.says("#ask-text", "it would be stored");
  await changes.page.keyboard.press("Escape");
  await sleep(500);
  assert.equal(client.of("late").length, 0, "Escape is no");
  await again.click();
  await changes.button("Publish").click();
  await said(/It is in the log again, at \d+-\d+/);
  const told = await client.gets("what the letter is about", (one) => one.target === "late");
  assert.equal(told.title, "too early");
  assert.equal(await again.count(), 0, "it is not offered once more");
  await letter.getByRole("button", { name: "Open" }).click();
  await said("It could be used now.");
  await client.stop();
  await changes.close();
});

check("a node that dies is named with its last lease, and so is its end", async () => {
  const [node, , third] = cluster.nodes;
  const console = await Console.signedIn(browser, node);
  await console.says("#verdict", "3 nodes answer");
  const names = await console.page.locator("#nodes .card h3").allTextContents();
  await third.kill();
  await console.says("#verdict", "Something is down: 2 nodes answer");
  await console.says("#faults .bad", /does not answer: .*refused.* \(its lease was read \d+ s ago\)/);
  await console.says("#nodes .card", "does not answer");
  const silent = console.page.locator("#nodes .card").filter({ hasText: "does not answer" });
  const name = await silent.locator("h3").textContent();
  assert.ok(names.includes(name), name);
  await console.says("#nodes .card", /last lease\d+ s ago/);
  await console.tab.screenshot("console-node-dies", { fullPage: true });
  await console.says("#verdict", /Ready: 2 nodes answer.*; 1 node died of late\./);
  await console.says("#faults .warn", `${name} died: its lease was read`);
  await console.says("#nodes .card", /^.*died.*lease ended\d+ s ago/);
  await third.again();
  await console.says("#verdict", "3 nodes answer");
  await console.close();
});

check("where the node that it asks is gone it says so, shows what is old as old, and goes on by itself", async () => {
  const [, , third] = cluster.nodes;
  const console = await Console.signedIn(browser, third);
  await third.kill();
  await console.says("#verdict", /No answer from the node that this page asks: .* What is below is from \d\d:\d\d:\d\d/);
  await console.page.locator("#inside.stale").waitFor();
  await third.again();
  await console.page.locator("#inside:not(.stale)").waitFor();
  await console.says("#verdict", "3 nodes answer");
  await console.close();
});

check("nothing is asked while nobody sees it", async () => {
  const background = await BackgroundTabs.launch("console");
  try {
    const [node] = cluster.nodes;
    const page = await background.context.newPage();
    await page.goto(node.console);
    const console = new Console(new Tab(page));
    await console.enter(await node.operator("--read-only", "--minutes", "30"));
    await console.inside();
    let requests = 0;
    page.on("request", () => {
      requests += 1;
    });
    await sleep(5000);
    assert.ok(requests >= 1, "it looks while it is seen");
    const other = await background.context.newPage();
    await other.bringToFront();
    await page.waitForFunction(() => document.hidden, undefined, { polling: 100 });
    await sleep(1000);
    requests = 0;
    await sleep(7000);
    assert.equal(requests, 0);
    await page.bringToFront();
    await page.waitForRequest((request) => request.url().endsWith("/nodes"));
  } finally {
    await background.close();
  }
});

check("everything is reached by the keyboard", async () => {
  const [node] = cluster.nodes;
  const console = await Console.open(browser, node);
  const { keyboard } = console.page;
  const focused = () => console.page.evaluate(() => document.activeElement?.id);
  assert.equal(await focused(), "token");
  await console.page.evaluate((token) => {
    document.activeElement.value = token;
  }, await node.operator("--minutes", "30"));
  await keyboard.press("Enter");
  await console.inside();
  const reached = [];
  for (let presses = 0; presses < 60 && reached.at(-1) !== "routes-copy"; presses += 1) {
    await keyboard.press("Tab");
    reached.push(await focused());
  }
  for (const id of ["by", "value", "letters-again", "routes-copy"]) {
    assert.ok(reached.includes(id), `${id} is not among ${reached}`);
  }
  await keyboard.press("/");
  assert.equal(await focused(), "value");
  // Looking again, every two seconds, moves nobody's focus.
  await sleep(2500);
  assert.equal(await focused(), "value");
  await console.close();
});

for (const [size, viewport] of [
  ["phone", PHONE],
  ["desktop", DESKTOP],
]) {
  for (const colorScheme of ["light", "dark"]) {
    check(`its screens fit on a ${size}, ${colorScheme}`, async () => {
      const [node] = cluster.nodes;
      const client = await HubClient.connect(node.hub(), node.token(HOSTILE.repeat(6)));
      const name = (screen) => `console-${size}-${colorScheme}-${screen}`;
      const console = await Console.open(browser, node, { viewport, colorScheme });
      await fits(console);
      await console.tab.screenshot(name("1-door"));
      await console.enter(await node.operator("--minutes", "30"));
      await console.inside();
      await console.tab.screenshot(name("2-top"));
      await console.find("user", HOSTILE.repeat(6));
      await console.says("#found", "1 connection.");
      await console.page.locator("#connections dt:text-is('round trip') + dd").filter({ hasText: /ms$/ }).waitFor();
      const letter = console.page.locator("#letters .card").first();
      await letter.getByRole("button", { name: "Open" }).click();
      await letter.locator("pre").waitFor();
      await fits(console);
      await console.tab.screenshot(name("3-all"), { fullPage: true });
      await console.button("Close…").click();
      await console.page.locator("#ask").waitFor();
      await fits(console);
      await console.tab.screenshot(name("4-ask"));
      await console.button("Back").click();
      await node.alert(name("event"), { id: name("event") });
      while ((await console.page.locator("#connections").filter({ hasText: "system.Alert" }).count()) === 0) {
        await console.find("event", name("event"));
        await sleep(300);
      }
      await fits(console);
      await console.page.locator("#search-title").scrollIntoViewIfNeeded();
      await console.page.locator("#connections").screenshot({ path: join(OUTPUT, "screenshots", `${name("5-event")}.png`) });
      await client.connection.stop();
      await console.close();
    });
  }
}

check("no page has told of an error", () => assert.deepEqual(browser.errors, []));
