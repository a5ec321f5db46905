import { ConnectionLost } from "../hub/end.ts";
import type { Outcome, Request } from "./message.ts";

const MOST = 100;
const PATIENCE_MS = 30_000;

/** Sends a call to the connection; reports through `taken` and `answered` what happens to it. */
export type Carry = (n: number, request: Request) => void;

interface Call {
  readonly request: Request;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: ReturnType<typeof setInterval>;
  isTaken: boolean;
}

/**
 * The calls of this tab that wait for their answer, whichever tab has the connection. A call that had not been taken
 * when that tab went away is sent to the next one. One that was taken may have been carried out: it fails, unless
 * repeating it is harmless.
 */
export class Calls {
  readonly #waiting = new Map<number, Call>();
  readonly #patience: number;
  #carry: Carry | undefined;
  #next = 0;

  constructor(patience = PATIENCE_MS) {
    this.#patience = patience;
  }

  make(request: Request): Promise<unknown> {
    if (this.#waiting.size >= MOST) {
      return Promise.reject(new Error(`${MOST} calls of this tab wait for their answer, and no more are taken`));
    }
    const n = ++this.#next;
    return new Promise((resolve, reject) => {
      const timer = setInterval(() => this.#late(n), this.#patience);
      this.#waiting.set(n, { request, resolve, reject, timer, isTaken: false });
      this.#send(n, request);
    });
  }

  /** Sends calls this way from now on; undefined while no tab has the connection. */
  carryBy(carry: Carry | undefined): void {
    this.#carry = carry;
    for (const [n, call] of [...this.#waiting]) {
      if (call.isTaken && call.request.do === "invoke") {
        this.#end(n)?.reject(
          new ConnectionLost(`The tab that held the connection is gone; ${call.request.method} may have run or not.`),
        );
      } else {
        call.isTaken = false;
        this.#send(n, call.request);
      }
    }
  }

  taken(n: number): void {
    const call = this.#waiting.get(n);
    if (call !== undefined) {
      call.isTaken = true;
    }
  }

  answered(n: number, outcome: Outcome): void {
    const call = this.#end(n);
    if (outcome.ok) {
      call?.resolve(outcome.value);
    } else {
      call?.reject(outcome.isLost ? new ConnectionLost(outcome.error) : new Error(outcome.error));
    }
  }

  /** There will be no more answers. */
  close(): void {
    this.#carry = undefined;
    for (const n of [...this.#waiting.keys()]) {
      this.#end(n)?.reject(new ConnectionLost("The client is closed."));
    }
  }

  /** A value that cannot be copied to another tab, such as a function among the arguments, fails at once. */
  #send(n: number, request: Request): void {
    try {
      this.#carry?.(n, request);
    } catch (error) {
      this.#end(n)?.reject(error as Error);
    }
  }

  #late(n: number): void {
    // A call that runs at the hub may take as long as it needs.
    if (this.#waiting.get(n)?.isTaken === false) {
      this.#end(n)?.reject(new ConnectionLost(`There was no connection for ${this.#patience / 1000} s.`));
    }
  }

  #end(n: number): Call | undefined {
    const call = this.#waiting.get(n);
    clearInterval(call?.timer);
    this.#waiting.delete(n);
    return call;
  }
}
