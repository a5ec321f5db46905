// The page of the ticketing platform: React, TanStack Query, and the platform's own hook.

import assert from "node:assert/strict";
import { ExamplePage } from "./example-page.mjs";

const page = new ExamplePage("tickets");

page.check("the hook fetches a ticket again in an open page", async () => {
  const [alice, bob] = [await page.signedIn("alice"), await page.signedIn("bob")];
  await alice.id("ticket-42").waitFor();
  assert.equal(await alice.id("ticket-43").count(), 0, "a ticket of a team that she is not in");
  const asked = [];
  alice.page.on("request", (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`));
  await bob.id("ticket-42").getByRole("button", { name: "Take it" }).click();
  await alice.id("ticket-42").getByText("bob").waitFor();
  assert.deepEqual(asked, ["GET /tickets/42"], "that one alone, and nothing is polled");
  await alice.id("sign-out").click();
  await alice.id("sign-in").waitFor();
});

page.checkScreens((tab) => tab.id("ticket-42").waitFor());
