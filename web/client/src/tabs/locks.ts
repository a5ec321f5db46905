/** The lock that the tab with the connection holds. The browser gives it on when that tab closes or crashes. */
export class Candidacy {
  readonly #name: string;
  readonly #granted: () => void;
  readonly #lost: () => void;
  #request = new AbortController();
  #release: (() => void) | undefined;
  #isOver = false;

  /** `granted` is called once this tab holds the lock, `lost` if another has taken it away. */
  constructor(name: string, granted: () => void, lost: () => void) {
    this.#name = name;
    this.#granted = granted;
    this.#lost = lost;
    this.#ask({ signal: this.#request.signal });
  }

  /** Takes the lock from a tab that holds it and gives no answer any more. */
  steal(): void {
    this.#request.abort();
    this.#ask({ steal: true });
  }

  release(): void {
    this.#isOver = true;
    this.#request.abort();
    this.#release?.();
  }

  #ask(options: LockOptions): void {
    let isHeld = false;
    navigator.locks
      .request(this.#name, options, () => {
        if (this.#isOver) {
          return undefined;
        }
        isHeld = true;
        this.#granted();
        return new Promise<void>((release) => (this.#release = release));
      })
      .catch(() => {
        // Aborted while it waited, or stolen while it was held.
        if (isHeld && !this.#isOver) {
          this.#lost();
        }
      });
  }
}

/** Says to the other tabs that this one is there, for as long as it is. */
export class Presence {
  readonly #name: string;
  #release: (() => void) | undefined;
  #held: Promise<void> | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  hold(): Promise<void> {
    this.#held ??= new Promise((held) => {
      void navigator.locks.request(this.#name, () => {
        held();
        return new Promise<void>((release) => (this.#release = release));
      });
    });
    return this.#held;
  }

  async release(): Promise<void> {
    await this.#held;
    this.#release?.();
    this.#held = undefined;
  }
}

/** Resolves once the tab with this presence is gone; rejects if the signal aborts before. */
export function gone(name: string, signal: AbortSignal): Promise<void> {
  return navigator.locks.request(name, { signal }, () => undefined);
}

/** Whether tabs can share a connection here: an old browser or a page without TLS has no locks. */
export function canShare(): boolean {
  return typeof navigator !== "undefined" && "locks" in navigator && typeof BroadcastChannel !== "undefined";
}
