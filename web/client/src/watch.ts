import type { ConnectionState } from "./hub/end.ts";
import { guard } from "./handlers.ts";
import { retryDelay } from "./hub/retry.ts";

/** After more changes than this during one fetch, the state is fetched again. */
const MOST_HELD = 1_000;
/** Without a connection the page shows what it can fetch, and refetches once it is connected. */
const PATIENCE_MS = 3_000;
/** After a gap many tabs refetch: each waits a random moment. */
const SPREAD_MS = 2_000;

/** The handling of a state. */
export interface WatchOptions<State, T> {
  /**
   * Applies a notification of a target to the state. A notification from during the fetch may be in the state already.
   */
  readonly on: { readonly [K in keyof T & string]?: (state: State, ...args: T[K] extends any[] ? T[K] : never) => State };
  /** Called with the fetched state, and after each change. */
  readonly show: (state: State) => void;
  /** A fetch failed; it is retried. */
  readonly failed?: (error: unknown) => void;
}

export interface Watch {
  /** Refetches. */
  refetch(): void;
  stop(): void;
}

/** What `watch` needs from a client. */
export interface Watched {
  readonly state: ConnectionState;
  on(target: string, handler: (...args: any[]) => void): () => void;
  onState(handler: (state: ConnectionState) => void): () => void;
  onGap(handler: () => void): () => void;
}

type Change<State> = (state: State) => State;

/**
 * State and stream without a gap: changes are held from before the fetch on and applied to its answer, so that none is
 * lost in between. A state that was fetched without a connection counts only until there is one.
 */
export function watch<State>(
  client: Watched,
  fetchState: (signal: AbortSignal) => Promise<State>,
  options: WatchOptions<State, any>,
): Watch {
  return new Watching(client, fetchState, options);
}

class Watching<State> implements Watch {
  readonly #client: Watched;
  readonly #fetch: (signal: AbortSignal) => Promise<State>;
  readonly #options: WatchOptions<State, any>;
  readonly #ends: (() => void)[];
  #shown: { state: State } | undefined;
  #held: Change<State>[] = [];
  /** The fetch that is running or scheduled. */
  #fetching: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Whether the shown state was fetched while nothing could be missed. */
  #isPlaced = false;

  constructor(client: Watched, fetchState: (signal: AbortSignal) => Promise<State>, options: WatchOptions<State, any>) {
    this.#client = client;
    this.#fetch = fetchState;
    this.#options = options;
    this.#ends = Object.entries(options.on).map(([target, apply]) =>
      client.on(target, (...args) => this.#change((state) => (apply as (...all: any[]) => State)(state, ...args))),
    );
    this.#ends.push(
      client.onGap(() => this.#gap()),
      client.onState((state) => this.#follow(state)),
    );
    if (client.state === "connected") {
      this.refetch();
    } else {
      this.#later(PATIENCE_MS);
    }
  }

  refetch(): void {
    clearTimeout(this.#timer);
    void this.#run(0);
  }

  stop(): void {
    this.#ends.forEach((end) => end());
    clearTimeout(this.#timer);
    this.#fetching?.abort();
    this.#fetching = undefined;
  }

  #follow(state: ConnectionState): void {
    if (state === "closed") {
      this.#isPlaced = false;
    } else if (state === "connected" && !this.#isPlaced) {
      this.#refetchSoon();
    }
  }

  #gap(): void {
    this.#isPlaced = false;
    if (this.#client.state === "connected") {
      this.#refetchSoon();
    }
  }

  #refetchSoon(): void {
    this.#later(this.#shown === undefined ? 0 : Math.random() * SPREAD_MS);
  }

  #later(wait: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.refetch(), wait);
  }

  async #run(attempt: number): Promise<void> {
    this.#fetching?.abort();
    const fetching = new AbortController();
    this.#fetching = fetching;
    this.#held = [];
    const isPlaced = this.#client.state === "connected";
    this.#isPlaced = isPlaced;
    try {
      const state = await this.#fetch(fetching.signal);
      if (this.#fetching === fetching) {
        this.#fetching = undefined;
        this.#fetched(state);
      }
    } catch (error) {
      if (this.#fetching === fetching) {
        guard(() => this.#options.failed?.(error));
        this.#timer = setTimeout(() => void this.#run(attempt + 1), retryDelay(attempt));
      }
    }
  }

  #fetched(state: State): void {
    const held = this.#held;
    this.#held = [];
    this.#shown = { state };
    held.forEach((change) => this.#apply(change));
    this.#show();
  }

  #change(change: Change<State>): void {
    if (this.#fetching === undefined) {
      this.#apply(change);
      this.#show();
    } else if (this.#held.length < MOST_HELD) {
      this.#held.push(change);
      // The shown state stays meanwhile.
      this.#apply(change);
      this.#show();
    } else {
      // The fetch is too slow for this stream.
      this.#fetching.abort();
      this.#fetching = undefined;
      this.#isPlaced = false;
      this.#held = [];
      this.#later(retryDelay(1));
    }
  }

  #apply(change: Change<State>): void {
    const shown = this.#shown;
    if (shown !== undefined) {
      guard(() => (shown.state = change(shown.state)));
    }
  }

  #show(): void {
    const shown = this.#shown;
    if (shown !== undefined) {
      guard(() => this.#options.show(shown.state));
    }
  }
}
