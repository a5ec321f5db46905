// The page of the deployments: plain HTML, served by the node or opened from a file.

import { join, resolve } from "node:path";
import { ExamplePage } from "./example-page.mjs";

const page = new ExamplePage("deployments");
const FILE = join(resolve(import.meta.dirname, "../.."), "examples/deployments/page/dist/index.html");

page.check("a deployment is watched from its start to its end, and its statuses by a dashboard", async () => {
  const [alice, bob] = [await page.signedIn("alice"), await page.signedIn("bob")];
  await alice.connected();
  await bob.connected();
  await bob.id("all").click();
  await bob.page.locator('[data-testid="all"][aria-pressed="true"]').waitFor();
  await alice.id("start").click();
  await alice.page.locator('[data-testid="deployment"][data-status="Succeeded"]').waitFor();
  await bob.id("statuses").getByText("Succeeded").waitFor();
});

page.check("what the hub refuses is told in its words", async () => {
  const alice = await page.signedIn("alice");
  await alice.connected();
  await alice.id("subscribe").click();
  await alice.id("notice").filter({ hasText: "Execution ID cannot be empty or whitespace." }).waitFor();
});

page.check("it works from a file too", async () => {
  const tab = await page.openFile(FILE);
  await tab.id("user-alice").click();
  await tab.connected();
  await tab.id("start").click();
  await tab.page.locator('[data-testid="deployment"][data-status="Succeeded"]').waitFor();
});

page.checkScreens(async (tab) => {
  await tab.connected();
  await tab.id("start").click();
  await tab.page.locator('[data-testid="deployment"][data-status="Succeeded"]').waitFor();
});
