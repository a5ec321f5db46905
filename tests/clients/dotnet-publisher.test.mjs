// .NET services that publish with their usual libraries: the CloudEvents SDK over HTTP, NATS.Net and Apache.Avro
// directly to a real NATS. The official client receives what they publish.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, describe, test } from "node:test";
import { BrokerServer } from "./broker-server.mjs";
import { buildDotnet } from "./compatibility/dotnet.mjs";
import { FanfareNode } from "./fanfare-node.mjs";
import { HubClient } from "./hub-client.mjs";
import { OUTPUT, freePorts } from "./platform.mjs";
import { missingServers } from "./servers.mjs";

const PROJECT = resolve(import.meta.dirname, "dotnet-publisher/Publisher.csproj");
const SCHEMAS = resolve(import.meta.dirname, "dotnet-publisher/schemas");
const DEMO = resolve(import.meta.dirname, "../../schemas");
const SOURCE = "/services/dotnet";

const ORDER = {
  org: "acme",
  order: "067e6162-3b6f-4ae2-a171-2470b63dff00",
  total: "-1234567.05",
  at: "2026-01-02T03:04:05.678Z",
  packed: "2026-01-02T03:04:05.678901Z",
  due: "2026-02-28",
  until: "17:30:00.250",
  way: "BY_HAND",
  count: 42,
  weight: 0.1,
  label: "AQL/",
  note: "Grüße",
  paid: null,
  tags: { gift: "yes" },
  lines: [{ article: "a-1", pieces: 3 }],
};
const NAMES = Object.keys(ORDER).filter((name) => name !== "org");
const ROUTE = `[[route]]
name = "shipped"
event = "shop.OrderShipped"
groups = ["org:{org}"]
send = { target = "shipped", arguments = [{ ${NAMES.map((name) => `${name} = "{${name}}"`).join(", ")} }] }
`;

const { program, reason } = buildDotnet(PROJECT, "publisher", "the publisher in .NET");
const skip = reason ?? missingServers();

describe("producers in .NET", { skip, timeout: 120_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "fanfare-dotnet-publisher-"));
  let broker, node, client;
  before(async () => {
    if (skip !== false) {
      return;
    }
    const logs = join(OUTPUT, "logs");
    mkdirSync(logs, { recursive: true });
    broker = await BrokerServer.start("nats", folder, await freePorts(2), join(logs, "dotnet-publisher-nats.log"));
    const options = { broker: `url = "${broker.url}"`, limits: `[schemas]\npath = "${SCHEMAS}"\n`, routes: ROUTE };
    node = await FanfareNode.start("dotnet-publisher", options);
    client = await HubClient.connect(node.hub(), node.token("alice"), { targets: ["shipped"] });
  });
  after(async () => {
    await client?.stop();
    await node?.end();
    await broker?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs the publisher with an order, and returns its answer. */
  async function publish(order) {
    const child = spawn("dotnet", [program], { stdio: ["pipe", "pipe", "pipe"] });
    child.stdin.end(JSON.stringify(order));
    const [said, faults, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
    assert.equal(code, 0, faults);
    return JSON.parse(said);
  }
  const overHttp = (mode, events) =>
    publish({ to: "http", mode, url: node.hub().replace(/\/hubs.*/, ""), token: node.producer(), events });
  const toNats = (events) => publish({ to: "nats", url: broker.url, events });
  const alert = (title, more = {}) => {
    const data = { org: "acme", severity: "warning", title, message: "from .NET" };
    return { id: `${title} – ü 100%`, source: SOURCE, type: "system.Alert", org: "acme", data, ...more };
  };
  const inAvro = { schema: join(DEMO, "system/Alert.v2.avsc") };

  for (const mode of ["binary", "structured", "batch"]) {
    test(`the CloudEvents SDK publishes in ${mode} mode`, async () => {
      const events = [alert(`${mode} in JSON`), alert(`${mode} in Avro`, inAvro)];
      for (const duplicate of [false, true]) {
        const answers = await overHttp(mode, events);
        const told = mode === "batch" ? answers[0].answer.events : answers.map((one) => one.answer);
        assert.ok(answers.every((one) => one.status === 202), JSON.stringify(answers));
        assert.deepEqual(told.map((one) => [one.id, one.duplicate]), events.map((one) => [one.id, duplicate]));
      }
      for (const { data } of events) {
        const { severity, message } = await client.getsToast(data.title);
        assert.deepEqual([severity, message], ["warning", "from .NET"]);
      }
      assert.equal(client.of("toast").filter((one) => one.title.startsWith(mode)).length, events.length, "each once");
    });
  }

  test("what does not fit is refused by the name of its field, in each mode", async () => {
    const wrong = alert("wrong");
    wrong.data.title = 5;
    for (const mode of ["binary", "structured", "batch"]) {
      const [{ status, answer }] = await overHttp(mode, [wrong]);
      assert.deepEqual([status, answer.field], [400, "title"], JSON.stringify(answer));
    }
  });

  test("NATS.Net publishes what Apache.Avro has encoded, and JSON in structured mode", async () => {
    const on = "events.acme.system.Alert";
    const flag = { org: "acme", flag: "dotnet.flag", enabled: true, changed_by: "me", revision: 7 };
    const events = [
      alert("NATS in Avro", { on, ...inAvro, id: "nats-1" }),
      alert("NATS in JSON", { on, id: "nats-2" }),
      {
        id: "nats-3",
        source: SOURCE,
        type: "license.FlagToggled",
        on: "state.acme.license.FlagToggled.dotnet%2Eflag",
        schema: join(DEMO, "license/FlagToggled.v1.avsc"),
        data: flag,
      },
    ];
    const told = await toNats(events);
    const stored = (name, duplicate = false) => ({ stream: `fanfare-${name}`, duplicate, error: null });
    assert.deepEqual(told, [stored("events"), stored("events"), stored("state")]);
    await client.getsToast("NATS in Avro");
    await client.getsToast("NATS in JSON");
    await client.getsFlag("dotnet.flag", true);
    assert.deepEqual(await toNats([events[0]]), [stored("events", true)]);
  });

  test("the types that .NET has of its own arrive as they were meant, by either way", async () => {
    const schema = join(SCHEMAS, "shop/OrderShipped.v1.avsc");
    const order = (id, data) => ({
      id, source: SOURCE, type: "shop.OrderShipped", org: "acme", on: "events.acme.shop.OrderShipped", schema, data,
    });
    await toNats([order("order-1", ORDER)]);
    const [{ status }] = await overHttp("binary", [order("order-2", { ...ORDER, note: null, paid: ORDER.at })]);
    assert.equal(status, 202);
    await client.gets("the second order", (one) => one.target === "shipped" && one.paid !== null);
    const told = client.of("shipped").map((one) => Object.fromEntries(NAMES.map((name) => [name, one[name]])));
    const { org: _, ...sent } = ORDER;
    assert.deepEqual(told, [sent, { ...sent, note: null, paid: ORDER.at }]);
  });
});
