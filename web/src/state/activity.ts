import type { Severity } from "../connection/notification.ts";
import type { Shelf } from "../session/store.ts";
import { Changes } from "./changes.ts";

/** One line of the tab's history. */
export interface ActivityItem {
  /** Identifies the lines of this tab; an event may arrive without an id. */
  readonly key: string;
  readonly kind: "toast" | "flag";
  readonly severity: Severity;
  readonly title: string;
  readonly message: string;
  readonly link: string | undefined;
  readonly at: number;
}

const LIMIT = 50;
const KEY = "fanfare.activity";

/** What this tab has received, newest first; it survives a reload, and `key` keeps sessions apart. */
export class Activity {
  readonly changes = new Changes();
  readonly #shelf: Shelf;
  readonly #key: string;
  #items: ActivityItem[];

  constructor(shelf: Shelf, key: string) {
    this.#shelf = shelf;
    this.#key = key;
    this.#items = read(shelf.getItem(KEY), key);
  }

  list(): readonly ActivityItem[] {
    return this.#items;
  }

  add(item: Omit<ActivityItem, "key">): void {
    const serial = Number(this.#items[0]?.key ?? 0) + 1;
    this.#items = [{ ...item, key: String(serial) }, ...this.#items].slice(0, LIMIT);
    this.#save();
  }

  /** Leaves nothing of an ended session in the tab. */
  static forget(shelf: Shelf): void {
    shelf.removeItem(KEY);
  }

  clear(): void {
    this.#items = [];
    this.#save();
  }

  #save(): void {
    this.#shelf.setItem(KEY, JSON.stringify({ key: this.#key, items: this.#items }));
    this.changes.tell();
  }
}

function read(saved: string | null, key: string): ActivityItem[] {
  try {
    const held: unknown = JSON.parse(saved ?? "null");
    const { key: whose, items } = Object(held) as { key?: unknown; items?: unknown };
    return whose === key && Array.isArray(items) ? (items as ActivityItem[]) : [];
  } catch {
    return [];
  }
}
