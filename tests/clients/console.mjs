// The operator's console in a tab: its parts by what they are called, and bearers of all kinds.

import { createHmac } from "node:crypto";
import { DESKTOP } from "./browser.mjs";
import { SECRET } from "./fanfare-node.mjs";

/** A bearer whose time was over so many seconds ago, sealed as the nodes do. */
export function expired(seconds, secret = SECRET) {
  const payload = Buffer.alloc(9);
  payload.writeBigInt64BE(BigInt(Math.floor(Date.now() / 1000) - seconds));
  const tag = createHmac("sha256", secret).update("fanfare operator 1").update(payload).digest().subarray(0, 16);
  return Buffer.concat([tag, payload]).toString("base64url");
}

export class Console {
  constructor(tab) {
    this.tab = tab;
    this.page = tab.page;
  }

  /** The console of a node in a browser of somebody's own. */
  static async open(browser, node, { viewport = DESKTOP, colorScheme = "light", context } = {}) {
    const person = context ?? (await browser.person({ viewport, colorScheme }));
    const console = new Console(await browser.open(person, node.console));
    await console.page.locator("#enter, #inside").filter({ visible: true }).first().waitFor();
    return console;
  }

  /** One that a bearer has let in, which has looked at least once. */
  static async signedIn(browser, node, flags = ["--read-only", "--minutes", "30"], options = {}) {
    const console = await Console.open(browser, node, options);
    await console.enter(await node.operator(...flags));
    await console.inside();
    return console;
  }

  async enter(token) {
    await this.page.getByLabel("Token of an operator").fill(token);
    await this.page.getByRole("button", { name: "Look", exact: true }).click();
  }

  async inside() {
    await this.page.locator("#inside").waitFor();
    await this.page.locator("#nodes .card").first().waitFor();
  }

  /** Waits until a part shows this. */
  async says(selector, text) {
    const part = this.page.locator(selector);
    const told = part.filter({ hasText: text });
    await told.first().waitFor().catch(async () => {
      throw new Error(`${selector} does not say ${text} but: ${(await part.allTextContents()).join(" | ")}`);
    });
  }

  /** The card with this title. */
  card(place, title) {
    return this.page.locator(`#${place} .card`).filter({ has: this.page.getByRole("heading", { name: title, exact: true }) });
  }

  async find(by, value) {
    await this.page.getByLabel("What to look for").selectOption(by);
    await this.page.getByLabel("Which one").fill(value);
    await this.page.getByRole("button", { name: "Find" }).click();
  }

  button(name) {
    return this.page.getByRole("button", { name, exact: true });
  }

  close() {
    return this.page.context().close();
  }
}
