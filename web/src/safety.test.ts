import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

// Everything received is rendered as text. These are the ways around that; none may be used.
const FORBIDDEN: readonly [RegExp, string][] = [
  [/\b(inner|outer)HTML\b/, "HTML from a string"],
  [/\binsertAdjacentHTML\b|\bsetHTML(Unsafe)?\b|\bparseHTMLUnsafe\b/, "HTML from a string"],
  [/\bDOMParser\b|\bcreateContextualFragment\b/, "HTML from a string"],
  [/\bdocument\.write(ln)?\b/, "HTML from a string"],
  [/\beval\s*\(|\bnew Function\b/, "code from a string"],
  [/\bset(Timeout|Interval)\s*\(\s*["'`]/, "code from a string"],
  [/\bsrcdoc\b|\bjavascript:/i, "a document or code in an attribute"],
  [/setAttribute\(\s*["'`](on|style)/, "an inline handler or style"],
  [/\.cssText\b/, "an inline style"],
];

const root = process.cwd();

function files(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? files(path) : [path];
  });
}

test("no source turns received text into markup or code", () => {
  const sources = files(join(root, "src")).filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"));
  assert.ok(sources.length > 20, "the sources were found");
  for (const path of sources) {
    const text = readFileSync(path, "utf8");
    for (const [pattern, what] of FORBIDDEN) {
      assert.ok(!pattern.test(text), `${path}: ${what} (${pattern})`);
    }
  }
});

test("a strict Content-Security-Policy fits the page: nothing inline, nothing from elsewhere", () => {
  const html = readFileSync(join(root, "index.html"), "utf8");
  assert.ok(!/<style|\sstyle=|\son[a-z]+=/i.test(html));
  assert.ok(!/<script(?![^>]*\ssrc=)/i.test(html));
  for (const path of [join(root, "index.html"), ...files(join(root, "src", "styles"))]) {
    const text = readFileSync(path, "utf8");
    assert.ok(!/(https?:)?\/\/[a-z0-9.-]+\.[a-z]/i.test(text), `${path} names another host`);
    assert.ok(!/@import|url\(/i.test(text), `${path} loads something`);
  }
});
