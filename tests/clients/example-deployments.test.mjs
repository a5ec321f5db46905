// The deployment orchestrator: subscriptions by id, two audiences of one event, and progress that is not too much.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { cases } from "./case.mjs";
import { ExampleClient } from "./example-client.mjs";
import { Example } from "./example.mjs";

const HUB = "/deploymentHub";
const TARGETS = ["DeploymentStatusChanged", "DeploymentProgress", "logout"];
/** The page waits 0, 2, 10 and 30 s; a test waits less. */
const RETRIES = [0, 200, 1_000, 3_000, 3_000];
const MODULE = { name: "shop", version: "1.4.0" };
/** The recheck of every half minute happens every 5 seconds here. */
const QUICK = (text) => text.replace("recheck_seconds = 30", "recheck_seconds = 5");

let example;
const open = [];
const check = cases(() => example);

before(async () => {
  example = await Example.start("deployments", { nodes: 2, edit: QUICK });
});
after(async () => {
  await Promise.all(open.map((client) => client.stop()));
  await example?.stop();
});

async function tab(user, { node = 0, ...options } = {}) {
  const session = await example.signIn(user);
  const client = await ExampleClient.start(example.nodes[node].url(HUB), TARGETS, { token: session.token, ...options });
  open.push(client);
  return Object.assign(client, session);
}

const leave = (...clients) => Promise.all(clients.map((client) => client.stop()));

async function deploy(client, body = {}) {
  const answer = await example.call("POST", "/api/deployments", { cookie: client.cookie, body: { module: MODULE, ...body } });
  assert.equal(answer.status, 202, JSON.stringify(answer.body));
  return answer.body.executionId;
}

const statusOf = (id, status) => (message) => message.ExecutionId === id && (status === undefined || message.Status === status);

/** Publishes a status of a deployment that no service knows. */
function publishStatus(ExecutionId, Status, org = "acme") {
  const UpdatedAt = new Date().toISOString();
  const Details = { ExecutionId, Status, Stages: [] };
  return example.publish("deployments.DeploymentStatusChanged", { org, ExecutionId, Status, UpdatedAt, Details });
}

check("its configuration is sound", async () => {
  assert.match(await example.check(), /fanfare\.toml is sound/);
});

check("a deployment is told from its start to its end, statuses to dashboards too and progress to its own page alone", async () => {
  const [page, dashboard] = [await tab("alice"), await tab("bob", { node: 1 })];
  const id = randomUUID();
  await page.invoke("SubscribeToDeployment", id);
  await dashboard.invoke("SubscribeToAllDeployments");
  await deploy(page, { executionId: id, targetEnvironment: "Staging" });
  const [first] = await page.gets("DeploymentStatusChanged", statusOf(id));
  assert.deepEqual(Object.keys(first), ["ExecutionId", "Status", "UpdatedAt", "Details"]);
  assert.equal(first.Status, "Running");
  assert.deepEqual(first.Details.Request, {
    Module: { Name: "shop", Version: "1.4.0" },
    TargetEnvironment: "Staging",
  });
  assert.deepEqual(first.Details.Stages.map(({ StageName, Status }) => [StageName, Status]), [["Validation", "Running"]]);
  const [last] = await page.gets("DeploymentStatusChanged", statusOf(id, "Succeeded"));
  assert.equal(last.Details.Stages.length, 4);
  await dashboard.gets("DeploymentStatusChanged", statusOf(id, "Succeeded"));
  const [progress] = await page.gets("DeploymentProgress", ({ Progress }) => Progress === 100);
  assert.deepEqual(Object.keys(progress), ["ExecutionId", "Stage", "Progress", "Timestamp"]);
  assert.equal(progress.Stage, "Verification");
  assert.deepEqual(dashboard.of("DeploymentProgress"), []);
  const shown = page.of("DeploymentProgress").map(([{ Progress }]) => Progress);
  assert.deepEqual(shown, [...shown].sort((a, b) => a - b), "in order");
  await leave(page, dashboard);
});

