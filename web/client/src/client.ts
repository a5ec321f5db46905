import { Handlers, guard } from "./handlers.ts";
import { ConnectionLost, type ConnectionState, type End } from "./hub/end.ts";
import { checkOptions, settingsOf, type ClientOptions } from "./options.ts";
import type { JoinOptions, Membership } from "./tabs/memberships.ts";
import { Tab } from "./tabs/tab.ts";
import { watch, type Watch, type WatchOptions } from "./watch.ts";

/** The targets of a hub, each with the arguments of its handlers. */
export type Targets = Record<string, any[]>;

/** A client of one hub, for one tab. */
export class Client<T extends { [K in keyof T]: any[] } = Targets> {
  readonly #options: ClientOptions;
  readonly #handlers = new Handlers();
  readonly #stateHandlers = new Set<(state: ConnectionState) => void>();
  readonly #gapHandlers = new Set<() => void>();
  readonly #endHandlers = new Set<(end: End) => void>();
  #state: ConnectionState = "closed";
  #tab: Tab | undefined;

  constructor(options: ClientOptions) {
    checkOptions(options);
    this.#options = options;
  }

  /** Connects, or uses another tab's connection; keeps running until the user is logged out or `stop` is called. */
  start(): void {
    if (this.#tab !== undefined) {
      return;
    }
    const settings = settingsOf(this.#options);
    this.#become("connecting");
    this.#tab = new Tab(settings, {
      deliver: (target, args) => this.#handlers.call(target, args),
      gap: () => this.#tell(this.#gapHandlers, undefined),
      state: (state) => this.#become(state),
      ended: (end) => {
        this.#tab = undefined;
        this.#tell(this.#endHandlers, end);
      },
    });
  }

  /** Leaves the connection to the other tabs, or closes it if there are none. `start` starts it again. */
  stop(): void {
    this.#tab?.close({ reason: "stopped" });
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Handles the hub's calls; returns a function that unsubscribes. Handlers registered before `start` miss nothing. */
  on<K extends keyof T & string>(target: K, handler: (...args: T[K]) => void): () => void {
    return this.#handlers.add(target, handler);
  }

  /** Follows the state of the connection. */
  onState(handler: (state: ConnectionState) => void): () => void {
    return add(this.#stateHandlers, handler);
  }

  /** Something is missing that cannot be sent again: refetch the state. `watch` does so by itself. */
  onGap(handler: () => void): () => void {
    return add(this.#gapHandlers, handler);
  }

  /** The client is closed for good: the user was logged out, or the hub no longer accepts this tab. */
  onEnd(handler: (end: End) => void): () => void {
    return add(this.#endHandlers, handler);
  }

  /** Calls a method of the hub, whichever tab has the connection; waits up to 30 s for a connection. */
  async invoke<Answer = unknown>(method: string, ...args: unknown[]): Promise<Answer> {
    return (await this.#open().calls.make({ do: "invoke", method, args })) as Answer;
  }

  /** Joins a group by a method of the hub, and again after each reconnect. */
  async join(method: string, args: readonly unknown[] = [], options: JoinOptions = {}): Promise<Membership> {
    return this.#open().memberships.join(method, args, options);
  }

  /** Fetches a state and keeps it current: calls back with it and with every change, and refetches after a gap. */
  watch<State>(fetchState: (signal: AbortSignal) => Promise<State>, options: WatchOptions<State, T>): Watch {
    return watch(this as unknown as Client, fetchState, options as unknown as WatchOptions<State, Targets>);
  }

  #open(): Tab {
    if (this.#tab === undefined) {
      throw new ConnectionLost("The client is not started.");
    }
    return this.#tab;
  }

  #become(state: ConnectionState): void {
    if (state !== this.#state) {
      this.#state = state;
      this.#tell(this.#stateHandlers, state);
    }
  }

  #tell<V>(handlers: ReadonlySet<(value: V) => void>, value: V): void {
    for (const handler of [...handlers]) {
      guard(() => handler(value));
    }
  }
}

function add<H>(handlers: Set<H>, handler: H): () => void {
  handlers.add(handler);
  return () => void handlers.delete(handler);
}
