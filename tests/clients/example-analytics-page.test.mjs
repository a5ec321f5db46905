// The dashboard of the analytics.

import assert from "node:assert/strict";
import { ExamplePage } from "./example-page.mjs";

const page = new ExamplePage("analytics");

page.check("figures and the feed change without a request", async () => {
  const [bob, admin] = [await page.signedIn("bob"), await page.signedIn("bob")];
  await bob.connected();
  await admin.connected();
  await admin.id("begin").click();
  await bob.id("activeSessions").filter({ hasText: "1" }).waitFor();
  await admin.id("detect").click();
  await bob.id("aiSeconds").filter({ hasText: "30" }).waitFor();
  await bob.id("activity").getByText("AIDetected").waitFor();
  assert.equal(await bob.id("requests").textContent(), "1", "one request when it opened, and none since");
});

page.check("who is neither administrator nor manager is told so", async () => {
  const alice = await page.signedIn("alice");
  await alice.id("notice").filter({ hasText: "administrators and managers" }).waitFor();
});

page.checkScreens(async (tab) => {
  await tab.connected();
  await tab.id("begin").click();
  await tab.id("activity").getByText("SessionStarted").first().waitFor();
}, { first: "bob" });
