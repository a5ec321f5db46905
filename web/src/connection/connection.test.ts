import assert from "node:assert/strict";
import { test } from "node:test";
import { CursorTracker } from "./cursor.ts";
import { isRefused, retryDelay } from "./retry.ts";
import { Seen } from "./seen.ts";

test("a drop resumes from the last cursor", () => {
  const cursor = new CursorTracker();
  cursor.received("c1");
  cursor.received(undefined);
  cursor.received("c2");
  assert.equal(cursor.resumeFrom, undefined);
  cursor.lost();
  assert.equal(cursor.resumeFrom, "c2");
});

test("what arrives live before the replay does not move the place to resume from", () => {
  const cursor = new CursorTracker();
  cursor.received("c2");
  cursor.lost();
  cursor.received("c9");
  cursor.lost(); // dropped again before the replay was done
  assert.equal(cursor.resumeFrom, "c2");
  assert.equal(cursor.position, "c2");
  cursor.received("c3");
  cursor.resumed();
  assert.equal(cursor.resumeFrom, undefined);
  assert.equal(cursor.position, "c3");
});

test("a reload resumes, and keeps its place if nothing was missed", () => {
  const cursor = new CursorTracker("c5");
  assert.equal(cursor.resumeFrom, "c5");
  cursor.resumed();
  assert.equal(cursor.position, "c5");
});

test("an unknown cursor is given up", () => {
  const cursor = new CursorTracker("old");
  cursor.forgotten();
  assert.equal(cursor.position, undefined);
});

test("a notification is new once, and the memory is bounded", () => {
  const seen = new Seen(2);
  assert.deepEqual([seen.first("a"), seen.first("a"), seen.first("b"), seen.first("c")], [true, false, true, true]);
  assert.equal(seen.first("b"), false);
  assert.equal(seen.first("a"), true, "the oldest id has left");
  assert.deepEqual([seen.first(""), seen.first("")], [true, true]);
});

test("waits grow, stay below 15 s and are spread", () => {
  assert.equal(
    retryDelay(0, () => 0),
    0,
  );
  assert.equal(
    retryDelay(0, () => 1),
    1_000,
  );
  assert.equal(
    retryDelay(2, () => 0),
    2_000,
  );
  for (let attempt = 0; attempt < 2_000; attempt += 1) {
    assert.ok(retryDelay(attempt) <= 15_000);
  }
  assert.notEqual(
    retryDelay(5, () => 0.1),
    retryDelay(5, () => 0.9),
  );
});

test("only a refused token ends the tries", () => {
  const refused = "Failed to complete negotiation with the server: Error: Unauthorized: Status code '401'";
  assert.ok(isRefused(new Error(refused)));
  assert.ok(!isRefused(new Error("Failed to fetch")));
  assert.ok(!isRefused(undefined));
});
