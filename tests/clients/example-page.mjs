// The page of an example in a browser: people of their own, a phone and a desk, light and dark, and the keyboard alone.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { Browser, DESKTOP, PHONE } from "./browser.mjs";
import { cases } from "./case.mjs";
import { Example } from "./example.mjs";

export class ExamplePage {
  #name;
  #browser;
  #example;

  /** Starts the example before the tests of the file, and stops it after them; `page.check` is a test. */
  constructor(name) {
    this.#name = name;
    this.check = cases(() => this.#example);
    before(async () => {
      [this.#browser, this.#example] = await Promise.all([
        Browser.launch(),
        Example.start(name, { test: `example-${name}-page` }),
      ]);
    });
    after(async () => {
      await this.#browser?.close();
      await this.#example?.stop();
    });
  }

  /** The one node that the example runs on. */
  get node() {
    return this.#example.nodes[0];
  }

  /** A separate browser for one user. */
  person(options) {
    return this.#browser.person(options);
  }

  async open(context) {
    return this.#browser.open(context ?? (await this.person()), this.#example.page());
  }

  /** The same page from a file, with the addresses of the hub and the backend. */
  async openFile(path) {
    const query = new URLSearchParams({ hub: this.#example.nodes[0].url(""), backend: this.#example.backend("") });
    return this.#browser.open(await this.person(), `file://${path}?${query}`);
  }

  /** The browser of a signed-in user. */
  async signedIn(user, options) {
    const tab = await this.open(await this.person(options));
    await tab.id(`user-${user}`).click();
    return tab;
  }

  /**
   * The tests that every page passes: it is narrow enough for a phone, readable in light and dark, and everything is
   * reached by the keyboard, from the button of whoever stands `first`. `fill` brings the page of bob to something worth a
   * picture.
   */
  checkScreens(fill, { first = "alice" } = {}) {
    this.check("everything is reached by the keyboard", async () => {
      const tab = await this.open();
      await tab.id(`user-${first}`).waitFor();
      const focused = () => tab.page.evaluate(() => document.activeElement?.getAttribute("data-testid"));
      await tab.page.keyboard.press("Tab");
      assert.equal(await focused(), `user-${first}`);
      await tab.page.keyboard.press("Enter");
      await tab.id("sign-out").waitFor();
      for (let presses = 0; (await focused()) !== "sign-out"; presses += 1) {
        assert.ok(presses < 20, "signing out is not reached");
        await tab.page.keyboard.press("Tab");
      }
    });
    const sizes = [
      ["phone", PHONE],
      ["desktop", DESKTOP],
    ];
    for (const [size, viewport] of sizes) {
      for (const colorScheme of ["light", "dark"]) {
        this.check(`its screens fit on a ${size}, ${colorScheme}`, async () => {
          const tab = await this.open(await this.person({ viewport, colorScheme }));
          const name = (screen) => `example-${this.#name}-${size}-${colorScheme}-${screen}`;
          await tab.id("sign-in").waitFor();
          await fits(tab);
          await tab.screenshot(name("1-sign-in"));
          await tab.id("user-bob").click();
          await tab.id("sign-out").waitFor();
          await fill(tab);
          await fits(tab);
          await tab.screenshot(name("2-work"));
          await tab.page.context().close();
        });
      }
    }
    this.check("no page has told of an error", () => assert.deepEqual(this.#browser.errors, []));
  }
}

async function fits(tab) {
  const over = await tab.page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(over <= 0, `the page is ${over} px wider than the screen`);
}
