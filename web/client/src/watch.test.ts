import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConnectionState } from "./hub/end.ts";
import { Handlers } from "./handlers.ts";
import { watch } from "./watch.ts";

/** A client whose state, calls and gaps the test makes. */
function connection(state: ConnectionState = "connected") {
  const handlers = new Handlers();
  const events = new Handlers();
  return {
    state,
    on: (target: string, handler: (...args: any[]) => void) => handlers.add(target, handler),
    onState: (handler: (state: ConnectionState) => void) => events.add("state", handler),
    onGap: (handler: () => void) => events.add("gap", handler),
    tell: (target: string, ...args: unknown[]) => handlers.call(target, args),
    become(next: ConnectionState) {
      this.state = next;
      events.call("state", [next]);
    },
    gap: () => events.call("gap", []),
  };
}

/** Fetches that the test answers, and what was shown. */
function fetched() {
  const answers: ((state: string[] | Error) => void)[] = [];
  const shown: string[] = [];
  return {
    answers,
    shown,
    fetch: () =>
      new Promise<string[]>((resolve, reject) =>
        answers.push((state) => (state instanceof Error ? reject(state) : resolve(state))),
      ),
    options: {
      on: { added: (state: string[], item: string) => [...state, item] },
      show: (state: string[]) => shown.push(state.join()),
    },
  };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("what comes during the fetch is applied behind it", async () => {
  const [client, { answers, shown, fetch, options }] = [connection(), fetched()];
  watch(client, fetch, options);
  client.tell("added", "b");
  assert.deepEqual(shown, []);
  answers[0]!(["a"]);
  await settled();
  client.tell("added", "c");
  assert.deepEqual(shown, ["a,b", "a,b,c"]);
});

test("a gap fetches again, and what is shown goes on meanwhile", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const [client, { answers, shown, fetch, options }] = [connection(), fetched()];
  watch(client, fetch, options);
  answers[0]!(["a"]);
  await settled();
  client.gap();
  t.mock.timers.tick(2_000);
  assert.equal(answers.length, 2);
  client.tell("added", "c");
  answers[1]!(["a", "b"]);
  await settled();
  assert.deepEqual(shown, ["a", "a,c", "a,b,c"]);
});

test("a gap that comes before the connection is up again is filled once it is", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const [client, { answers, fetch, options }] = [connection(), fetched()];
  watch(client, fetch, options);
  answers[0]!(["a"]);
  await settled();
  client.become("reconnecting");
  client.gap();
  t.mock.timers.tick(60_000);
  assert.equal(answers.length, 1);
  client.become("connected");
  t.mock.timers.tick(2_000);
  assert.equal(answers.length, 2);
});

test("without a connection the page shows what it can fetch, and fetches again once there is one", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const [client, { answers, shown, fetch, options }] = [connection("connecting"), fetched()];
  watch(client, fetch, options);
  t.mock.timers.tick(3_000);
  answers[0]!(["old"]);
  await settled();
  assert.deepEqual(shown, ["old"]);
  client.become("connected");
  t.mock.timers.tick(2_000);
  answers[1]!(["new"]);
  await settled();
  assert.deepEqual(shown, ["old", "new"]);
  client.become("reconnecting");
  client.become("connected");
  t.mock.timers.tick(10_000);
  assert.equal(answers.length, 2, "a reconnect without a gap misses nothing");
});

test("a fetch that fails is told and tried again", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const [client, { answers, shown, fetch, options }] = [connection(), fetched()];
  const failed: unknown[] = [];
  watch(client, fetch, { ...options, failed: (error) => failed.push(error) });
  answers[0]!(new Error("503"));
  await settled();
  assert.equal(failed.length, 1);
  t.mock.timers.tick(1_000);
  answers[1]!(["a"]);
  await settled();
  assert.deepEqual(shown, ["a"]);
});

test("a fetch that is too slow for its stream is started again later, and memory is bounded", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const [client, { answers, shown, fetch, options }] = [connection(), fetched()];
  watch(client, fetch, options);
  for (let i = 0; i <= 1_000; i += 1) {
    client.tell("added", "x");
  }
  answers[0]!(["stale"]);
  await settled();
  assert.deepEqual(shown, []);
  t.mock.timers.tick(2_000);
  answers[1]!(["a"]);
  await settled();
  assert.deepEqual(shown, ["a"]);
});

test("after stop nothing is shown", async () => {
  const [client, { answers, shown, fetch, options }] = [connection(), fetched()];
  const watching = watch(client, fetch, options);
  watching.stop();
  answers[0]!(["a"]);
  await settled();
  client.tell("added", "b");
  assert.deepEqual(shown, []);
});
