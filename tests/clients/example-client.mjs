// The official client as an example's page uses it: it records the calls of each handler, in order.

import { HubConnectionBuilder, LogLevel } from "@microsoft/signalr";

const WAIT_MS = 15_000;

export class ExampleClient {
  /** Every call of a handler, in order: `{ target, args }`. */
  received = [];
  /** Resolves with the error, or `undefined`, once the connection is closed for good. */
  closed;
  connection;
  #waiting = new Set();

  /**
   * A client of a hub that handles these targets, not yet started. `token` is a text or a function, `headers` go with each
   * request, and `reconnect` is what the page gives to `withAutomaticReconnect`.
   */
  static of(hub, targets, { token, headers, reconnect, protocol, transport } = {}) {
    const client = new ExampleClient();
    let builder = new HubConnectionBuilder()
      .withUrl(hub, {
        ...(token === undefined ? {} : { accessTokenFactory: typeof token === "function" ? token : () => token }),
        ...(headers === undefined ? {} : { headers }),
        ...(transport === undefined ? {} : { transport }),
      })
      .configureLogging(LogLevel.None);
    builder = protocol === undefined ? builder : builder.withHubProtocol(protocol);
    builder = reconnect === undefined ? builder : builder.withAutomaticReconnect(reconnect);
    client.connection = builder.build();
    for (const target of targets) {
      client.connection.on(target, (...args) => client.#receive({ target, args }));
    }
    client.closed = new Promise((closed) => client.connection.onclose(closed));
    return client;
  }

  static async start(hub, targets, options) {
    const client = ExampleClient.of(hub, targets, options);
    await client.connection.start();
    return client;
  }

  invoke(method, ...args) {
    return this.connection.invoke(method, ...args);
  }

  /** The first matching call of a handler, past or future. */
  gets(target, fits = () => true) {
    const wanted = (one) => one.target === target && fits(...one.args);
    const found = this.received.find(wanted);
    if (found !== undefined) {
      return Promise.resolve(found.args);
    }
    return new Promise((resolve, reject) => {
      const wait = { wanted };
      const late = setTimeout(() => {
        this.#waiting.delete(wait);
        const seen = this.received.map((one) => JSON.stringify(one)).join("\n  ");
        reject(new Error(`no ${target} that fits came within ${WAIT_MS} ms; received:\n  ${seen || "nothing"}`));
      }, WAIT_MS);
      wait.resolve = (args) => {
        clearTimeout(late);
        resolve(args);
      };
      this.#waiting.add(wait);
    });
  }

  /** The arguments of all calls of a handler so far. */
  of(target) {
    return this.received.filter((one) => one.target === target).map((one) => one.args);
  }

  stop() {
    return this.connection.stop();
  }

  #receive(call) {
    this.received.push(call);
    for (const wait of this.#waiting) {
      if (wait.wanted(call)) {
        this.#waiting.delete(wait);
        wait.resolve(call.args);
      }
    }
  }
}
