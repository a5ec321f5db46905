// The test hub, called like in the functional tests of SignalR's clients: with the official client in Node.js, over
// each transport and in both protocols.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { HttpTransportType, HubConnectionBuilder, LogLevel, Subject } from "@microsoft/signalr";
import { COMBINATIONS, protocolOf } from "./combinations.mjs";
import { TestHub } from "./testhub.mjs";

let hub;
const open = new Set();

before(async () => {
  hub = await TestHub.start("testhub");
});
after(async () => {
  await Promise.all([...open].map((connection) => connection.stop()));
  await hub?.stop();
});

async function connect(url, { transport, protocol, ...options } = {}) {
  const connection = new HubConnectionBuilder()
    .withUrl(url, { transport: HttpTransportType[transport], ...options })
    .withHubProtocol(protocolOf(protocol))
    .configureLogging(LogLevel.None)
    .build();
  open.add(connection);
  await connection.start();
  return connection;
}

/** The items of a stream, or its error. */
function items(connection, method, ...args) {
  return new Promise((complete, error) => {
    const all = [];
    connection.stream(method, ...args).subscribe({ next: (item) => all.push(item), complete: () => complete(all), error });
  });
}

function failed(method, text, kind = "InvalidOperationException") {
  return (error) => {
    assert.ok(
      error.message.includes(`An unexpected error occurred invoking '${method}' on the server. ${kind}: ${text}`),
      error.message,
    );
    return true;
  };
}

