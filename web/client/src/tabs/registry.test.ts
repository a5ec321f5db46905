import assert from "node:assert/strict";
import { test } from "node:test";
import { Registry, groupKey } from "./registry.ts";

const list = (id: string) => ({ key: groupKey("JoinList", [id]), method: "JoinList", args: [id], leave: "LeaveList" });

test("a group is left once no tab wants it any more", () => {
  const registry = new Registry();
  registry.add("one", list("7"));
  registry.add("two", list("7"));
  registry.add("two", list("7"));
  assert.equal(registry.remove("one", list("7").key), undefined);
  assert.equal(registry.remove("stranger", list("7").key), undefined);
  assert.deepEqual(registry.remove("two", list("7").key)?.leave, "LeaveList");
  assert.deepEqual(registry.all(), []);
});

test("the next tab goes on with what the last one knew", () => {
  const [last, next] = [new Registry(), new Registry()];
  last.add("one", list("7"));
  last.add("two", list("8"));
  next.replace(structuredClone(last.all()));
  assert.deepEqual([...next.tabs()], ["one", "two"]);
  assert.deepEqual(next.keysOf("two"), [list("8").key]);
  assert.ok(next.has("one", list("7").key) && !next.has("one", list("8").key));
});

test("methods are compared without regard to case, arguments as they are", () => {
  assert.equal(groupKey("JoinList", ["A"]), groupKey("joinlist", ["A"]));
  assert.notEqual(groupKey("JoinList", ["A"]), groupKey("JoinList", ["a"]));
  assert.notEqual(groupKey("Join", ["1", "2"]), groupKey("Join", ["1,2"]));
});

test("there is a bound", () => {
  const registry = new Registry();
  for (let i = 0; i < 1_000; i += 1) {
    registry.add("one", list(String(i)));
  }
  assert.throws(() => registry.add("one", list("more")), /1000 groups/);
  registry.add("two", list("7"));
});
