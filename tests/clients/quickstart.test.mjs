// docs/quickstart.md to the letter: its commands in an empty folder, its page in Chromium.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { Browser, PHONE } from "./browser.mjs";
import { BINARIES, OUTPUT, freePorts } from "./platform.mjs";

const run = promisify(execFile);
const DOCUMENT = readFileSync(resolve(import.meta.dirname, "../../docs/quickstart.md"), "utf8");
const blocks = (language) => [...DOCUMENT.matchAll(new RegExp(`\`\`\`${language}\n(.*?)\`\`\``, "gs"))].map((it) => it[1]);
const [BEGIN, SERVE, OPEN, PUBLISH] = blocks("sh");
const [VERSIONS] = blocks("toml");

const folder = mkdtempSync(join(tmpdir(), "fanfare-quickstart-"));
const notes = join(folder, "notes");
let port, admin, node, browser;

before(async () => {
  [[port, admin], browser] = await Promise.all([freePorts(2), Browser.launch()]);
});
after(async () => {
  await browser?.close();
  await stop();
  rmSync(folder, { recursive: true, force: true });
});

/** The commands of a block, with free ports. */
async function shell(commands, cwd = notes) {
  const env = { ...process.env, PATH: `${BINARIES}${delimiter}${process.env.PATH}` };
  const { stdout } = await run("bash", ["-euc", commands.replaceAll("8080", port)], { cwd, env });
  return stdout.trim();
}

async function serve() {
  node = spawn(join(BINARIES, "fanfare"), SERVE.trim().split(" ").slice(1), { cwd: notes, stdio: "ignore" });
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await sleep(50)) {
    const answer = await fetch(`http://127.0.0.1:${admin}/readyz`).catch(() => undefined);
    if (answer?.status === 200) {
      return;
    }
  }
  throw new Error("the node is not ready");
}

async function stop() {
  if (node !== undefined) {
    const ended = new Promise((resolve) => node.once("close", resolve));
    node.kill("SIGTERM");
    await ended;
    node = undefined;
  }
}

const edit = (name, change) => writeFileSync(join(notes, name), change(readFileSync(join(notes, name), "utf8")));
const says = (tab, text) => tab.page.locator("#state", { hasText: text }).waitFor();
const shows = (tab, text) => tab.page.locator("#notes li", { hasText: text }).waitFor();

test("the quickstart works as it is written", { timeout: 120_000 }, async () => {
  assert.match(await shell(BEGIN, folder), /notes\.NoteAdded: note-added sends NoteAdded .* is sound/s);
  edit("fanfare.toml", (text) => text.replace("8080", port).replace("9090", admin));
  await serve();
  const address = await shell(OPEN);
  const person = await browser.person();
  const [one, two] = [await browser.open(person, address), await browser.open(person, address)];
  const abroad = await browser.open(await browser.person({ viewport: PHONE }), await shell(OPEN.replace("acme", "globex")));
  for (const tab of [one, two, abroad]) {
    await says(tab, "connected");
  }
  await shell(PUBLISH);
  await Promise.all([shows(one, "bob: Hello"), shows(two, "bob: Hello")]);
  mkdirSync(join(OUTPUT, "screenshots"), { recursive: true });
  await one.page.screenshot({ path: join(OUTPUT, "screenshots/quickstart.png") });

  // Another version of the event, while the stored events were written with the first.
  await stop();
  await Promise.all([says(one, "reconnecting"), says(two, "reconnecting")]);
  edit("routes.toml", (text) => text.replace(/\[event\."notes\.NoteAdded"\]\n.*\n/, VERSIONS));
  await serve();
  await shell(PUBLISH.replace("Hello", "Again").replace('"}', '", "link": "https://example.org"}'));
  for (const tab of [one, two]) {
    await shows(tab, "bob: Again");
    await says(tab, "connected");
    assert.equal(await tab.page.locator("#notes li").count(), 2, "nothing twice, nothing lost");
  }
  assert.equal(await abroad.page.locator("#notes li").count(), 0, "another org hears nothing");
  assert.deepEqual(browser.errors, []);
});

test("what is there is never overwritten", async () => {
  const before = readFileSync(join(notes, "routes.toml"), "utf8");
  const refused = await shell("fanfare init .").catch((error) => error);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /fanfare\.toml is there already; nothing was written/);
  assert.equal(readFileSync(join(notes, "routes.toml"), "utf8"), before);
});
