import assert from "node:assert/strict";
import { test } from "node:test";
import { readExportProgress, readFeatureFlag, readLogout, readResumed, readToast } from "./notification.ts";

const NOW = 1_000;

test("a toast keeps its text as it is", () => {
  const toast = readToast(
    {
      id: "n1",
      cursor: "c1",
      severity: "warning",
      title: "<b>Hi</b>",
      message: "<img src=x onerror=alert(1)>",
      link: "https://example.org",
      at: "2026-01-02T03:04:05.678Z",
    },
    NOW,
  );
  assert.deepEqual(toast, {
    id: "n1",
    cursor: "c1",
    severity: "warning",
    title: "<b>Hi</b>",
    message: "<img src=x onerror=alert(1)>",
    link: "https://example.org",
    at: Date.UTC(2026, 0, 2, 3, 4, 5, 678),
  });
});

test("fields of a wrong type are replaced, not trusted", () => {
  const toast = readToast({ severity: "__proto__", title: { html: "x" }, message: 7, link: {}, at: "soon" }, NOW);
  assert.deepEqual(toast, {
    id: "",
    cursor: undefined,
    severity: "info",
    title: "",
    message: "",
    link: undefined,
    at: NOW,
  });
});

test("what is not an object is no notification", () => {
  for (const argument of [undefined, null, "toast", 7, [], [{}]]) {
    assert.equal(readToast(argument, NOW), undefined);
    assert.equal(readFeatureFlag(argument, NOW), undefined);
    assert.equal(readExportProgress(argument, NOW), undefined);
    assert.equal(readLogout(argument, NOW).reason, "");
  }
});

test("long texts are cut", () => {
  const toast = readToast({ title: "t".repeat(5000), message: "m".repeat(5000) }, NOW);
  assert.equal(toast?.title.length, 200);
  assert.equal(toast?.message.length, 2000);
});

test("a removed flag is never on", () => {
  const flag = readFeatureFlag({ flag: "beta", enabled: true, removed: true }, NOW);
  assert.deepEqual([flag?.enabled, flag?.removed], [false, true]);
  assert.equal(readFeatureFlag({ flag: "beta", enabled: "yes" }, NOW)?.enabled, false);
  assert.equal(readFeatureFlag({ enabled: true }, NOW), undefined);
});

test("progress stays within 0 and 100", () => {
  const percent = (value: unknown) => readExportProgress({ job_id: "j", percent: value }, NOW)?.percent;
  assert.deepEqual([percent(40), percent(-3), percent(1e9), percent("x"), percent(33.4)], [40, 0, 100, 0, 33]);
});

test("a resume goes on only where there is more, from the cursor that it names", () => {
  assert.deepEqual(readResumed({ replayed: 7, complete: true, cursor: "c" }), {
    replayed: 7,
    complete: true,
    goOnFrom: undefined,
  });
  assert.equal(readResumed({ replayed: 1000, complete: false, more: true, cursor: "c" }).goOnFrom, "c");
  for (const answer of [undefined, null, "x", { more: true }, { more: true, cursor: "" }]) {
    assert.deepEqual(readResumed(answer), { replayed: 0, complete: false, goOnFrom: undefined });
  }
});
