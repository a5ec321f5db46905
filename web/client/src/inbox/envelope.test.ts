import assert from "node:assert/strict";
import { test } from "node:test";
import { envelopeOf } from "./envelope.ts";

const ID = "abcdefghij-_ABCDEFGH";
const CURSOR = "-c3ucM8YhoSmtBQg5QFm6CDW1Nu8zvfvAMgegP_K-9OiNAABAAE";

test("the id and the cursor of a notification are read", () => {
  assert.deepEqual(envelopeOf([{ id: ID, cursor: CURSOR, title: "x" }]), { id: ID, cursor: CURSOR });
});

test("the id of a thing is not that of a notification, so its second change is no duplicate", () => {
  for (const id of ["42", 42, "8f14e45f-ceea-467f-9575-2f0f2a4b1c11", "", null, { of: "x" }]) {
    assert.equal(envelopeOf([{ id, cursor: CURSOR }]).id, undefined);
  }
});

test("arguments of any shape have no envelope", () => {
  for (const args of [[], ["42"], [null], [[ID]], [7, { id: ID, cursor: CURSOR }], [{ cursor: "page-2" }]]) {
    assert.equal(envelopeOf(args).cursor, undefined);
  }
});
