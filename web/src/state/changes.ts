/** A list of listeners that are called after every change. */
export class Changes {
  readonly #listeners = new Set<() => void>();

  listen(listener: () => void): void {
    this.#listeners.add(listener);
  }

  tell(): void {
    for (const listener of this.#listeners) {
      listener();
    }
  }
}
