import { sizeOf, type NotificationEntry } from "./entry.ts";

/**
 * The newest notification of each key: a tab that opens later gets them, as a node sends retained values to a new
 * connection. It also recognises retained values that a node sends to each new connection, however long ago they were
 * received.
 */
export class Retained {
  readonly #newest = new Map<string, NotificationEntry>();
  readonly #most: number;
  readonly #mostSize: number;
  #size = 0;
  #isWhole = true;

  constructor(most: number, mostSize: number) {
    this.#most = most;
    this.#mostSize = mostSize;
  }

  /** False if this very notification is already the newest of its key. */
  news(entry: NotificationEntry): boolean {
    return entry.key === undefined || this.#newest.get(placeOf(entry))?.id !== entry.id;
  }

  add(entry: NotificationEntry): void {
    if (entry.key === undefined) {
      return;
    }
    const place = placeOf(entry);
    this.#remove(place);
    this.#newest.set(place, entry);
    this.#size += sizeOf(entry);
    while (this.#newest.size > this.#most || (this.#size > this.#mostSize && this.#newest.size > 1)) {
      const [oldest] = this.#newest.keys();
      this.#remove(oldest!);
      this.#isWhole = false;
    }
  }

  all(): NotificationEntry[] {
    return [...this.#newest.values()];
  }

  /** Whether no key had to be dropped: otherwise a tab that opens later must fetch its state. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  #remove(place: string): void {
    const entry = this.#newest.get(place);
    if (entry !== undefined) {
      this.#size -= sizeOf(entry);
      this.#newest.delete(place);
    }
  }
}

function placeOf(entry: NotificationEntry): string {
  return JSON.stringify([entry.target.toLowerCase(), entry.key]);
}
