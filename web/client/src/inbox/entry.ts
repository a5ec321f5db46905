/** One step of a tab's stream, in the order of its hub. */
export type Entry = NotificationEntry | StandsEntry | GapEntry;

/** The hub called a handler. */
export interface NotificationEntry {
  readonly kind: "notification";
  readonly id: string;
  /** The tab's cursor after it, if it is known. */
  readonly cursor: string | undefined;
  /** The key whose newest value it is, if its target is retained. */
  readonly key: string | undefined;
  readonly target: string;
  readonly args: readonly unknown[];
  /** Its approximate size on the wire, in characters. */
  readonly size: number;
}

/** The tab has reached a cursor: an answer of `Cursor` or `Resume`. */
export interface StandsEntry {
  readonly kind: "stands";
  readonly id: string;
  readonly cursor: string;
}

/** Not everything that was missed could be sent again. */
export interface GapEntry {
  readonly kind: "gap";
  readonly id: string;
}

/** An entry's share of the memory for entries. */
export function sizeOf(entry: Entry): number {
  return entry.id.length + 64 + (entry.kind === "notification" ? entry.size : 0);
}