check("the document's payloads come as they are published, to the last field", async () => {
  const alice = await tab("alice");
  const ExecutionId = randomUUID();
  await alice.invoke("SubscribeToDeployment", ExecutionId);
  const Details = {
    ExecutionId,
    Request: {
      Module: { Name: "TestModule", Version: "1.0.0" },
      TargetEnvironment: "Production",
      RequesterEmail: "user@example.com",
    },
    Status: "Running",
    CurrentStage: "Verification",
    Stages: [
      { StageName: "Validation", Status: "Succeeded", StartTime: "2025-11-20T12:00:00Z", EndTime: "2025-11-20T12:00:05Z" },
    ],
    StartTime: "2025-11-20T12:00:00Z",
    LastUpdated: "2025-11-20T12:00:10Z",
  };
  const status = { ExecutionId, Status: "Running", UpdatedAt: "2025-11-20T12:00:00Z", Details };
  await example.publish("deployments.DeploymentStatusChanged", { org: "acme", ...status });
  assert.deepEqual(await alice.gets("DeploymentStatusChanged", statusOf(ExecutionId)), [status]);
  const progress = { ExecutionId, Stage: "Verification", Progress: 75, Timestamp: "2025-11-20T12:00:10Z" };
  await example.publish("deployments.DeploymentProgress", { org: "acme", ...progress });
  assert.deepEqual(await alice.gets("DeploymentProgress", (one) => one.ExecutionId === ExecutionId), [progress]);
  await leave(alice);
});

check("a deployment that fails says so, and that it goes no further", async () => {
  const alice = await tab("alice");
  const id = randomUUID();
  await alice.invoke("SubscribeToDeployment", id);
  await deploy(alice, { executionId: id, failsAt: "Build" });
  const [{ Details }] = await alice.gets("DeploymentStatusChanged", statusOf(id, "Failed"));
  assert.deepEqual(Details.Stages.map(({ StageName, Status }) => [StageName, Status]), [["Validation", "Succeeded"], ["Build", "Failed"]]);
  await alice.gets("DeploymentProgress", ({ ExecutionId, Stage, Progress }) => ExecutionId === id && Stage === "Build" && Progress === 100);
  await leave(alice);
});

check("pages of the declared origins may send any header with credentials, and others nothing", async () => {
  const preflight = async (origin) => {
    const answer = await fetch(example.nodes[0].url(`${HUB}/negotiate?negotiateVersion=1`), {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "x-of-the-platform" },
    });
    return ["origin", "credentials", "headers"].map((name) => answer.headers.get(`access-control-allow-${name}`));
  };
  const [origin, credentials, headers] = await preflight("http://localhost:8080");
  assert.deepEqual([origin, credentials], ["http://localhost:8080", "true"]);
  assert.match(headers, /x-of-the-platform/i);
  assert.equal((await preflight("https://evil.example"))[0], null);
});

check("who is in both audiences is told once, however often it has subscribed", async () => {
  const alice = await tab("alice");
  const id = randomUUID();
  await alice.invoke("SubscribeToDeployment", id);
  await alice.invoke("SubscribeToDeployment", id);
  await alice.invoke("SubscribeToAllDeployments");
  await publishStatus(id, "Running");
  await publishStatus(id, "Succeeded");
  await alice.gets("DeploymentStatusChanged", statusOf(id, "Succeeded"));
  assert.equal(alice.of("DeploymentStatusChanged").filter(([message]) => statusOf(id)(message)).length, 2);
  await leave(alice);
});

check("who unsubscribes hears nothing more", async () => {
  const [alice, witness] = [await tab("alice"), await tab("alice")];
  const id = randomUUID();
  for (const client of [alice, witness]) {
    await client.invoke("SubscribeToDeployment", id);
    await client.invoke("SubscribeToAllDeployments");
  }
  await alice.invoke("UnsubscribeFromDeployment", id);
  await alice.invoke("UnsubscribeFromAllDeployments");
  await publishStatus(id, "Running");
  await witness.gets("DeploymentStatusChanged", statusOf(id));
  await sleep(200);
  assert.deepEqual(alice.of("DeploymentStatusChanged"), []);
  await leave(alice, witness);
});

