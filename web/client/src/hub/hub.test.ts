import assert from "node:assert/strict";
import { test } from "node:test";
import { JsonHubProtocol, MessageType, NullLogger } from "@microsoft/signalr";
import { EVERYTHING, EveryTarget } from "./protocol.ts";
import { readResumed } from "./resume.ts";
import { refusalOf, retryDelay } from "./retry.ts";

test("every target reaches one handler, and all else of the protocol is as it was", () => {
  const inner = new JsonHubProtocol();
  const messages = [
    { type: MessageType.Invocation, target: "itemAdded", arguments: [{ a: 1 }, "b"] },
    { type: MessageType.Invocation, target: "ask", arguments: [], invocationId: "s1" },
    { type: MessageType.Completion, invocationId: "0", result: 7 },
    { type: MessageType.Ping },
  ] as const;
  const text = messages.map((message) => inner.writeMessage(message as never)).join("");
  const [call, asked, answer, ping] = new EveryTarget().parseMessages(text, NullLogger.instance);
  assert.deepEqual(call, {
    ...messages[0],
    target: EVERYTHING,
    arguments: ["itemAdded", Math.ceil(text.length / 4), { a: 1 }, "b"],
  });
  assert.deepEqual([asked, answer, ping], messages.slice(1));
});

test("waits grow to 15 s and are never the same for two tabs", () => {
  const longest = (attempt: number) => retryDelay(attempt, () => 1);
  const shortest = (attempt: number) => retryDelay(attempt, () => 0);
  assert.deepEqual([0, 1, 2, 3, 4, 50].map(longest), [1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
  assert.deepEqual([0, 1, 50].map(shortest), [0, 1_000, 7_500]);
});

test("401 and 403 are told from what passes by itself", () => {
  const negotiation = (status: string) =>
    new Error(`Failed to complete negotiation with the server: Error: x: Status code '${status}'`);
  assert.deepEqual(
    ["401", "403", "404", "429", "503"].map((status) => refusalOf(negotiation(status))),
    ["logged-out", "forbidden", undefined, undefined, undefined],
  );
  assert.equal(refusalOf(new Error("WebSocket closed with status code: 1006")), undefined);
  assert.equal(refusalOf(undefined), undefined);
});

test("a resume goes on only where there is more and a cursor", () => {
  assert.deepEqual(readResumed({ replayed: 3, complete: true, cursor: "c" }), { complete: true, more: false, cursor: "c" });
  assert.deepEqual(readResumed({ complete: false, more: true, cursor: "c" }), { complete: false, more: true, cursor: "c" });
  for (const answer of [undefined, null, "x", { more: true }, { more: true, cursor: "" }]) {
    assert.deepEqual(readResumed(answer), { complete: false, more: false, cursor: undefined });
  }
});
