// Signing in and out on the page: by keyboard, with two accounts in one browser, in another org.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Api } from "./api.mjs";
import { Browser } from "./browser.mjs";
import { cases, unique } from "./case.mjs";
import { Platform } from "./platform.mjs";

let platform, browser, api;
const check = cases(() => platform);

before(async () => {
  [platform, browser] = await Promise.all([Platform.start("page-session"), Browser.launch()]);
  api = new Api(platform);
});
after(async () => {
  await browser?.close();
  await platform?.stop();
});

check("the form works with the keyboard, and says so where the password is wrong", async () => {
  const tab = await browser.open(await browser.person(), platform.page());
  await tab.id("login-user").fill("alice");
  await tab.id("login-password").fill("wrong");
  await tab.page.keyboard.press("Enter");
  await tab.id("login-error").filter({ hasText: "do not match" }).waitFor();
  await tab.id("login-password").fill("demo");
  await tab.page.keyboard.press("Enter");
  await tab.connected();
  assert.equal(await tab.id("admin-panel").count(), 0, "alice is no admin");
  assert.equal(await tab.page.locator(".switch").count(), 0, "and switches nothing");
});

check("two accounts fit in one browser, and one leaves without the other", async () => {
  const context = await browser.person();
  const alice = await browser.open(context, platform.page());
  await alice.signIn("alice");
  const bob = await browser.open(context, platform.page());
  await bob.connected();
  await bob.id("user-menu").click();
  await bob.id("other-account").click();
  await bob.signIn("bob");
  await bob.id("admin-panel").waitFor();

  const third = await browser.open(context, platform.page());
  await third.connected();
  assert.match(await third.page.title(), /Alice/, "new tabs are the first account's");
  await bob.signOutEverywhere();
  await bob.id("signed-out").waitFor();
  await alice.connected();
  await third.connected();
});

check("signing out of one session leaves the user's other browser", async () => {
  const [here, there] = await Promise.all(
    [1, 2].map(async () => browser.open(await browser.person(), platform.page())),
  );
  await Promise.all([here.signIn("carol"), there.signIn("carol")]);
  await here.id("user-menu").click();
  await here.id("logout-session").click();
  await here.id("signed-out").waitFor();
  const title = unique("still-here");
  await api.alert(await api.login("root"), { title, org: "globex", user: "carol" });
  await there.toast(title).waitFor();
});

check("a superadmin acts in the org that was chosen, also after a reload", async () => {
  const root = await browser.open(await browser.person(), platform.page());
  await root.signIn("root");
  const flag = unique("flag");
  await root.id("acting-org").selectOption("acme");
  await root.page.waitForFunction(() => document.title.includes("acme"));
  await root.connected();
  await root.id("flag-name").fill(flag);
  await root.id("flag-create").click();
  await root.flag(flag, true);
  await root.page.reload();
  await root.connected();
  await root.flag(flag, true);
  await root.id("export-start").click();
  await root.toast(/is ready to download/).waitFor();

  const alice = await browser.open(await browser.person(), platform.page());
  await alice.signIn("alice");
  await alice.flag(flag, true);
});

check("an alert to the whole platform reaches its admins alone", async () => {
  const [root, bob, alice] = await Promise.all(
    ["root", "bob", "alice"].map(async (user) => {
      const tab = await browser.open(await browser.person(), platform.page());
      await tab.signIn(user);
      return tab;
    }),
  );
  const title = unique("platform");
  await root.id("alert-audience").selectOption("platform");
  await root.id("alert-title").fill(title);
  await root.id("alert-submit").click();
  await Promise.all([root, bob].map((tab) => tab.activity(title).waitFor()));
  const fence = unique("fence");
  await api.alert(await api.login("root"), { title: fence, org: "acme", user: "alice" });
  await alice.activity(fence).waitFor();
  assert.equal(await alice.activity(title).count(), 0);
});

check("the chosen theme stays, and going back to the system's forgets it", async () => {
  const tab = await browser.open(await browser.person({ colorScheme: "light" }), platform.page());
  const ground = () => tab.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await ground();
  await tab.id("theme").click();
  const dark = await ground();
  assert.notEqual(dark, light);
  await tab.page.reload();
  assert.equal(await ground(), dark);
  await tab.id("theme").click();
  assert.equal(await ground(), light);
  assert.equal(await tab.page.evaluate(() => localStorage.length), 0);
});

check("no tab had an error", () => {
  assert.deepEqual(browser.errors, []);
});
