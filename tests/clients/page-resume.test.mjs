// A tab that loses its connection: it shows that, reconnects by itself and shows what it missed.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Api } from "./api.mjs";
import { Browser } from "./browser.mjs";
import { cases, unique } from "./case.mjs";
import { CutLine } from "./cut-line.mjs";
import { HubClient } from "./hub-client.mjs";
import { Platform } from "./platform.mjs";

let platform, browser, api, line, bob, tab, watching;
const check = cases(() => platform);

before(async () => {
  line = await CutLine.open();
  [platform, browser] = await Promise.all([Platform.start("page-resume", { lines: [line.port] }), Browser.launch()]);
  line.to(platform.fanoutPort);
  api = new Api(platform);
  bob = await api.login("bob");
  watching = await HubClient.connect(platform.hub, bob);
  tab = await browser.open(await browser.person(), platform.page(line.port));
  await tab.signIn("alice");
});
after(async () => {
  await watching?.stop();
  await browser?.close();
  await line?.close();
  await platform?.stop();
});

/** Alerts to the org that have passed through the node once this returns. */
async function alerts(count) {
  const titles = Array.from({ length: count }, () => unique("missed"));
  for (const title of titles) {
    await api.alert(bob, { title, org: "acme" });
  }
  await watching.getsToast(titles.at(-1));
  return titles;
}

check("what was missed is replayed after a drop, once and in order", async () => {
  const [known] = await alerts(1);
  await tab.activity(known).waitFor();
  line.cut();
  await tab.state("reconnecting");
  const titles = await alerts(3);
  await api.setFlag(bob, "acme", "beta-reports", true);
  await watching.getsFlag("beta-reports", true);
  await api.setFlag(bob, "acme", "beta-reports", false);
  await watching.getsFlag("beta-reports", false);
  line.mend();
  await tab.connected();
  await tab.says("5 missed notifications replayed.");
  const shown = await tab
    .activity(/missed-/)
    .getByText(/missed-/)
    .allTextContents();
  assert.deepEqual(
    shown.filter((title) => titles.includes(title)),
    titles.toReversed(),
    "newest first, each once",
  );
  await tab.flag("beta-reports", false);
  await tab.design("classic");
});

check("a tab that has received nothing yet resumes as well", async () => {
  const fresh = await browser.open(await browser.person(), platform.page(line.port));
  await fresh.signIn("alice");
  await fresh.page.waitForFunction(() => sessionStorage.getItem("fanfare.cursor") !== null);
  line.cut();
  await fresh.state("reconnecting");
  const [title] = await alerts(1);
  line.mend();
  await fresh.toast(title).waitFor();
  await fresh.page.context().close();
  await tab.connected();
});

check("a reload keeps the history and replays what came meanwhile", async () => {
  const [before] = await alerts(1);
  await tab.activity(before).waitFor();
  await tab.page.goto("about:blank");
  const [meanwhile] = await alerts(1);
  await tab.page.goto(platform.page(line.port));
  await tab.connected();
  await tab.toast(meanwhile).waitFor();
  assert.equal(await tab.activity(before).count(), 1);
  assert.equal(await tab.activity(meanwhile).count(), 1);
});

check("a node that restarts is found again", async () => {
  await platform.service("fanout").kill();
  await tab.state("reconnecting");
  await platform.startFanout();
  await tab.connected();
  const title = unique("after-the-restart");
  await api.alert(bob, { title, org: "acme" });
  await tab.toast(title).waitFor();
});

check("a session that ended while the tab was away shows the signed-out screen", async () => {
  const token = await tab.token();
  line.cut();
  await tab.state("reconnecting");
  await api.logout(token);
  await watching.connection.invoke("Cursor").catch(() => undefined);
  line.mend();
  await tab.id("signed-out").waitFor();
});

check("no tab had an error", () => {
  assert.deepEqual(browser.errors, []);
});
