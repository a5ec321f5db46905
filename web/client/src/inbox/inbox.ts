import type { Entry, NotificationEntry } from "./entry.ts";
import { History } from "./history.ts";
import type { Standing } from "./place.ts";
import { Retained } from "./retained.ts";
import { Seen } from "./seen.ts";

/** The largest resume of a hub, so that the next tab with the connection has all of one. */
const HISTORY_ENTRIES = 1_000;
const HISTORY_SIZE = 1_048_576;
/** More than the history and one resume together: what is replayed to the next tab is known to the others. */
const SEEN = 5_000;
const RETAINED = 1_000;
const RETAINED_SIZE = 1_048_576;
/** The number of ids that are kept over a reload. */
const RECENT = 32;

/** What a tab does with its entries. */
export interface Listener {
  deliver(target: string, args: readonly unknown[]): void;
  /** Something is missing: refetch the state. */
  gap(): void;
  /** The tab has a new position: store it. */
  moved(): void;
}

/** How a tab compares with the one that has the connection. */
export type Comparison =
  | { readonly is: "level" }
  | { readonly is: "new" }
  | { readonly is: "behind"; readonly missing: string[] }
  | { readonly is: "apart" };

/** What a tab has received. It passes on each notification once and knows which ones of another tab it lacks. */
export class Inbox {
  readonly #seen = new Seen(SEEN);
  readonly #history = new History(HISTORY_ENTRIES, HISTORY_SIZE);
  readonly #retained = new Retained(RETAINED, RETAINED_SIZE);
  readonly #listener: Listener;
  #recent: string[] = [];
  #cursor: string | undefined;

  constructor(listener: Listener, standing?: Standing) {
    this.#listener = listener;
    if (standing !== undefined) {
      standing.ids.forEach((id) => this.#heard(id));
      this.#stand(standing.cursor);
    }
  }

  /** The cursor to resume from; undefined while the tab has none. */
  get cursor(): string | undefined {
    return this.#cursor;
  }

  /** Whether it has received anything, or has a position. */
  get hasBegun(): boolean {
    return this.#cursor !== undefined || this.#recent.length > 0;
  }

  get standing(): Standing | undefined {
    return this.#cursor === undefined ? undefined : { cursor: this.#cursor, ids: this.#recent };
  }

  isNews(entry: Entry): boolean {
    return !this.#seen.has(entry.id) && (entry.kind !== "notification" || this.#retained.news(entry));
  }

  /** Handles an entry; a known one is not passed on again. */
  hear(entry: Entry): void {
    const isNews = this.isNews(entry);
    if (isNews) {
      this.#heard(entry.id);
      this.#history.add(entry);
    }
    if (entry.kind !== "gap" && entry.cursor !== undefined) {
      this.#cursor = entry.cursor;
    }
    if (isNews && entry.kind === "notification") {
      this.#retained.add(entry);
      this.#listener.deliver(entry.target, entry.args);
    } else if (isNews && entry.kind === "gap") {
      this.#listener.gap();
    }
    this.#listener.moved();
  }

  /** Only this tab lacks something. */
  miss(): void {
    this.#listener.gap();
  }

  /** The ids with which another tab compares itself. */
  ids(): string[] {
    return this.#history.ids();
  }

  find(ids: readonly string[]): Entry[] {
    return this.#history.find(new Set(ids));
  }

  /** The entries for a tab that opens later; undefined if they would be incomplete. */
  retained(): { entries: NotificationEntry[]; isWhole: boolean } {
    return { entries: this.#retained.all(), isWhole: this.#retained.isWhole };
  }

  /**
   * Compares with the ids of the tab that has the connection. Everything before the first common id was received
   * earlier, here too; of the ids after it, this tab may have received some in another order.
   */
  compare(ids: readonly string[]): Comparison {
    if (!this.hasBegun) {
      return { is: "new" };
    }
    const common = ids.findIndex((id) => this.#seen.has(id));
    if (common < 0) {
      return { is: "apart" };
    }
    const missing = ids.slice(common).filter((id) => !this.#seen.has(id));
    return missing.length === 0 ? { is: "level" } : { is: "behind", missing };
  }

  /** Continues from another tab's position, without anything before it. */
  adopt(ids: readonly string[], cursor: string | undefined, retained: readonly NotificationEntry[]): void {
    this.#history.clear();
    this.#recent = [];
    ids.forEach((id) => this.#heard(id));
    this.#cursor = undefined;
    if (cursor !== undefined) {
      this.#stand(cursor);
    }
    for (const entry of retained) {
      if (this.#retained.news(entry)) {
        this.#retained.add(entry);
        this.#listener.deliver(entry.target, entry.args);
      }
    }
    this.#listener.moved();
  }

  #heard(id: string): void {
    this.#seen.first(id);
    this.#recent.push(id);
    if (this.#recent.length > RECENT) {
      this.#recent.shift();
    }
  }

  /** A history that starts here still needs an id that others know. */
  #stand(cursor: string): void {
    const id = this.#recent.at(-1) ?? cursor;
    this.#seen.first(id);
    this.#cursor = cursor;
    this.#history.add({ kind: "stands", id, cursor });
  }
}
