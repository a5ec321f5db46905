// The page of the shopping lists: React, and the platform's own service class.

import assert from "node:assert/strict";
import { ExamplePage } from "./example-page.mjs";

const page = new ExamplePage("lists");

/** A user's page with the list of groceries open. */
async function shopper(user, context) {
  const tab = context === undefined ? await page.signedIn(user) : await page.open(context);
  if (context !== undefined) {
    await tab.id(`user-${user}`).click();
  }
  await tab.connected();
  await tab.id("list-Groceries").click();
  await tab.id("item-Milk").waitFor();
  return tab;
}

async function add(tab, name) {
  await tab.id("new-item").fill(name);
  await tab.id("new-item").press("Enter");
  await tab.page.locator(`[data-testid="item-${name}"][data-pending="false"]`).waitFor();
}

page.check("a change in one window shows in the other, and who is there", async () => {
  const [alice, bob] = [await shopper("alice"), await shopper("bob")];
  await alice.id("present").getByText("Bob Brown").waitFor();
  await bob.id("present").getByText("Alice Adams").waitFor();
  await bob.id("item-Milk").getByRole("checkbox").click();
  await alice.page.locator('[data-testid="item-Milk"][data-bought="true"]').waitFor();
  await add(alice, "Honey");
  await bob.id("item-Honey").waitFor();
  await bob.says("Alice Adams added Honey");
  assert.equal(await alice.id("item-Honey").count(), 1, "what was shown at once is not shown twice");
  await alice.says("");
  const markup = "<b onmouseover=alert(1)>Rice</b>";
  await alice.id("new-item").fill(markup);
  await alice.id("new-item").press("Enter");
  await bob.page.getByText(markup).first().waitFor();
  await bob.page.context().close();
  await alice.id("present").getByText("Bob Brown").waitFor({ state: "detached" });
});

page.check("who edits what another changes meanwhile is asked, and overwrites nothing unasked", async () => {
  const [alice, bob] = [await shopper("alice"), await shopper("bob")];
  await bob.page.getByRole("button", { name: "Edit Apples" }).click();
  await bob.id("edit-name").fill("Pears");
  await alice.page.getByRole("button", { name: "Edit Apples" }).click();
  await alice.id("edit-name").fill("Plums");
  await alice.id("edit-save").click();
  await alice.id("item-Plums").waitFor();
  await bob.id("conflict").filter({ hasText: "Alice Adams has changed it to “Plums”." }).waitFor();
  await bob.id("edit-cancel").click();
  await bob.id("item-Plums").waitFor();
  await alice.page.getByRole("button", { name: "Edit Plums" }).click();
  await alice.id("edit-name").fill("Cherries");
  await alice.id("edit-save").click();
  await bob.id("item-Cherries").waitFor();
});

page.check("who does something is present again after a pause of five seconds", async () => {
  const context = await page.person();
  const sent = [];
  context.on("page", (opened) => {
    opened.on("websocket", (socket) => socket.on("framesent", ({ payload }) => sent.push(String(payload))));
  });
  const alice = await shopper("alice", context);
  const heartbeats = () => sent.filter((frame) => frame.includes('"UpdatePresence"')).length;
  await alice.id("new-item").press("a");
  await alice.page.waitForTimeout(3_000);
  await alice.id("new-item").press("b");
  await alice.page.waitForTimeout(4_000);
  assert.equal(heartbeats(), 0, "the pause begins with the last key");
  await alice.page.waitForTimeout(2_500);
  assert.equal(heartbeats(), 1, "and not the next of every 30 seconds");
});

page.check("without the hub changes are made and shown, and who lost it sees them once it is back", async () => {
  const [alice, bob] = [await shopper("alice"), await shopper("bob")];
  await page.node.kill();
  await Promise.all([alice, bob].map((tab) => tab.state("connecting")));
  await add(alice, "Flour");
  assert.equal(await bob.id("item-Flour").count(), 0);
  await page.node.start();
  await bob.connected();
  await bob.id("item-Flour").waitFor();
  await alice.id("present").getByText("Bob Brown").waitFor();
  await add(bob, "Yeast");
  await alice.id("item-Yeast").waitFor();
});

page.check("a token that is not taken any more leads back to sign-in", async () => {
  const alice = await page.signedIn("alice");
  await alice.connected();
  await alice.page.evaluate(() => {
    sessionStorage.setItem("lists.session", JSON.stringify({ user: "alice", access_token: "of.long.ago" }));
  });
  await alice.page.reload();
  await alice.id("sign-in").getByText("Sign in again.").waitFor();
});

page.check("who is removed sees the list go", async () => {
  const [alice, carol] = [await page.signedIn("alice"), await page.signedIn("carol")];
  await alice.connected();
  await carol.connected();
  await alice.id("list-Groceries").click();
  await alice.id("share-carol").click();
  await carol.id("list-Groceries").click();
  await carol.id("item-Bread").waitFor();
  await alice.id("share-carol").click();
  await carol.id("list-Groceries").waitFor({ state: "detached" });
});

page.checkScreens(async (tab) => {
  await tab.connected();
  await tab.id("list-Groceries").click();
  await tab.id("item-Bread").waitFor();
  await tab.id("present").getByText("you").waitFor();
});
