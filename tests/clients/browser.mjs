// Headless Chromium: one browser, a context per user, and tabs whose errors fail the test.

import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { OUTPUT } from "./platform.mjs";

/** Where Chromium may be. */
export const CHROMIUM = [
  process.env.FANFARE_CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];
const WAIT_MS = 20_000;

export const PHONE = { width: 360, height: 740 };
export const DESKTOP = { width: 1280, height: 800 };

export class Browser {
  #browser;
  /** Errors of every tab; a test ends by finding none. */
  errors = [];

  static async launch() {
    const executablePath = CHROMIUM.find((path) => path !== undefined && existsSync(path));
    if (executablePath === undefined) {
      throw new Error("no Chromium was found: install it, or set FANFARE_CHROMIUM to its path");
    }
    const browser = new Browser();
    const args = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"];
    browser.#browser = await chromium.launch({ executablePath, args });
    return browser;
  }

  /** A person's browser: tabs of one context share what the page keeps. */
  async person({ viewport = DESKTOP, colorScheme = "light" } = {}) {
    const context = await this.#browser.newContext({
      viewport,
      colorScheme,
      reducedMotion: "reduce",
      acceptDownloads: true,
    });
    context.setDefaultTimeout(WAIT_MS);
    return context;
  }

  async open(context, address) {
    const page = await context.newPage();
    page.on("pageerror", (error) => this.errors.push(`${page.url()}: ${error.message}`));
    page.on("dialog", (dialog) => {
      this.errors.push(`a dialog opened: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on("console", (message) => {
      if (message.type() === "error" && /Content.Security.Policy|TrustedTypes|Trusted Type/i.test(message.text())) {
        this.errors.push(message.text());
      }
    });
    await page.goto(address);
    return new Tab(page);
  }

  close() {
    return this.#browser?.close();
  }
}

/** One open tab of the demo page. */
export class Tab {
  constructor(page) {
    this.page = page;
  }

  id(testid) {
    return this.page.getByTestId(testid);
  }

  async signIn(user) {
    await this.id(`user-${user}`).click();
    await this.connected();
  }

  connected() {
    return this.state("connected");
  }

  state(state) {
    return this.page.locator(`[data-testid="connection-state"][data-state="${state}"]`).waitFor();
  }

  toast(text) {
    return this.id("toast").filter({ hasText: text }).first();
  }

  activity(text) {
    return this.id("activity-item").filter({ hasText: text });
  }

  design(name) {
    return this.page.locator(`[data-testid="reports"][data-design="${name}"]`).waitFor();
  }

  flag(name, enabled) {
    return this.page.locator(`[data-testid="flag-${name}"][data-enabled="${enabled}"]`).waitFor();
  }

  /** Waits until the page's own line says this. */
  async says(text) {
    const notice = this.id("notice");
    await notice
      .filter({ hasText: text })
      .waitFor()
      .catch(async () => {
        throw new Error(`the page does not say "${text}" but "${await notice.textContent()}"`);
      });
  }

  async signOutEverywhere() {
    await this.id("user-menu").click();
    await this.id("logout").click();
  }

  /** The tab's own token, as the page keeps it. */
  token() {
    return this.page.evaluate(() => sessionStorage.getItem("fanfare.session"));
  }

  async screenshot(name, { fullPage = false } = {}) {
    const folder = join(OUTPUT, "screenshots");
    mkdirSync(folder, { recursive: true });
    await this.page.screenshot({ path: join(folder, `${name}.png`), fullPage });
  }
}
