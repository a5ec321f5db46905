// A page that uses @fanfare/client, and its tabs in Chromium.

import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join, normalize } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const CLIENT = join(import.meta.dirname, "../../web/client/dist");
const OFFICIAL = join(import.meta.dirname, "node_modules/@microsoft/signalr/dist/browser/signalr.min.js");
const WAIT_MS = 30_000;

const PAGE = `<!doctype html><meta charset=utf-8><title>client</title>
<script src=/signalr.js></script>
<script type=importmap>{"imports": {"@fanfare/client": "/client/index.js", "@microsoft/signalr": "/official.js"}}</script>
<script type=module>
  const { token, without, ...options } = JSON.parse(decodeURIComponent(location.hash.slice(1)));
  if (without === "locks") {
    delete Navigator.prototype.locks;
  }
  const { Client } = await import("@fanfare/client");
  const accessToken = () => window.token;
  window.token = token;
  window.client = new Client({ accessToken, retained: { featureFlag: ({ flag }) => flag }, logger: 5, ...options });
  client.on("toast", ({ title }) => report("toast", title));
  client.on("featureFlag", ({ flag, enabled }) => report("flag", [flag, enabled]));
  client.on("ItemAdded", (list, item) => report("item", item));
  client.watch(async () => report("fetch", true), { on: {}, show: () => undefined });
  client.onState((state) => report("state", state));
  client.onGap(() => report("gap", true));
  client.onEnd(({ reason }) => report("end", reason));
  client.start();
</script>`;

/** The official client for browsers is one script; this makes a module of it. */
const MODULE = `export const { HubConnectionBuilder, HubConnectionState, JsonHubProtocol, LogLevel, MessageType } = window.signalR;`;

/** Serves the page, the client and the official client under one origin. */
export class ClientPages {
  #server;
  #contexts = new Map();

  static async serve() {
    if (!existsSync(CLIENT)) {
      throw new Error("web/client/dist is missing: run scripts/client.sh first");
    }
    const pages = new ClientPages();
    pages.#server = createServer((request, response) => void pages.#answer(request.url, response));
    await new Promise((listening) => pages.#server.listen(0, "127.0.0.1", listening));
    return pages;
  }

  get origin() {
    return `http://127.0.0.1:${this.#server.address().port}`;
  }

  /** Opens a tab with these options of the client, among them a `token`. */
  async open(context, options) {
    const tabs = await this.#tabsOf(context);
    const page = await context.newPage();
    const tab = new ClientTab(page);
    tabs.set(page, tab);
    await page.goto(`${this.origin}/#${encodeURIComponent(JSON.stringify(options))}`);
    return tab;
  }

  /** The tabs by their page, to which a page reports through one binding for all. */
  #tabsOf(context) {
    const made = async () => {
      const tabs = new Map();
      await context.exposeBinding("report", ({ page }, what, value) => tabs.get(page)?.report(what, value));
      return tabs;
    };
    this.#contexts.set(context, this.#contexts.get(context) ?? made());
    return this.#contexts.get(context);
  }

  close() {
    this.#server.closeAllConnections();
    return new Promise((closed) => this.#server.close(closed));
  }

  async #answer(url, response) {
    const text = await this.#script(url).catch(() => undefined);
    // Many tabs are opened, and their files do not change.
    const headers = { "content-type": text === undefined ? "text/html" : "text/javascript", "cache-control": "max-age=600" };
    response.writeHead(200, headers).end(text ?? PAGE);
  }

  async #script(url) {
    if (url === "/official.js") {
      return MODULE;
    }
    if (url === "/signalr.js") {
      return readFile(OFFICIAL, "utf8");
    }
    return url.startsWith("/client/") ? readFile(join(CLIENT, normalize(url.slice(8))), "utf8") : undefined;
  }
}

/** One tab, and what its page was told. */
export class ClientTab {
  toasts = [];
  flags = [];
  items = [];
  gaps = 0;
  /** How often the page has fetched the state that it watches. */
  fetches = 0;
  state = "none";
  end;
  /** Connections that this tab has opened itself. */
  sockets = new Set();
  #session;

  constructor(page) {
    this.page = page;
    page.on("websocket", (socket) => {
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
    });
  }

  report(what, value) {
    if (what === "toast") {
      this.toasts.push(value);
    } else if (what === "flag") {
      this.flags.push(value);
    } else if (what === "item") {
      this.items.push(value);
    } else if (what === "gap") {
      this.gaps += 1;
    } else if (what === "fetch") {
      this.fetches += 1;
    } else {
      this[what] = value;
    }
  }

  get holdsConnection() {
    return this.sockets.size > 0;
  }

  async until(what, ready) {
    const deadline = Date.now() + WAIT_MS;
    while (!ready()) {
      if (Date.now() > deadline) {
        const { state, end, gaps, toasts } = this;
        throw new Error(`${what}: not within ${WAIT_MS} ms; ${JSON.stringify({ state, end, gaps, toasts: toasts.slice(-5) })}`);
      }
      await sleep(10);
    }
  }

  connected() {
    return this.until("connected", () => this.state === "connected");
  }

  hears(title) {
    return this.until(`the toast ${title}`, () => this.toasts.includes(title));
  }

  /** Calls the client of the page; an error is thrown here. */
  async call(method, ...args) {
    const { value, error } = await this.page.evaluate(
      ([method, args]) =>
        window.client[method](...args).then(
          (value) => ({ value }),
          (error) => ({ error: `${error.name}: ${error.message}` }),
        ),
      [method, args],
    );
    if (error !== undefined) {
      throw new Error(error);
    }
    return value;
  }

  /** Joins a list, and keeps the membership in the page under its name. */
  join(list) {
    return this.page.evaluate(async (list) => {
      window.lists ??= {};
      window.lists[list] = await window.client.join("JoinList", [list], { leave: "LeaveList" });
    }, list);
  }

  leave(list) {
    return this.page.evaluate((list) => window.lists[list].leave(), list);
  }

  close() {
    return this.page.close();
  }

  /** Kills the tab's renderer. */
  async crash() {
    const crashed = new Promise((gone) => this.page.once("crash", gone));
    const session = await this.#devtools();
    session.send("Page.crash").catch(() => undefined); // there is nobody left to answer
    await crashed;
    await this.page.close();
  }

  /** Freezes the tab as the browser does with one in the background. */
  freeze() {
    return this.#lifecycle("frozen");
  }

  thaw() {
    return this.#lifecycle("active");
  }

  async #lifecycle(state) {
    await (await this.#devtools()).send("Page.setWebLifecycleState", { state });
  }

  async #devtools() {
    this.#session ??= await this.page.context().newCDPSession(this.page);
    return this.#session;
  }
}
