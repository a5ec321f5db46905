import assert from "node:assert/strict";
import { test } from "node:test";
import { safeLink } from "./links.ts";

const bases = { page: "http://127.0.0.1:8080", exports: "http://127.0.0.1:8083" };
const judge = (raw: unknown) => safeLink(raw, bases);

test("http and https links are kept", () => {
  assert.deepEqual(judge("https://example.org/a?b=c#d"), {
    href: "https://example.org/a?b=c#d",
    kind: "elsewhere",
  });
  assert.equal(judge("http://example.org")?.href, "http://example.org/");
  assert.equal(judge("HTTPS://example.org")?.kind, "elsewhere");
});

test("relative links belong to the page", () => {
  for (const [raw, href] of [
    ["/reports/7", "http://127.0.0.1:8080/reports/7"],
    ["reports/7", "http://127.0.0.1:8080/reports/7"],
    ["?tab=2", "http://127.0.0.1:8080/?tab=2"],
    ["#here", "http://127.0.0.1:8080/#here"],
    ["/a?next=https://example.org", "http://127.0.0.1:8080/a?next=https://example.org"],
  ]) {
    assert.deepEqual(judge(raw), { href, kind: "page" });
  }
});

test("script payloads and other schemes are refused", () => {
  for (const raw of [
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    " javascript:alert(1)",
    "java\nscript:alert(1)",
    "java\tscript:alert(1)",
    "\u0000javascript:alert(1)",
    "\u00a0javascript:alert(1)",
    "javascript://example.org/%0aalert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    "blob:http://127.0.0.1:8080/0",
    "file:///etc/passwd",
    "mailto:a@example.org",
    "view-source:https://example.org",
  ]) {
    assert.equal(judge(raw), undefined, raw);
  }
});

test("links that only look relative or local are refused", () => {
  for (const raw of [
    "//evil.example/x",
    "///evil.example/x",
    "\\\\evil.example",
    "/\\evil.example",
    "/\t/evil.example",
    "https://user:secret@example.org/",
    "https://user@example.org/",
    "http://",
    "https://[",
  ]) {
    assert.equal(judge(raw), undefined, raw);
  }
});

test("what is not a short string is refused", () => {
  for (const raw of [undefined, null, 7, {}, [], "", `https://example.org/${"a".repeat(3000)}`]) {
    assert.equal(judge(raw), undefined);
  }
});

test("an export download is fetched from the export service", () => {
  const expected = { href: "http://127.0.0.1:8083/exports/j-1/download", kind: "download" };
  assert.deepEqual(judge("/exports/j-1/download"), expected);
  assert.deepEqual(judge("http://127.0.0.1:8083/exports/j-1/download"), expected);
});

test("a path like a download on another host never gets the token", () => {
  assert.deepEqual(judge("https://evil.example/exports/j-1/download"), {
    href: "https://evil.example/exports/j-1/download",
    kind: "elsewhere",
  });
  assert.equal(judge("/exports/../secrets/download")?.kind, "page");
  assert.equal(judge("/exports/a/b/download")?.kind, "page");
});
