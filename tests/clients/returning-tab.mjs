// An application's tab: it remembers its cursor, and reconnects whenever it is closed.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { HttpTransportType, HubConnectionBuilder, LogLevel } from "@microsoft/signalr";
import NodeEventSource from "eventsource";
import { protocolOf } from "./combinations.mjs";

const END_MS = 30_000;

// The client drops an EventSource that never opened without closing it, and that one retries every second forever: no
// test process with one would end, and each retry counts as a connection of the user.
const eventSources = new Set();

/** The class from which a connection attempt creates its EventSources, and a function that closes them. */
function ownEventSources() {
  const own = [];
  class EventSource extends NodeEventSource {
    constructor(...args) {
      super(...args);
      own.push(this);
      eventSources.add(this);
    }
  }
  return { EventSource, close: () => own.forEach((one) => one.close()) };
}

/** Closes what the client has left behind. */
export function forgetEventSources() {
  eventSources.forEach((one) => one.close());
}

/** An application's tab: it remembers its newest cursor, and reconnects with it whenever it is closed. */
export class ReturningTab {
  heard = [];
  returns = 0;
  #options;
  #cursor;
  #connection;
  #stopped = false;

  /** Opens a tab at a hub over a transport, in a protocol. */
  static async open({ hub, token, transport, protocol = "json" }) {
    const tab = new ReturningTab();
    tab.#options = { hub, token, transport: HttpTransportType[transport], protocol };
    await tab.#connect();
    tab.#cursor = await tab.#connection.invoke("Cursor");
    return tab;
  }

  async #connect() {
    const query = this.#cursor === undefined ? "" : `?cursor=${this.#cursor}`;
    const { hub, token, transport, protocol } = this.#options;
    const { EventSource, close } = ownEventSources();
    this.#connection = new HubConnectionBuilder()
      .withUrl(hub + query, { transport, accessTokenFactory: () => token, EventSource })
      .withHubProtocol(protocolOf(protocol))
      .configureLogging(LogLevel.None)
      .build();
    this.#connection.on("toast", (toast) => {
      this.heard.push(toast);
      this.#cursor = toast.cursor;
    });
    this.#connection.onclose(() => this.#comeBack());
    try {
      await this.#connection.start();
    } catch (error) {
      close();
      throw error;
    }
  }

  async #comeBack() {
    while (!this.#stopped) {
      try {
        await this.#connect();
        this.returns += 1;
        return;
      } catch {
        await sleep(50);
      }
    }
  }

  /** Its cursor. */
  cursor() {
    return this.#connection.invoke("Cursor");
  }

  /** Resumes from its cursor, or from another. */
  async resumes(cursor) {
    return this.#connection.invoke("Resume", cursor ?? (await this.cursor()));
  }

  async stop() {
    this.#stopped = true;
    await this.#connection.stop();
  }
}

/** Whether a tab has received everything, in order, each under one id. */
export function expectAll(tab, titles, what) {
  const heard = tab.heard.map((toast) => toast.title).filter((title) => titles.includes(title));
  const first = [...new Set(heard)];
  const missed = titles.filter((title) => !first.includes(title));
  const duplicated = heard.length - first.length;
  const counts = `sent ${titles.length}, received ${first.length}, missed ${missed.length}, duplicated ${duplicated}`;
  console.log(`${what}: ${counts}, ${tab.returns} reconnects`);
  assert.deepEqual(missed, [], what);
  assert.deepEqual(first, titles, `${what}: in the order of the stream`);
  const ids = new Map();
  for (const { title, id } of tab.heard) {
    assert.equal(ids.get(title) ?? id, id, "what comes again has the same id");
    ids.set(title, id);
  }
}

/** Waits until a tab has received everything. */
export async function hearsAll(tab, titles) {
  const deadline = Date.now() + END_MS;
  const has = () => new Set(tab.heard.map((toast) => toast.title));
  while (Date.now() < deadline) {
    const heard = has();
    if (titles.every((title) => heard.has(title))) {
      return;
    }
    await sleep(50);
  }
}
