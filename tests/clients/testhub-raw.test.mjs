// Raw connections of the test hub: no hub protocol, what goes in comes out, over each transport.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { HttpTransportType, TransferFormat } from "@microsoft/signalr";
import { TestHub } from "./testhub.mjs";

// What HubConnection is built on; the package keeps it to itself.
const { HttpConnection } = createRequire(import.meta.url)("@microsoft/signalr/dist/cjs/HttpConnection.js");
const MESSAGE = "Hello World!";

let hub;
before(async () => {
  hub = await TestHub.start("testhub-raw");
});
after(() => hub?.stop());

/** Sends a message and returns what comes back, and what the connection closed with. */
async function echo(path, transport) {
  const connection = new HttpConnection(hub.url(path), { transport: HttpTransportType[transport], logger: null });
  const received = new Promise((resolve) => (connection.onreceive = resolve));
  const closed = new Promise((resolve) => (connection.onclose = resolve));
  await connection.start(TransferFormat.Text);
  await connection.send(MESSAGE);
  const data = await received;
  await connection.stop();
  return { data, error: await closed };
}

for (const transport of ["WebSockets", "ServerSentEvents", "LongPolling"]) {
  test(`${transport} brings back what it is given`, { timeout: 20_000 }, async () => {
    assert.deepEqual(await echo("/echo", transport), { data: MESSAGE, error: undefined });
  });
}

test("a redirected request keeps its method and query", { timeout: 20_000 }, async () => {
  const answer = await fetch(hub.url("/echoredirect/negotiate?negotiateVersion=1"), { method: "POST", redirect: "manual" });
  assert.equal(answer.status, 307);
  assert.equal(answer.headers.get("location"), "/echo/negotiate?negotiateVersion=1");
  assert.deepEqual(await echo("/echoredirect", "LongPolling"), { data: MESSAGE, error: undefined });
});
