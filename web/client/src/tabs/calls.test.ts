import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionLost } from "../hub/end.ts";
import { Calls } from "./calls.ts";
import type { Group, Request } from "./message.ts";

const ping: Request = { do: "invoke", method: "Ping", args: [] };
const group: Group = { key: "k", method: "Join", args: ["1"], leave: undefined };

function carried() {
  const calls: number[] = [];
  return { calls, carry: (n: number) => void calls.push(n) };
}

test("a call waits for a connection and gets its answer", async () => {
  const calls = new Calls();
  const answer = calls.make(ping);
  const { calls: sent, carry } = carried();
  calls.carryBy(carry);
  assert.deepEqual(sent, [1]);
  calls.taken(1);
  calls.answered(1, { ok: true, value: 7 });
  assert.equal(await answer, 7);
});

test("an error of the hub is the caller's", async () => {
  const calls = new Calls();
  calls.carryBy(() => undefined);
  const answer = calls.make(ping);
  calls.answered(1, { ok: false, error: "Access denied", isLost: false });
  await assert.rejects(answer, /^Error: Access denied$/);
});

test("a call that nobody took is carried to the next, one that was taken fails by name, a join is made again", async () => {
  const calls = new Calls();
  calls.carryBy(() => undefined);
  const [taken, untaken, join] = [calls.make(ping), calls.make(ping), calls.make({ do: "join", group })];
  calls.taken(1);
  calls.taken(3);
  const lost = assert.rejects(taken, ConnectionLost);
  const next = carried();
  calls.carryBy(next.carry);
  await lost;
  assert.deepEqual(next.calls, [2, 3]);
  [2, 3].forEach((n) => calls.answered(n, { ok: true, value: n }));
  assert.deepEqual(await Promise.all([untaken, join]), [2, 3]);
});

test("a call that is not taken is given up after a while, one that runs is not", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const calls = new Calls(1_000);
  calls.carryBy(() => undefined);
  const [waits, runs] = [calls.make(ping), calls.make(ping)];
  calls.taken(2);
  const lost = assert.rejects(waits, /no connection for 1 s/);
  t.mock.timers.tick(1_000);
  await lost;
  calls.answered(2, { ok: true, value: "late" });
  assert.equal(await runs, "late");
});

test("no more than a bound wait, and all fail once the client is closed", async () => {
  const calls = new Calls();
  const waiting = Array.from({ length: 100 }, () => calls.make(ping));
  await assert.rejects(calls.make(ping), /100 calls/);
  const all = Promise.all(waiting.map((one) => assert.rejects(one, ConnectionLost)));
  calls.close();
  await all;
});

test("what cannot be copied to another tab fails at once", async () => {
  const calls = new Calls();
  calls.carryBy((_, request) => void structuredClone(request));
  await assert.rejects(calls.make({ do: "invoke", method: "Ping", args: [() => 1] }), /could not be cloned/);
});
