// Screenshots of every screen for people to review, on a phone and a desktop, light and dark.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Api } from "./api.mjs";
import { Browser, DESKTOP, PHONE } from "./browser.mjs";
import { cases } from "./case.mjs";
import { Platform } from "./platform.mjs";

let platform, browser, api, root;
const check = cases(() => platform);
const SIZES = [
  ["phone", PHONE],
  ["desktop", DESKTOP],
];

before(async () => {
  [platform, browser] = await Promise.all([Platform.start("screenshots"), Browser.launch()]);
  api = new Api(platform);
  root = await api.login("root");
});
after(async () => {
  await browser?.close();
  await platform?.stop();
});

async function fits(tab) {
  const over = await tab.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(over <= 0, `the page is ${over} px wider than the screen`);
}

for (const [size, viewport] of SIZES) {
  for (const colorScheme of ["light", "dark"]) {
    check(`screens on a ${size}, ${colorScheme}`, async () => {
      const name = (screen) => `${size}-${colorScheme}-${screen}`;
      const tab = await browser.open(await browser.person({ viewport, colorScheme }), platform.page());
      await tab.id("sign-in").waitFor();
      await fits(tab);
      await tab.screenshot(name("1-sign-in"));

      await api.setFlag(root, "acme", "beta-reports", false);
      await tab.signIn("bob");
      await tab.design("classic");
      await tab.screenshot(name("2-workspace"));
      await fits(tab);

      await tab.id("export-start").press("Enter");
      await tab.page.locator('[data-testid="export-job"][data-status="done"]').waitFor();
      await tab.id("flag-toggle-beta-reports").press("Enter");
      await tab.design("beta");
      const alert = { severity: "warning", title: "Planned maintenance", message: "Back in a minute.", org: "acme" };
      await api.alert(root, alert);
      await tab.toast("Planned maintenance").waitFor();
      await tab.page.evaluate(() => window.scrollTo(0, 0));
      await tab.screenshot(name("3-toasts"));
      await tab.screenshot(name("4-admin"), { fullPage: true });
      await fits(tab);

      await tab.signOutEverywhere();
      await tab.id("signed-out").waitFor();
      await tab.screenshot(name("5-signed-out"));
      await tab.page.context().close();
    });
  }
}
