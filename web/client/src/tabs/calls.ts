import { ConnectionLost } from "../hub/end.ts";
import type { Outcome, Request } from "./message.ts";

const MOST = 100;
const PATIENCE_MS = 30_000;

/** Carries a call to the connection; it says by `taken` and `answered` what becomes of it. */
export type Carry = (n: number, request: Request) => void;

interface Call {
  readonly request: Request;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
  readonly timer: ReturnType<typeof setInterval>;
  isTaken: boolean;
}

/**
 * The calls of this tab that wait for their answer, whoever holds the connection. A call that nobody had taken when the
 * holder went away is carried to the next one. One that was taken may have been carried out: it fails, unless doing it
 * twice does no harm.
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

  /** From now on calls are carried so; undefined while nobody holds the connection. */
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

  /** Nobody will answer any more. */
  close(): void {
    this.#carry = undefined;
    for (const n of [...this.#waiting.keys()]) {
      this.#end(n)?.reject(new ConnectionLost("The client is closed."));
    }
  }

  /** What cannot be copied to another tab, such as a function among the arguments, fails at once. */
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