check("bad arguments are refused in the platform's words", async () => {
  const alice = await tab("alice");
  for (const method of ["SubscribeToDeployment", "UnsubscribeFromDeployment"]) {
    await assert.rejects(alice.invoke(method, null), /Execution ID cannot be null\./);
    await assert.rejects(alice.invoke(method, ""), /Execution ID cannot be empty or whitespace\./);
    await assert.rejects(alice.invoke(method, " \t "), /Execution ID cannot be empty or whitespace\./);
    await assert.rejects(alice.invoke(method, 7), /executionId/);
  }
  await assert.rejects(alice.invoke("SubscribeToAllDeployments", "extra"), /argument/);
  await leave(alice);
});

check("nobody watches another org's deployment", async () => {
  const [alice, carol] = [await tab("alice"), await tab("carol")];
  const id = await deploy(alice);
  await assert.rejects(carol.invoke("SubscribeToDeployment", id), /You may not watch this deployment\./);
  await carol.invoke("SubscribeToAllDeployments");
  const theirs = randomUUID();
  await publishStatus(theirs, "Running", "globex");
  await carol.gets("DeploymentStatusChanged", statusOf(theirs));
  assert.equal(carol.of("DeploymentStatusChanged").length, 1);
  await leave(alice, carol);
});

check("a permission that is taken away ends the subscription, though the page does nothing", async () => {
  const [alice, bob] = [await tab("alice"), await tab("bob")];
  const id = await deploy(bob);
  await alice.invoke("SubscribeToDeployment", id);
  const answer = await example.call("PUT", `/api/deployments/${id}/hidden`, { cookie: bob.cookie });
  assert.equal(answer.status, 204);
  await sleep(8_000);
  const marker = `after-${id}`;
  await bob.invoke("SubscribeToAllDeployments");
  await publishStatus(id, marker);
  await bob.gets("DeploymentStatusChanged", statusOf(id, marker));
  await sleep(200);
  assert.ok(!alice.of("DeploymentStatusChanged").some(([message]) => message.Status === marker));
  await leave(alice, bob);
});

/** Publishes this many updates of a deployment's progress at once. */
async function publishProgress(ExecutionId, from, to) {
  const token = example.signed({ aud: "fanfare-publish", sub: "tests", org: "acme", roles: ["producer"], publish: ["*"] });
  const Timestamp = new Date().toISOString();
  const events = Array.from({ length: to - from + 1 }, (_, index) => ({
    specversion: "1.0",
    id: `${ExecutionId}-${from + index}`,
    type: "deployments.DeploymentProgress",
    source: "tests",
    data: { org: "acme", ExecutionId, Stage: "Build", Progress: from + index, Timestamp },
  }));
  const answer = await fetch(example.nodes[0].url("/events"), {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/cloudevents-batch+json" },
    body: JSON.stringify(events),
  });
  assert.equal(answer.status, 202, await answer.text());
}

check("of much progress at most ten a second are told, and the newest always", async () => {
  const [alice, bob] = [await tab("alice"), await tab("alice", { node: 1 })];
  const [id, other] = [randomUUID(), randomUUID()];
  await Promise.all([alice, bob].map((page) => page.invoke("SubscribeToDeployment", id)));
  await alice.invoke("SubscribeToDeployment", other);
  const begin = Date.now();
  for (let from = 1; from <= 81; from += 20) {
    await publishProgress(id, from, from + 19);
    await sleep(150);
  }
  await publishProgress(other, 1, 1);
  for (const page of [alice, bob]) {
    await page.gets("DeploymentProgress", ({ ExecutionId, Progress }) => ExecutionId === id && Progress === 100);
    const shown = page.of("DeploymentProgress").filter(([{ ExecutionId }]) => ExecutionId === id).map(([{ Progress }]) => Progress);
    const most = (Date.now() - begin) / 100 + 1;
    assert.ok(shown.length <= most && shown.length < 50, `${shown.length} were told, and ${most} are allowed: ${shown}`);
    assert.ok(shown.length > 2, `a burst is told as it goes on: ${shown}`);
    assert.deepEqual(shown, [...shown].sort((a, b) => a - b), "in order");
  }
  await alice.gets("DeploymentProgress", ({ ExecutionId }) => ExecutionId === other);
  await leave(alice, bob);
});

