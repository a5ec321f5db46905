/** Remembers the newest ids, so that a duplicate notification is shown once. */
export class Seen {
  readonly #ids = new Set<string>();
  readonly #limit: number;

  constructor(limit = 2000) {
    this.#limit = limit;
  }

  /** True the first time an id is passed; an empty id is always new. */
  first(id: string): boolean {
    if (id === "") {
      return true;
    }
    if (this.#ids.has(id)) {
      return false;
    }
    this.#ids.add(id);
    if (this.#ids.size > this.#limit) {
      for (const oldest of this.#ids) {
        this.#ids.delete(oldest);
        break;
      }
    }
    return true;
  }
}
