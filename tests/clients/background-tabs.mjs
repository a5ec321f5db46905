// Chromium as a user has it: one window, whose background tabs are hidden and may be frozen. Playwright's own contexts
// keep every tab visible.

import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { CHROMIUM } from "./browser.mjs";
import { OUTPUT } from "./platform.mjs";
import { ServiceProcess } from "./service-process.mjs";

const ARGUMENTS = [
  "--headless=new",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-background-networking",
  "--no-first-run",
  "--remote-debugging-port=0",
  // Each tab has its own renderer, so that one can crash without the others.
  "--renderer-process-limit=100",
];

export class BackgroundTabs {
  #folder = mkdtempSync(join(tmpdir(), "fanfare-chromium-"));
  #process;
  #browser;

  static async launch(name) {
    const binary = CHROMIUM.find((path) => path !== undefined && existsSync(path));
    if (binary === undefined) {
      throw new Error("no Chromium was found: install it, or set FANFARE_CHROMIUM to its path");
    }
    const tabs = new BackgroundTabs();
    const logs = join(OUTPUT, "logs");
    mkdirSync(logs, { recursive: true });
    const args = [...ARGUMENTS, `--user-data-dir=${tabs.#folder}`, "about:blank"];
    const logFile = join(logs, `${name}-chromium.log`);
    tabs.#process = new ServiceProcess("chromium", binary, args, { logFile, cwd: tabs.#folder });
    await tabs.#process.says("DevTools listening on ws://");
    const [address] = tabs.#process.log().match(/ws:\/\/\S+/);
    tabs.#browser = await chromium.connectOverCDP(address, { noDefaults: true });
    return tabs;
  }

  /** The tabs of this browser share what a page keeps. */
  get context() {
    return this.#browser.contexts()[0];
  }

  async close() {
    await this.#browser?.close();
    await this.#process?.stop();
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
