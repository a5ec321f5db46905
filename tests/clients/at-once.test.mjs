// An honest page that opens or returns makes its calls at once: they wait in order, and none is refused or lost.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import EventSource from "eventsource";
import { setTimeout as sleep } from "node:timers/promises";
import { cases } from "./case.mjs";
import { FanfareNode } from "./fanfare-node.mjs";

const TRANSPORTS = ["WebSockets", "ServerSentEvents", "LongPolling"];
const CALLS = 100;
const LISTS = 90;
const END_MS = 20_000;
const METHODS = `method.JoinList = { arguments = ["listId"], allow = true, join = "list:{listId}" }
method.ToList = { arguments = ["listId"], allow = true, publish = { event = "system.Alert", fields = { org = "{org}", user = "{user}", title = "{listId}", message = "m" } } }`;

let node;
const open = [];
const check = cases(() => ({ logs: (since) => node?.log(since) }));

before(async () => {
  node = await FanfareNode.start("at-once", { hub: METHODS });
});
after(async () => {
  await Promise.all(open.map((connection) => connection.stop()));
  await node?.end();
});

async function connect(transport, user) {
  const token = node.token(user);
  const connection = new HubConnectionBuilder()
    .withUrl(node.hub(), { transport: HttpTransportType[transport], accessTokenFactory: () => token, EventSource })
    .configureLogging(LogLevel.None)
    .build();
  await connection.start();
  open.push(connection);
  return connection;
}

for (const transport of TRANSPORTS) {
  check(`${transport}: ${CALLS} invocations at once are all answered`, async () => {
    const connection = await connect(transport, `invokes-${transport}`);
    const answers = await Promise.allSettled(Array.from({ length: CALLS }, () => connection.invoke("Cursor")));
    const refused = answers.filter((answer) => answer.status === "rejected").map((answer) => answer.reason.message);
    assert.equal(refused.length, 0, refused[0]);
  });

  check(`${transport}: ${LISTS} sends at once all have their effect, in order`, async () => {
    const connection = await connect(transport, `sends-${transport}`);
    const told = [];
    connection.on("toast", (toast) => told.push(toast.title));
    const lists = Array.from({ length: LISTS }, (_, list) => String(list));
    await Promise.all(lists.map((list) => connection.send("ToList", list)));
    const deadline = Date.now() + END_MS;
    while (told.length < LISTS && Date.now() < deadline) {
      await sleep(20);
    }
    assert.deepEqual(told, lists);
  });
}
