import { sizeOf, type Entry } from "./entry.ts";

/**
 * The newest entries that a tab has received. The tab with the connection sends from them what another tab lacks; every
 * tab keeps them, because any may be the next to have the connection.
 */
export class History {
  #entries: Entry[] = [];
  #size = 0;
  readonly #mostEntries: number;
  readonly #mostSize: number;

  constructor(mostEntries: number, mostSize: number) {
    this.#mostEntries = mostEntries;
    this.#mostSize = mostSize;
  }

  add(entry: Entry): void {
    this.#entries.push(entry);
    this.#size += sizeOf(entry);
    let gone = 0;
    // The newest stays whatever its size: others compare with it.
    while (this.#entries.length - gone > 1 && this.#isFull(gone)) {
      this.#size -= sizeOf(this.#entries[gone]!);
      gone += 1;
    }
    if (gone > 0) {
      this.#entries.splice(0, gone);
    }
  }

  ids(): string[] {
    return this.#entries.map((entry) => entry.id);
  }

  /** The entries with these ids that are still here, in their order. */
  find(ids: ReadonlySet<string>): Entry[] {
    return this.#entries.filter((entry) => ids.has(entry.id));
  }

  clear(): void {
    this.#entries = [];
    this.#size = 0;
  }

  #isFull(gone: number): boolean {
    return this.#entries.length - gone > this.#mostEntries || this.#size > this.#mostSize;
  }
}
