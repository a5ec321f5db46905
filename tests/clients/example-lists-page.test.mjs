// The page of the shopping lists: React, and the platform's own service class.

import assert from "node:assert/strict";
import { ExamplePage } from "./example-page.mjs";

const page = new ExamplePage("lists");

page.check("a change in one window shows in the other, and who is there", async () => {
  const [alice, bob] = [await page.signedIn("alice"), await page.signedIn("bob")];
  for (const tab of [alice, bob]) {
    await tab.connected();
    await tab.id("list-Groceries").click();
    await tab.id("item-Milk").waitFor();
  }
  await alice.id("present").getByText("Bob Brown").waitFor();
  await bob.id("present").getByText("Alice Adams").waitFor();
  await bob.id("item-Milk").getByRole("checkbox").click();
  await alice.page.locator('[data-testid="item-Milk"][data-bought="true"]').waitFor();
  await alice.id("new-item").fill("Honey");
  await alice.id("new-item").press("Enter");
  await alice.page.locator('[data-testid="item-Honey"][data-pending="false"]').waitFor();
  await bob.id("item-Honey").waitFor();
  assert.equal(await alice.id("item-Honey").count(), 1, "what was shown at once is not shown twice");
  await bob.page.context().close();
  await alice.id("present").getByText("Bob Brown").waitFor({ state: "detached" });
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
