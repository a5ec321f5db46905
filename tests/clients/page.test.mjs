// The demo page in a real browser: three tabs of alice, one of bob (same org), one of carol (another org).

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before } from "node:test";
import { Api } from "./api.mjs";
import { Browser } from "./browser.mjs";
import { cases, unique } from "./case.mjs";
import { Platform } from "./platform.mjs";

let platform, browser, api, root;
let alice, bob, carol; // alice is a list of three tabs
let aliceContext;
const tokens = [];
const check = cases(() => platform);

before(async () => {
  [platform, browser] = await Promise.all([Platform.start("page"), Browser.launch()]);
  api = new Api(platform);
  root = await api.login("root");
  const [first, second, third] = await Promise.all([browser.person(), browser.person(), browser.person()]);
  aliceContext = first;
  [bob, carol] = await Promise.all([second, third].map((context) => browser.open(context, platform.page())));
  await Promise.all([bob.signIn("bob"), carol.signIn("carol")]);
  alice = [await browser.open(first, platform.page())];
  await alice[0].signIn("alice");
});
after(async () => {
  await browser?.close();
  await platform?.stop();
});

// One stream has everything in order, so a tab that shows the fence has got everything before it.
async function fence(tab, org, user) {
  const title = unique("fence");
  await api.alert(root, { title, org, user });
  await tab.activity(title).waitFor();
}

check("a new tab of the same browser is signed in at once", async () => {
  for (const _ of [2, 3]) {
    const tab = await browser.open(aliceContext, platform.page());
    await tab.connected();
    alice.push(tab);
  }
  assert.equal(alice.length, 3);
  assert.match(await alice[2].page.title(), /Alice at acme/);
});

check("a flag that bob switches changes alice's tabs and his own, not carol's", async () => {
  await Promise.all([...alice, bob, carol].map((tab) => tab.design("classic")));
  await bob.id("flag-name").fill("beta-reports");
  await bob.id("flag-create").click();
  await Promise.all([...alice, bob].map((tab) => tab.design("beta")));
  await Promise.all([...alice, bob].map((tab) => tab.flag("beta-reports", true)));
  await fence(carol, "globex", "carol");
  await carol.design("classic");
  assert.equal(await carol.id("flag-beta-reports").count(), 0);
});

check("a tab that is opened later sees the current flags", async () => {
  const late = await browser.open(aliceContext, platform.page());
  await late.design("beta");
  await late.page.close();
});

check("switching it off and removing it is seen at once as well", async () => {
  await bob.id("flag-toggle-beta-reports").click();
  await Promise.all([...alice, bob].map((tab) => tab.design("classic")));
  await bob.id("flag-remove-beta-reports").click();
  await Promise.all([...alice, bob].map((tab) => tab.id("flag-beta-reports").waitFor({ state: "detached" })));
  assert.equal(await alice[0].activity("beta-reports removed").count(), 1);
});

check("an export's progress and toast reach alice's three tabs alone, and the file is hers", async () => {
  await alice[0].id("export-start").click();
  const ready = /is ready to download/;
  for (const tab of alice) {
    await tab.toast(ready).waitFor();
    assert.equal(await tab.toast(ready).getAttribute("data-severity"), "success");
    await tab.page.locator('[data-testid="export-job"][data-status="done"]').waitFor();
  }
  await Promise.all([fence(bob, "acme", "bob"), fence(carol, "globex", "carol")]);
  for (const other of [bob, carol]) {
    assert.equal(await other.activity(ready).count(), 0);
    assert.equal(await other.id("export-job").count(), 0);
  }

  const coming = alice[1].page.waitForEvent("download");
  await alice[1].toast(ready).getByTestId("toast-link").click();
  const file = await coming;
  assert.match(file.suggestedFilename(), /^usage-report.*\.csv$/);
  assert.match(await readFile(await file.path(), "utf8"), /,/);
});

check("an export that fails says why in every tab", async () => {
  await alice[2].id("export-broken").click();
  for (const tab of alice) {
    await tab.toast("Export failed").waitFor();
    await tab.page.locator('[data-testid="export-job"][data-status="failed"]').waitFor();
  }
});

check("a role that bob changes reaches alice's tabs alone", async () => {
  await bob.id("roles-user").fill("alice");
  await bob.id("role-billing").check({ force: true });
  await bob.id("roles-submit").click();
  const text = /Your roles in acme are now: .*billing/;
  await Promise.all(alice.map((tab) => tab.activity(text).waitFor()));
  await fence(bob, "acme", "bob");
  assert.equal(await bob.activity(text).count(), 0);
});

check("an alert to the org shows its severity, and can be dismissed with the keyboard", async () => {
  const title = unique("Maintenance");
  await bob.id("alert-severity-warning").check({ force: true });
  await bob.id("alert-title").fill(title);
  await bob.id("alert-message").fill("First line\nsecond line");
  await bob.id("alert-submit").click();
  await alice[0].toast(title).waitFor();
  assert.equal(await alice[0].toast(title).getAttribute("data-severity"), "warning");
  await alice[0].toast(title).getByTestId("toast-dismiss").focus();
  await alice[0].page.keyboard.press("Enter");
  await alice[0].toast(title).waitFor({ state: "detached" });
  await fence(carol, "globex", "carol");
  assert.equal(await carol.activity(title).count(), 0);
});

check("alice's logout ends her three tabs, refuses her old token and leaves bob connected", async () => {
  const token = await alice[0].token();
  tokens.push(token);
  assert.equal(await api.negotiate(token), 200);
  await alice[0].signOutEverywhere();
  for (const tab of alice) {
    await tab.id("signed-out").waitFor();
    assert.match(await tab.id("signed-out-reason").textContent(), /signed out/);
    assert.equal(await tab.token(), null, "nothing of the session is left in the tab");
  }
  assert.equal(await api.negotiate(token), 401);
  await fence(bob, "acme", "bob");
  await bob.connected();

  await alice[1].id("sign-in-again").click();
  await alice[1].signIn("alice");
  await alice[2].id("signed-out").waitFor();
});

check("no log holds a token, or what a notification says", () => {
  const logs = platform.logs(0);
  assert.match(logs, /system\.Alert/, "the logs are there");
  for (const secret of [
    ...tokens,
    root,
    ...tokens.map((token) => token.split(".")[2]),
    "access_token",
    "Maintenance",
    "second line",
  ]) {
    assert.ok(!logs.includes(secret), `${secret.slice(0, 20)}… is in a log`);
  }
});

check("no tab had an error", () => {
  assert.deepEqual(browser.errors, []);
});