for (const { transport, protocol } of COMBINATIONS) {
  describe(`${transport} with ${protocol}`, { timeout: 60_000 }, () => {
    let connection;
    before(async () => {
      connection = await connect(hub.url(), { transport, protocol });
    });
    after(() => connection?.stop());

    test("calls are answered", async () => {
      assert.equal(await connection.invoke("Echo", "hello"), "hello");
      assert.equal(await connection.invoke("echo", "ünï©ode ✓"), "ünï©ode ✓", "in any case");
      assert.equal(await connection.invoke("Echo", null), null);
      assert.equal(await connection.invoke("GetCallerConnectionId"), connection.connectionId);
      assert.equal(await connection.invoke("GetActiveTransportName"), transport);
    });

    test("a push to the caller comes before the answer", async () => {
      const order = [];
      connection.on("Message", (text) => order.push(text));
      assert.equal(await connection.invoke("InvokeWithString", "hello"), null);
      order.push("completed");
      assert.deepEqual(order, ["hello", "completed"]);
      const custom = new Promise((received) => connection.on("CustomObject", received));
      await connection.invoke("SendCustomObject", { Name: "test", Value: 42 });
      assert.deepEqual(await custom, { Name: "test", Value: 42 });
    });

    test("errors have the official texts", async () => {
      await assert.rejects(connection.invoke("ThrowException", "sorry"), failed("ThrowException", "sorry"));
      await assert.rejects(items(connection, "StreamThrowException", "no"), failed("StreamThrowException", "no"));
      await assert.rejects(connection.invoke("Nope"), /Unknown hub method 'Nope'/);
      await assert.rejects(
        connection.invoke("Echo", "one", "two"),
        /Failed to invoke 'Echo' due to an error on the server\. InvalidDataException: Invocation provides 2 argument\(s\) but target expects 1\./,
      );
      await assert.rejects(connection.invoke("Stream"), /invoke the streaming 'Stream' method with a non-streaming/);
      await assert.rejects(items(connection, "Echo", "x"), /invoke the non-streaming 'Echo' method with a streaming/);
      assert.equal(await connection.invoke("Echo", "still here"), "still here");
    });

    test("streams come down, end, and are cancelled", async () => {
      assert.deepEqual(await items(connection, "Stream"), ["a", "b", "c"]);
      assert.deepEqual(await items(connection, "EmptyStream"), []);
      const cancelled = new Promise((received) => connection.on("StreamCanceled", received));
      const endless = connection.stream("InfiniteStream").subscribe({ next: assert.fail, error: assert.fail });
      assert.equal(await connection.invoke("Echo", "meanwhile"), "meanwhile");
      endless.dispose();
      await cancelled;
    });

    test("streams go up, and may fail", async () => {
      const letters = new Subject();
      const whole = connection.invoke("StreamingConcat", letters);
      for (const letter of ["w", "o", "r", "d"]) {
        letters.next(letter);
      }
      letters.complete();
      assert.equal(await whole, "word");
      const long = new Subject();
      const joined = connection.invoke("StreamingConcat", long);
      const numbers = Array.from({ length: 500 }, (_, at) => `${at},`);
      numbers.forEach((number) => long.next(number));
      long.complete();
      assert.equal(await joined, numbers.join(""), "more than an upload has room for");
      const broken = new Subject();
      const failing = connection.invoke("StreamingConcat", broken);
      broken.error(new Error("Something bad"));
      await assert.rejects(failing, failed("StreamingConcat", "Something bad", "HubException"));
    });

    test("bytes, dates and ids keep their types", async () => {
      const binary = protocol === "messagepack";
      const sent = {
        String: "hello, world",
        IntArray: [1, 2, 3, 255],
        ByteArray: binary ? new Uint8Array([1, 2, 3]) : "AQID",
        Guid: "00010203-0405-0607-0706-050403020100",
        DateTime: binary ? new Date(Date.UTC(2002, 3, 1, 10, 20, 15)) : "2002-04-01T10:20:15Z",
      };
      const echoed = await connection.invoke("EchoComplexObject", sent);
      const { ByteArray, ...rest } = echoed;
      const { ByteArray: expected, ...others } = sent;
      assert.deepEqual(rest, others);
      assert.deepEqual(binary ? new Uint8Array(ByteArray) : ByteArray, expected);
      const made = await connection.invoke("SendComplexObject");
      assert.deepEqual(binary ? [...made.ByteArray] : made.ByteArray, binary ? [1, 2, 3] : "AQID");
      assert.equal(new Date(made.DateTime).toISOString(), "2000-01-01T00:00:00.000Z");
      assert.deepEqual(
        [made.Guid, made.IntArray, made.String],
        ["00010203-0405-0607-0706-050403020100", [1, 2, 3], "hello world"],
      );
    });

    test("the request that opened the transport is seen", async () => {
      const other = await connect(hub.url(), { transport, protocol, headers: { "X-Test": "seen" } });
      assert.equal(await other.invoke("GetHeader", "X-Test"), "seen");
      assert.equal(await other.invoke("GetHeader", "X-Missing"), null);
      assert.equal(await other.invoke("GetCookie", "testCookie"), "testValue");
      assert.equal(await other.invoke("GetCookie", "testCookie2"), "testValue2");
      assert.equal(await other.invoke("GetCookie", "expiredCookie"), null);
      await other.stop();
    });

    test("the server asks the client for a result", async () => {
      const ask = async () => (await fetch(hub.url(`/clientresult/${connection.connectionId}`))).text();
      connection.on("Result", () => 10);
      assert.equal(await ask(), "10");
      connection.off("Result");
      assert.equal(await ask(), "Client didn't provide a result.");
      connection.on("Result", () => {
        throw new Error("thrown");
      });
      assert.match(await ask(), /thrown/);
    });

    test("a redirected negotiation leads to the hub", async () => {
      const target = `${hub.url("/redirect")}?numRedirects=0&baseUrl=${encodeURIComponent(hub.address)}`;
      const one = await connect(target, { transport, protocol });
      const before = await one.invoke("GetNumRedirects");
      await one.stop();
      const two = await connect(target, { transport, protocol });
      assert.equal(await two.invoke("GetNumRedirects"), before + 1);
      await two.stop();
    });

    test("the hub with a token refuses others by name", async () => {
      const url = hub.url("/authorizedhub");
      await assert.rejects(connect(url, { transport, protocol }), {
        message: "Failed to complete negotiation with the server: Error: Unauthorized: Status code '401'",
      });
      const accessTokenFactory = async () => (await fetch(hub.url("/generateJwtToken"))).text();
      const allowed = await connect(url, { transport, protocol, accessTokenFactory });
      assert.equal(await allowed.invoke("Echo", "hi"), "hi");
      await allowed.stop();
    });
  });
}

test("without WebSockets the client takes what is next", async () => {
  const url = hub.url("/testhub-nowebsockets");
  const connection = await connect(url, { protocol: "json" });
  assert.equal(await connection.invoke("GetActiveTransportName"), "ServerSentEvents");
  await connection.stop();
  const binary = await connect(url, { protocol: "messagepack" });
  assert.equal(await binary.invoke("GetActiveTransportName"), "LongPolling");
  await binary.stop();
  await assert.rejects(connect(url, { transport: "WebSockets", protocol: "json", skipNegotiation: true }));
});

test("a failed negotiation shows what the server says", async () => {
  await assert.rejects(connect(hub.url("/bad-negotiate"), { protocol: "json" }), /Some response from server/);
});
