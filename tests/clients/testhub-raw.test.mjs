// Raw connections of the test hub: no hub protocol, everything is echoed, over each transport.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { HttpTransportType, TransferFormat } from "@microsoft/signalr";
import { TestHub } from "./testhub.mjs";

// The internal base of HubConnection; the package does not export it.
const { HttpConnection } = createRequire(import.meta.url)("@microsoft/signalr/dist/cjs/HttpConnection.js");
const MESSAGE = "Hello World!";

let hub;
before(async () => {
  hub = await TestHub.start("testhub-raw");
});
after(() => hub?.stop());

/** Sends a message and returns the echo, and the close of the connection. */
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

test("the client for web workers is served as it was installed", { timeout: 20_000 }, async () => {
  const answer = await fetch(hub.url("/lib/signalr-webworker/signalr.js"), { headers: { origin: "http://elsewhere" } });
  assert.equal(answer.status, 200);
  assert.match(answer.headers.get("content-type"), /javascript/);
  assert.equal(answer.headers.get("access-control-allow-origin"), "http://elsewhere");
  const installed = new URL("./node_modules/@microsoft/signalr/dist/webworker/signalr.js", import.meta.url);
  assert.equal(await answer.text(), await readFile(installed, "utf8"));
});

test("behind a proxy that speaks https cookies cross origins", { timeout: 20_000 }, async () => {
  const cookies = async (headers) => {
    const answer = await fetch(hub.url("/echo/negotiate"), { method: "POST", headers });
    return answer.headers.getSetCookie();
  };
  const across = (cookie) => /; SameSite=None; Secure$/.test(cookie);
  const plain = await cookies({});
  assert.ok(plain.length === 3 && !plain.some(across), plain.join("\n"));
  const secure = await cookies({ "x-forwarded-proto": "https" });
  assert.ok(secure.length === 3 && secure.every(across), secure.join("\n"));
});
