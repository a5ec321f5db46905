// The hub methods of the examples, over every transport and in both protocols: what is taken, refused, answered and told.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { HttpTransportType } from "@microsoft/signalr";
import { unique } from "./case.mjs";
import { COMBINATIONS, protocolOf } from "./combinations.mjs";
import { ExampleClient } from "./example-client.mjs";
import { Example } from "./example.mjs";

const GROCERIES = "6f1c7a52-3b0e-4d0a-9a4e-1f2d3c4b5a69";
const NOWHERE = "99999999-9999-4999-8999-999999999999";

/** The effects of each example's methods, called like in its front end: `start` opens another tab the same way. */
const EXAMPLES = {
  deployments: {
    hub: "/deploymentHub",
    user: "alice",
    targets: ["DeploymentStatusChanged", "DeploymentProgress"],
    async calls(client, { example }) {
      const id = randomUUID();
      await assert.rejects(client.invoke("SubscribeToDeployment", null), /Execution ID cannot be null\./);
      await assert.rejects(client.invoke("SubscribeToDeployment", " "), /Execution ID cannot be empty or whitespace\./);
      assert.equal(await client.invoke("SubscribeToDeployment", id), null, "a method without a result answers null");
      const Timestamp = new Date().toISOString();
      await example.publish("deployments.DeploymentProgress", { org: "acme", ExecutionId: id, Stage: "Build", Progress: 7, Timestamp });
      const [progress] = await client.gets("DeploymentProgress", ({ ExecutionId }) => ExecutionId === id);
      assert.deepEqual([progress.Stage, progress.Progress], ["Build", 7]);
      await client.invoke("UnsubscribeFromDeployment", id);
      await client.invoke("SubscribeToAllDeployments");
      await client.invoke("UnsubscribeFromAllDeployments");
    },
  },
  lists: {
    hub: "/hubs/shopping-list",
    user: "alice",
    targets: ["UserJoined", "UserLeft", "PresenceUpdate", "ItemAdded"],
    async calls(client) {
      await assert.rejects(client.invoke("JoinList", "42"), /A list is named by a GUID/);
      await assert.rejects(client.invoke("JoinList", NOWHERE), /Access denied/);
      assert.equal(await client.invoke("JoinList", GROCERIES), null);
      const [{ activeUsers }] = await client.gets("PresenceUpdate", ({ listId }) => listId === GROCERIES);
      assert.ok(Array.isArray(activeUsers));
      await client.invoke("UpdatePresence", GROCERIES);
      await client.invoke("LeaveList", GROCERIES);
    },
  },
  analytics: {
    hub: "/hubs/analytics",
    user: "root",
    targets: ["DashboardUpdate"],
    async calls(client) {
      await client.invoke("JoinOrganizationGroup");
      await client.invoke("WatchOrganization", "globex");
      const metrics = { note: unique("figures"), list: [1, 2.5, null, "x"], nested: { on: true } };
      await client.invoke("BroadcastDashboardUpdate", "globex", metrics);
      const [update] = await client.gets("DashboardUpdate", (one) => one.metrics.note === metrics.note);
      assert.deepEqual(update.metrics, metrics);
      await client.invoke("UnwatchOrganization", "globex");
    },
  },
};

for (const [name, { hub, user, targets, calls }] of Object.entries(EXAMPLES)) {
  describe(`the methods of ${name}`, () => {
    let example;
    before(async () => {
      example = await Example.start(name, { test: `example-methods-${name}` });
    });
    after(() => example?.stop());

    for (const { transport, protocol } of COMBINATIONS) {
      test(`do the same over ${transport} in ${protocol}`, async () => {
        const { token } = await example.signIn(user);
        const options = { token, transport: HttpTransportType[transport], protocol: protocolOf(protocol) };
        const client = await ExampleClient.start(example.nodes[0].url(hub), targets, options);
        try {
          await calls(client, { example });
          await assert.rejects(client.invoke("NoSuchMethod"), /NoSuchMethod/);
        } finally {
          await client.stop();
        }
      });
    }
  });
}
