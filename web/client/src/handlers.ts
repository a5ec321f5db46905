/** The page's handlers by target; targets are compared case-insensitively, like in the official client. */
export class Handlers {
  readonly #byTarget = new Map<string, Set<(...args: any[]) => void>>();

  /** Returns the function that removes the handler. */
  add(target: string, handler: (...args: any[]) => void): () => void {
    const name = target.toLowerCase();
    const known = this.#byTarget.get(name) ?? new Set();
    this.#byTarget.set(name, known.add(handler));
    return () => {
      known.delete(handler);
      if (known.size === 0 && this.#byTarget.get(name) === known) {
        this.#byTarget.delete(name);
      }
    };
  }

  call(target: string, args: readonly unknown[]): void {
    for (const handler of [...(this.#byTarget.get(target.toLowerCase()) ?? [])]) {
      guard(() => handler(...args));
    }
  }
}

/** An error of the page's own code is the page's: it is reported as one and does not stop the client. */
export function guard(run: () => void): void {
  try {
    run();
  } catch (error) {
    if (typeof globalThis.reportError === "function") {
      globalThis.reportError(error);
    } else {
      console.error(error);
    }
  }
}
