// A backend's state and outbox: a journal in which one line is one commit.
//
// A change and the events that report it are one line, so they are stored together or not at all. A real service would
// use one transaction of its database.

import { randomUUID } from "node:crypto";
import { closeSync, fdatasyncSync, ftruncateSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from "node:fs";
import { join } from "node:path";

export class Store {
  /** Called after a commit that has events; the relay sets it. */
  onCommit = () => undefined;
  #values = new Map();
  #unsent = new Map();
  #file;

  /** Opens the journal of a folder, which is created if it is missing. */
  static open(folder) {
    mkdirSync(folder, { recursive: true });
    const store = new Store();
    const path = join(folder, "journal.jsonl");
    store.#read(path);
    store.#rewrite(path);
    return store;
  }

  get(key) {
    return this.#values.get(key);
  }

  /** The values whose keys have this prefix, in the order in which the keys were added. */
  list(prefix) {
    return [...this.#values].filter(([key]) => key.startsWith(prefix)).map(([, value]) => value);
  }

  /**
   * Stores values (null removes one) and the events that tell of them; returns the ids of the events.
   * It is on the disk when this returns.
   */
  commit(values, events = []) {
    const stored = events.map((event) => ({ id: randomUUID(), time: new Date().toISOString(), ...event }));
    this.#write({ values, events: stored });
    this.#apply({ values, events: stored });
    if (stored.length > 0) {
      this.onCommit();
    }
    return stored.map((event) => event.id);
  }

  /** The event that waits longest, if any waits. */
  next() {
    return this.#unsent.values().next().value;
  }

  /** An event was stored in the log, or will never be accepted. */
  done(id) {
    // Without a sync: after a power failure it is sent again with the same id, and delivered once.
    this.#append({ done: id });
    this.#apply({ done: id });
  }

  close() {
    closeSync(this.#file);
  }

  #apply({ values = {}, events = [], done }) {
    for (const [key, value] of Object.entries(values)) {
      if (value === null) {
        this.#values.delete(key);
      } else {
        this.#values.set(key, value);
      }
    }
    for (const event of events) {
      this.#unsent.set(event.id, event);
    }
    this.#unsent.delete(done);
  }

  #read(path) {
    let text;
    try {
      text = readFileSync(path, "utf8");
    } catch (error) {
      if (error.code === "ENOENT") {
        return;
      }
      throw error;
    }
    // Text after the last newline was never acknowledged.
    const lines = text.split("\n").slice(0, -1);
    lines.forEach((line, index) => {
      try {
        this.#apply(JSON.parse(line));
      } catch {
        throw new Error(`${path}:${index + 1} is no line of a journal`);
      }
    });
  }

  /** Rewrites the journal with the current values, so that it does not grow with its history. */
  #rewrite(path) {
    const next = `${path}.next`;
    this.#file = openSync(next, "w");
    ftruncateSync(this.#file);
    this.#write({ values: Object.fromEntries(this.#values), events: [...this.#unsent.values()] });
    renameSync(next, path);
  }

  #write(line) {
    this.#append(line);
    fdatasyncSync(this.#file);
  }

  #append(line) {
    writeSync(this.#file, `${JSON.stringify(line)}\n`);
  }
}
