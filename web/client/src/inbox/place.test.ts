import assert from "node:assert/strict";
import { test } from "node:test";
import { Place } from "./place.ts";

function shelf() {
  const kept = new Map<string, string>();
  return {
    kept,
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => void kept.set(key, value),
    removeItem: (key: string) => void kept.delete(key),
  };
}

test("a place is found again, and a burst costs one write", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const kept = shelf();
  const place = new Place(kept, "k");
  place.save(() => ({ cursor: "1", ids: [] }));
  place.save(() => ({ cursor: "2", ids: ["a"] }));
  assert.equal(kept.kept.size, 0);
  t.mock.timers.tick(100);
  assert.deepEqual(new Place(kept, "k").load(), { cursor: "2", ids: ["a"] });
});

test("what is no place is none, and a broken storage stops nothing", () => {
  const kept = shelf();
  for (const text of ["", "{", "null", "{}", '{"cursor":7,"ids":[]}', '{"cursor":"","ids":[]}']) {
    kept.kept.set("k", text);
    assert.equal(new Place(kept, "k").load(), undefined, text);
  }
  const fails = () => {
    throw new Error("full");
  };
  const place = new Place({ getItem: fails, setItem: fails, removeItem: fails }, "k");
  place.save(() => ({ cursor: "1", ids: [] }));
  place.flush();
  place.forget();
  assert.equal(place.load(), undefined);
  assert.equal(new Place(undefined, "k").load(), undefined);
});
