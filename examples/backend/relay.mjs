// Publishes the events in the outbox: in order, one after another, until the node has acknowledged each.

import { setTimeout as sleep } from "node:timers/promises";
import { log } from "./log.mjs";

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 5_000;
const ANSWER_MS = 10_000;

export class Relay {
  #store;
  #url;
  #token;
  #source;
  #stopped = new AbortController();
  #wake = () => undefined;
  #ended;

  /** Starts it; `token` creates a producer's token for an org. */
  constructor({ store, url, token, source }) {
    this.#store = store;
    this.#url = new URL("/events", url);
    this.#token = token;
    this.#source = source;
    store.onCommit = () => this.#wake();
    this.#ended = this.#run();
  }

  stop() {
    this.#stopped.abort();
    this.#wake();
    return this.#ended;
  }

  async #run() {
    let wait = FIRST_WAIT_MS;
    while (!this.#stopped.signal.aborted) {
      const event = this.#store.next();
      if (event === undefined) {
        await new Promise((wake) => {
          this.#wake = wake;
        });
        continue;
      }
      const outcome = await this.#publish(event);
      if (outcome === "again") {
        // The same id is sent again, so whatever happened to the last attempt, it is delivered once.
        await sleep(wait, undefined, { signal: this.#stopped.signal }).catch(() => undefined);
        wait = Math.min(wait * 2, LONGEST_WAIT_MS);
      } else {
        this.#store.done(event.id);
        wait = FIRST_WAIT_MS;
      }
    }
  }

  async #publish(event) {
    try {
      const answer = await fetch(this.#url, {
        method: "POST",
        headers: this.#headers(event),
        body: JSON.stringify(event.body),
        signal: AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(ANSWER_MS)]),
      });
      const text = await answer.text();
      const about = { event: event.id, type: event.type, correlation_id: event.correlation };
      if (answer.status === 202) {
        log.info("published", about);
        return "sent";
      }
      // The node may answer differently tomorrow: later, or once it has the key of this token.
      if ([401, 408, 429].includes(answer.status) || answer.status >= 500) {
        log.warn("not published yet", { ...about, status: answer.status, answer: text });
        return "again";
      }
      log.error("no node takes this event; it is let go of", { ...about, status: answer.status, answer: text });
      return "refused";
    } catch (error) {
      if (!this.#stopped.signal.aborted) {
        log.warn("the node does not answer", { event: event.id, type: event.type, error: error.message });
      }
      return "again";
    }
  }

  #headers({ id, type, org, time, traceparent, correlation }) {
    const headers = {
      authorization: `Bearer ${this.#token(org)}`,
      "content-type": "application/json",
      "ce-specversion": "1.0",
      "ce-id": id,
      "ce-type": type,
      "ce-source": this.#source,
      "ce-time": time,
    };
    if (org !== undefined) {
      headers["ce-org"] = org;
    }
    if (traceparent !== undefined) {
      headers.traceparent = traceparent;
    }
    if (correlation !== undefined) {
      headers["x-correlation-id"] = correlation;
    }
    return headers;
  }
}
