// The official client in Node.js, which records what it received in order.

import assert from "node:assert/strict";
import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";

const WAIT_MS = 15_000;
const TARGETS = ["toast", "featureFlag", "logout", "exportProgress"];

export class HubClient {
  /** Everything received, in order: `{ target, ...argument }`. */
  received = [];
  /** Resolves with the error, or `undefined`, once the connection is closed for good. */
  closed;
  connection;
  #waiting = new Set();

  /** Connects as the bearer of a token; `protocol`, `reconnect` and `transport` are the official client's, `targets` further ones. */
  static async connect(hub, token, { protocol, reconnect, transport, query = "", targets = [] } = {}) {
    const client = new HubClient();
    let builder = new HubConnectionBuilder()
      .withUrl(hub + query, { transport, accessTokenFactory: () => token })
      .configureLogging(LogLevel.None);
    builder = protocol === undefined ? builder : builder.withHubProtocol(protocol);
    builder = reconnect === undefined ? builder : builder.withAutomaticReconnect(reconnect);
    client.connection = builder.build();
    for (const target of [...TARGETS, ...targets]) {
      client.connection.on(target, (...args) => client.#receive(target, args));
    }
    client.closed = new Promise((closed) => client.connection.onclose(closed));
    await client.connection.start();
    return client;
  }

  /** The first matching notification, past or future; each wait names what it is for. */
  async gets(what, fits) {
    const found = this.received.find(fits);
    if (found !== undefined) {
      return found;
    }
    return new Promise((resolve, reject) => {
      const wait = { fits, resolve };
      const late = setTimeout(() => {
        this.#waiting.delete(wait);
        const seen = this.received.map((one) => JSON.stringify(one)).join("\n  ");
        reject(new Error(`${what} did not arrive within ${WAIT_MS} ms; received:\n  ${seen || "nothing"}`));
      }, WAIT_MS);
      wait.resolve = (notification) => {
        clearTimeout(late);
        resolve(notification);
      };
      this.#waiting.add(wait);
    });
  }

  getsToast(title) {
    return this.gets(`the toast ${title}`, (one) => one.target === "toast" && one.title === title);
  }

  getsFlag(flag, enabled) {
    const fits = (one) => one.target === "featureFlag" && one.flag === flag && one.enabled === enabled;
    return this.gets(`the flag ${flag} ${enabled ? "on" : "off"}`, fits);
  }

  of(target) {
    return this.received.filter((one) => one.target === target);
  }

  stop() {
    return this.connection.stop();
  }

  #receive(target, args) {
    assert.equal(args.length, 1, `${target} has one argument`);
    const notification = { target, ...args[0] };
    this.received.push(notification);
    for (const wait of this.#waiting) {
      if (wait.fits(notification)) {
        this.#waiting.delete(wait);
        wait.resolve(notification);
      }
    }
  }
}
