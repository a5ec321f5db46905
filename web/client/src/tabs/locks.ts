/** The lock of the tab with the connection. The browser passes it on when that tab closes or crashes. */
export class Candidacy {
  readonly #name: string;
  readonly #granted: () => void;
  readonly #lost: () => void;
  readonly #denied: () => void;
  #request = new AbortController();
  #release: (() => void) | undefined;
  #isOver = false;

  /**
   * Calls `granted` once this tab has the lock, `lost` if another takes it then, `denied` if there are no locks here.
   */
  constructor(name: string, on: { granted: () => void; lost: () => void; denied: () => void }) {
    this.#name = name;
    this.#granted = on.granted;
    this.#lost = on.lost;
    this.#denied = on.denied;
    this.#ask({ signal: this.#request.signal });
  }

  /** Takes the lock from a tab that no longer answers. */
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
      .catch((error: unknown) => {
        const isAborted = error instanceof DOMException && error.name === "AbortError";
        if (this.#isOver) {
          return;
        }
        if (isHeld) {
          this.#lost();
        } else if (!isAborted) {
          this.#denied();
        }
      });
  }
}

/** Shows the other tabs that this one exists, for as long as it does. */
export class Presence {
  readonly #name: string;
  #current: { readonly ready: Promise<void>; readonly release: () => void } | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  hold(): Promise<void> {
    this.#current ??= this.#request();
    return this.#current.ready;
  }

  release(): void {
    this.#current?.release();
    this.#current = undefined;
  }

  #request() {
    let release = () => {};
    const released = new Promise<void>((done) => (release = done));
    const ready = new Promise<void>((held, failed) => {
      navigator.locks
        .request(this.#name, () => {
          held();
          return released;
        })
        .catch(failed);
    });
    return { ready, release };
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
