import assert from "node:assert/strict";
import { test } from "node:test";
import type { FeatureFlag } from "../connection/notification.ts";
import { readStatus } from "../services/export.ts";
import { readFlags } from "../services/license.ts";
import { Activity } from "./activity.ts";
import { Flags } from "./flags.ts";
import { Jobs } from "./jobs.ts";

let serial = 0;
function flag(name: string, enabled: boolean, at = 1, removed = false): FeatureFlag {
  serial += 1;
  return { id: `n${serial}`, cursor: undefined, at, flag: name, enabled, removed };
}

test("a pushed flag says what it changed", () => {
  const flags = new Flags();
  assert.equal(flags.push(flag("a", true), false), "added");
  assert.equal(flags.push(flag("a", true), false), "same");
  assert.equal(flags.push(flag("a", false), false), "changed");
  assert.equal(flags.push(flag("a", false, 1, true), false), "removed");
  assert.equal(flags.push(flag("a", false, 1, true), false), "same");
  assert.deepEqual(flags.list(), []);
});

test("a flag that is pushed while the list is fetched wins over the list", () => {
  const flags = new Flags();
  flags.refetching();
  flags.push(flag("a", true), false);
  flags.push(flag("gone", false, 1, true), false);
  flags.refetched([
    { name: "a", enabled: false },
    { name: "b", enabled: true },
    { name: "gone", enabled: true },
  ]);
  assert.deepEqual(flags.list(), [
    { name: "a", enabled: true },
    { name: "b", enabled: true },
  ]);
});

test("a refetch drops what the service no longer has", () => {
  const flags = new Flags();
  flags.push(flag("a", true), false);
  flags.refetching();
  flags.refetched([]);
  assert.equal(flags.isOn("a"), false);
  assert.deepEqual(flags.list(), []);
});

test("a replayed older value does not undo the retained newest one", () => {
  const flags = new Flags();
  flags.push(flag("a", false, 20), true); // retained at connect
  flags.push(flag("a", true, 10), true); // replayed
  assert.equal(flags.isOn("a"), false);
  flags.push(flag("a", true, 15), false); // live: the stream's order decides, not a clock
  assert.equal(flags.isOn("a"), true);
});

test("jobs move forward only and are bounded", () => {
  const jobs = new Jobs();
  const step = (job: string, percent: number) =>
    jobs.progress({ id: "", cursor: undefined, at: 0, job, percent, stage: "rows" });
  jobs.started("j1");
  step("j1", 40);
  step("j1", 20);
  assert.equal(jobs.list()[0]?.percent, 40);
  jobs.ended("j1", { status: "done" });
  step("j1", 60);
  assert.deepEqual([jobs.list()[0]?.status, jobs.list()[0]?.percent], ["done", 100]);
  for (let n = 2; n < 30; n += 1) {
    step(`j${n}`, 1);
  }
  assert.equal(jobs.list().length, 6);
  assert.equal(jobs.list()[0]?.id, "j29");
});

test("a failed job keeps where it stopped and why", () => {
  const jobs = new Jobs();
  jobs.started("j1");
  jobs.ended("j1", { status: "failed", reason: "no rows" });
  assert.deepEqual([jobs.list()[0]?.status, jobs.list()[0]?.reason], ["failed", "no rows"]);
  assert.deepEqual(jobs.running(), []);
});

test("the service's answers are read with care", () => {
  const flags = [{ flag: "a", enabled: true }, { flag: 7 }, null];
  assert.deepEqual(readFlags({ org: "acme", flags }), [{ name: "a", enabled: true }]);
  assert.throws(() => readFlags(undefined));
  assert.throws(() => readFlags([]));
  assert.equal(readStatus({ status: "completed" }).status, "done");
  assert.equal(readStatus({ status: "failed", reason: "x" }).reason, "x");
  assert.equal(readStatus({ status: "queued" }).status, "running");
  assert.equal(readStatus(null).status, "running");
});

test("the history survives a reload of the same session alone", () => {
  const values = new Map<string, string>();
  const shelf = {
    getItem: (key: string) => values.get(key) ?? null,
    setItem: (key: string, value: string) => void values.set(key, value),
    removeItem: (key: string) => void values.delete(key),
  };
  const item = { kind: "toast", severity: "info", title: "", message: "", link: undefined, at: 0 } as const;
  const activity = new Activity(shelf, "alice");
  for (let n = 0; n < 80; n += 1) {
    activity.add({ ...item, title: `n${n}` });
  }
  assert.equal(new Activity(shelf, "alice").list()[0]?.title, "n79");
  assert.equal(new Activity(shelf, "alice").list().length, 50);
  assert.deepEqual(new Activity(shelf, "bob").list(), []);
  Activity.forget(shelf);
  assert.equal(values.size, 0);
  values.set("fanfare.activity", "{");
  assert.deepEqual(new Activity(shelf, "alice").list(), []);
});
