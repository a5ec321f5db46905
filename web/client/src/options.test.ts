import assert from "node:assert/strict";
import { test } from "node:test";
import { checkOptions, settingsOf } from "./options.ts";

const BASE = "https://app.example.org/home";

test("users, hubs and their queries have locks and channels apart", () => {
  const keys = [
    settingsOf({ hub: "/hubs/a", user: "alice" }, BASE),
    settingsOf({ hub: "/hubs/a", user: "bob" }, BASE),
    settingsOf({ hub: "/hubs/b", user: "alice" }, BASE),
    settingsOf({ hub: "/hubs/a?org=acme", user: "alice" }, BASE),
    settingsOf({ hub: '/hubs/a","alice' }, BASE),
  ].map(({ key }) => key);
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(settingsOf({ hub: "https://app.example.org/hubs/a#x", user: "alice" }, BASE).key, keys[0]);
});

test("without a user nothing is shared", () => {
  assert.equal(settingsOf({ hub: "/hubs/a" }, BASE).isShared, false);
  assert.equal(settingsOf({ hub: "/hubs/a", user: "alice" }, BASE).isShared, true);
});

test("a token in the address, an unknown option or no user is refused by name", () => {
  assert.throws(() => settingsOf({ hub: "/hubs/a?Access_Token=x" }, BASE), /must not hold a token: pass it as accessToken/);
  assert.throws(() => checkOptions({ hub: "/hubs/a", token: "x" } as never), /token is no option .* accessToken/);
  assert.throws(() => checkOptions({ hub: "/hubs/a", user: "" }), /user must be/);
  assert.throws(() => settingsOf({ hub: "/hubs/a" }, undefined), /hub must be the address/);
});

test("keys of retained targets are read without regard to case", () => {
  const { keyOf } = settingsOf({ hub: "/h", retained: { featureFlag: ({ flag }) => flag, count: () => undefined } }, BASE);
  assert.equal(keyOf("FeatureFlag", [{ flag: "dark" }]), "dark");
  assert.deepEqual([keyOf("count", [1]), keyOf("toast", [{ flag: "dark" }])], [undefined, undefined]);
});