check("who leaves before the newest progress was told is told it on return", async () => {
  const id = randomUUID();
  for (let round = 0; round < 5; round += 1) {
    const alice = await tab("alice");
    await alice.invoke("SubscribeToDeployment", id);
    await alice.invoke("Cursor");
    const newest = 20 * (round + 1);
    await publishProgress(id, newest - 19, newest);
    await alice.gets("DeploymentProgress", ({ Progress }) => Progress > newest - 20);
    const cursor = await alice.invoke("Cursor");
    const shown = alice.of("DeploymentProgress").map(([{ Progress }]) => Progress);
    await leave(alice);
    if (shown.includes(newest)) {
      continue;
    }
    const again = await tab("alice", { node: round % 2 });
    await again.invoke("SubscribeToDeployment", id);
    const { complete } = await again.invoke("Resume", cursor);
    assert.ok(complete);
    await again.gets("DeploymentProgress", ({ Progress }) => Progress === newest);
    await leave(again);
  }
});

check("subscriptions have a rate for each user, and the refusal says so", async () => {
  const [carol, alice] = [await tab("carol"), await tab("alice")];
  const outcomes = [];
  for (let call = 0; call < 70; call += 1) {
    outcomes.push(await carol.invoke("SubscribeToDeployment", "one").then(() => "done", ({ message }) => message));
  }
  assert.match(outcomes.at(-1), /Too many subscriptions\. Try again in a minute\./);
  await alice.invoke("SubscribeToDeployment", randomUUID());
  await leave(carol, alice);
});

check("a page that lost its node comes back, subscribes again, and resumes what it missed", async () => {
  const alice = await tab("alice", { reconnect: RETRIES });
  const id = randomUUID();
  await alice.invoke("SubscribeToDeployment", id);
  const cursor = await alice.invoke("Cursor");
  const back = new Promise((reconnected) => {
    alice.connection.onreconnected(async () => {
      await alice.invoke("SubscribeToDeployment", id);
      reconnected(await alice.invoke("Resume", cursor));
    });
  });
  await example.nodes[0].kill();
  await publishStatus(id, "Succeeded");
  await example.nodes[0].start();
  assert.equal((await back).complete, true);
  await alice.gets("DeploymentStatusChanged", statusOf(id, "Succeeded"));
  await leave(alice);
});

check("a deployment that ran when the service was killed goes on, and its end is told", async () => {
  const alice = await tab("alice", { node: 1 });
  const id = randomUUID();
  await alice.invoke("SubscribeToDeployment", id);
  await deploy(alice, { executionId: id });
  await alice.gets("DeploymentProgress", ({ ExecutionId }) => ExecutionId === id);
  await example.killBackend();
  await example.startBackend();
  await alice.gets("DeploymentStatusChanged", statusOf(id, "Succeeded"));
  await leave(alice);
});

check("a load balancer is told the node's health on the hub's port, and metrics count connections", async () => {
  const alice = await tab("alice");
  const health = await fetch(example.nodes[0].url("/health"));
  assert.equal(health.status, 200);
  assert.match(await example.nodes[0].metrics(), /fanfare_connections\{[^}]*\} [1-9]/);
  await leave(alice);
});

check("without a token nobody connects", async () => {
  await assert.rejects(ExampleClient.start(example.nodes[0].url(HUB), [], {}), /401/);
});
