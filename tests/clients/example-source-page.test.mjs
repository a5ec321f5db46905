// The page of the platform that leaves Azure SignalR Service.

import { ExamplePage } from "./example-page.mjs";

const page = new ExamplePage("source");

page.check("a logout in one tab signs out the other", async () => {
  const context = await page.person();
  const first = await page.open(context);
  await first.id("user-alice").click();
  await first.connected();
  const second = await page.open(context);
  await second.connected();
  const bob = await page.signedIn("bob");
  await bob.connected();
  await bob.id("role-editor").click();
  for (const tab of [first, second]) {
    await tab.toast("Your role has changed").waitFor();
  }
  await bob.id("flag-on").click();
  await second.flag("reports", true);
  await first.id("sign-out").click();
  for (const tab of [first, second]) {
    await tab.id("sign-in").waitFor();
    await tab.id("notice").filter({ hasText: "log_off_initiated" }).waitFor();
  }
  await second.id("user-alice").click();
  await first.connected();
});

page.checkScreens(async (tab) => {
  await tab.connected();
  await tab.id("license").click();
  await tab.toast("License updated").waitFor();
});
