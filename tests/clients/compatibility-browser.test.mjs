// The official client in headless Chromium, on a page of another origin than the hubs.

import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { Browser } from "./browser.mjs";
import { COMBINATIONS_OF_JAVASCRIPT } from "./combinations.mjs";
import { matrix } from "./compatibility/matrix.mjs";
import { Tab } from "./compatibility/tab.mjs";
import { VERSION } from "@microsoft/signalr";

const PACKAGES = join(import.meta.dirname, "node_modules/@microsoft");
const PAGE = `<!doctype html><meta charset=utf-8><title>clients</title>
<script src=/signalr.js></script><script src=/msgpack.js></script>`;
const FILES = {
  "/": ["text/html", () => PAGE],
  "/signalr.js": ["text/javascript", () => readFileSync(join(PACKAGES, "signalr/dist/browser/signalr.js"))],
  "/msgpack.js": [
    "text/javascript",
    () => readFileSync(join(PACKAGES, "signalr-protocol-msgpack/dist/browser/signalr-protocol-msgpack.js")),
  ],
  "/official.mjs": ["text/javascript", () => readFileSync(join(import.meta.dirname, "compatibility/official.mjs"))],
};

let server, browser, page;
const tabs = [];

class BrowserTab extends Tab {
  /** The place of the tab in the page and here. */
  id = tabs.push(this) - 1;

  static async connect({ token, ...options }) {
    const tab = new BrowserTab();
    tab.token = token;
    const failed = await page.evaluate(
      async ({ id, options, hasToken }) => {
        const { open } = await import("/official.mjs");
        const token = hasToken ? () => window.tokenOf(id) : undefined;
        const report = (event) => window.report(id, event);
        const modules = { signalR: window.signalR, msgpack: window.signalR.protocols.msgpack };
        window.tabs ??= {};
        try {
          window.tabs[id] = await open({ ...modules, ...options, token, report });
        } catch (error) {
          return error.message;
        }
      },
      { id: tab.id, options, hasToken: token !== undefined },
    );
    if (failed !== undefined) {
      throw new Error(failed);
    }
    await tab.up(1);
    return tab;
  }

  invoke(target, ...args) {
    return this.#call("invoke", target, ...args);
  }

  tell(target, ...args) {
    return this.#call("tell", target, ...args);
  }

  stream(target) {
    return this.#call("stream", target);
  }

  stop() {
    return this.#call("stop");
  }

  async #call(method, ...args) {
    const { value, error } = await page.evaluate(
      ([id, method, args]) =>
        window.tabs[id][method](...args).then(
          (value) => ({ value }),
          (error) => ({ error: error.message }),
        ),
      [this.id, method, args],
    );
    if (error !== undefined) {
      throw new Error(error);
    }
    return value;
  }
}

const versions = { "@microsoft/signalr": VERSION };

matrix({
  name: "browser",
  title: "JavaScript in Chromium",
  versions,
  combinations: COMBINATIONS_OF_JAVASCRIPT,
  async origins() {
    server = createServer((request, response) => {
      const [type, body] = FILES[request.url] ?? ["text/plain", () => ""];
      response.writeHead(FILES[request.url] ? 200 : 404, { "content-type": type }).end(body());
    });
    await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
    return [`http://127.0.0.1:${server.address().port}`];
  },
  async start() {
    browser = await Browser.launch();
    const context = await browser.person();
    page = await context.newPage();
    await page.exposeFunction("report", (id, event) => tabs[id].report(event));
    await page.exposeFunction("tokenOf", (id) => tabs[id].token());
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
  },
  connect: (options) => BrowserTab.connect(options),
  async stop() {
    await browser?.close();
    await new Promise((closed) => (server === undefined ? closed() : server.close(closed)));
  },
});
