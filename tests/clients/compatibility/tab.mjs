// A tab of any client in the compatibility tests: what it received, and how often it connected.

import { setTimeout as sleep } from "node:timers/promises";

const WAIT_MS = 30_000;

export class Tab {
  /** Everything received, in order: `{ target, arguments }`. */
  received = [];
  /** How often the connection was up, the first time among them. */
  opens = 0;
  /** What else the client told of, by name. */
  told = [];
  /** Why it is closed for good, if it is. */
  closed;

  /** What the client reports: `opened`, `received` with target and arguments, or `closed` with an error. */
  report(event) {
    if (event.event === "opened") {
      this.opens += 1;
    } else if (event.event === "received") {
      this.received.push({ target: event.target, arguments: event.arguments });
    } else if (event.event === "closed") {
      this.closed = event.error ?? "without an error";
    } else {
      this.told.push(event.event);
    }
  }

  async until(what, ready) {
    const deadline = Date.now() + WAIT_MS;
    while (!ready()) {
      if (this.closed !== undefined) {
        throw new Error(`${what}: the connection closed for good, ${this.closed}`);
      }
      if (Date.now() > deadline) {
        throw new Error(`${what}: not within ${WAIT_MS} ms; up ${this.opens} times, received ${this.received.length}`);
      }
      await sleep(20);
    }
  }

  /** Waits until the connection is up for the so-manieth time. */
  up(times) {
    return this.until(`up ${times} times`, () => this.opens >= times);
  }

  /** Waits for the toast with a title. */
  toast(title) {
    const fits = (one) => one.target === "toast" && one.arguments[0].title === title;
    return this.until(`the toast ${title}`, () => this.received.some(fits));
  }
}
