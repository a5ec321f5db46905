// Received data is text: scripts in titles, messages, flags and links are shown, never run.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Api } from "./api.mjs";
import { Browser } from "./browser.mjs";
import { cases, unique } from "./case.mjs";
import { Platform } from "./platform.mjs";

let platform, browser, api, bob, tab;
const check = cases(() => platform);
const SCRIPT = "<script>window.ran=1</script>";
const IMAGE = '<img src=x onerror="window.ran=1">';

before(async () => {
  [platform, browser] = await Promise.all([Platform.start("page-payload"), Browser.launch()]);
  api = new Api(platform);
  bob = await api.login("bob");
  tab = await browser.open(await browser.person(), platform.page());
  await tab.signIn("alice");
});
after(async () => {
  await browser?.close();
  await platform?.stop();
});

check("markup in a toast is shown as it is", async () => {
  const title = `${unique("payload")} ${IMAGE}`;
  await api.alert(bob, { severity: "error", title, message: `${SCRIPT}<b>bold</b>`, org: "acme" });
  const toast = tab.toast(title);
  await toast.waitFor();
  assert.equal(await toast.getByTestId("toast-title").textContent(), title);
  assert.equal(await toast.getByTestId("toast-message").textContent(), `${SCRIPT}<b>bold</b>`);
  assert.equal(
    await tab.page.locator(".toast img, .toast script, .toast b, .activity img, .activity script").count(),
    0,
  );
  assert.equal(await tab.page.evaluate(() => window.ran), undefined);
});

// Directly into the stream, past every check of the services that usually raise alerts.
check("a link that would run a script becomes no link", async () => {
  for (const link of [
    "javascript:window.ran=1",
    " javascript:window.ran=1",
    "java\nscript:window.ran=1",
    "data:text/html,<script>window.ran=1</script>",
    "//evil.example/x",
    "/\\evil.example/x",
  ]) {
    const title = unique("link");
    await platform.publish("system.Alert", { org: "acme", user: "alice", severity: "info", title, message: "m", link });
    const toast = tab.toast(title);
    await toast.waitFor();
    assert.equal(await toast.getByTestId("toast-link").count(), 0, JSON.stringify(link));
    assert.equal(await toast.locator("a").count(), 0, JSON.stringify(link));
    await toast.getByTestId("toast-dismiss").click();
  }
  assert.equal(await tab.page.evaluate(() => window.ran), undefined);
});

check("links to the page and to https stay links, without a way back to the opener", async () => {
  for (const [link, href] of [
    ["/?report=7", `${platform.url("fanout")}/?report=7`],
    ["https://example.org/a?b=c", "https://example.org/a?b=c"],
  ]) {
    const title = unique("link");
    await api.alert(bob, { title, message: "m", org: "acme", user: "alice", link });
    const anchor = tab.toast(title).getByTestId("toast-link");
    await anchor.waitFor();
    assert.equal(await anchor.evaluate((element) => element.href), href);
    assert.equal(await anchor.getAttribute("rel"), "noopener noreferrer");
    await tab.toast(title).getByTestId("toast-dismiss").click();
  }
});

check("a flag's name is text too", async () => {
  // The license service refuses such names, but the stream does not check them.
  const flag = `${unique("flag")}${IMAGE}`;
  await platform.publish("license.FlagToggled", { org: "acme", flag, enabled: true });
  await tab.page.locator(".flag code").filter({ hasText: flag }).waitFor();
  assert.equal(await tab.page.locator(".flag img").count(), 0);
  assert.equal(await tab.page.evaluate(() => window.ran), undefined);
});

check("an address of another host in the query is not used", async () => {
  const asked = [];
  const other = await browser.open(await browser.person(), "about:blank");
  other.page.on("request", (request) => asked.push(new URL(request.url()).host));
  await other.page.goto(`${platform.url("fanout")}/?auth=http://evil.example`);
  await other.id("user-alice").click();
  await other
    .id("login-error")
    .filter({ hasText: /\S/ })
    .waitFor()
    .catch(() => undefined);
  assert.ok(!asked.includes("evil.example"), asked.join(" "));
});

check("no tab had an error", () => {
  assert.deepEqual(browser.errors, []);
});
