/** One step of what a tab hears, in the order of its hub. */
export type Entry = NotificationEntry | StandsEntry | GapEntry;

/** The hub called a handler. */
export interface NotificationEntry {
  readonly kind: "notification";
  readonly id: string;
  /** Where the tab stands behind it, if that is known. */
  readonly cursor: string | undefined;
  /** What it is the newest value of, if its target is retained. */
  readonly key: string | undefined;
  readonly target: string;
  readonly args: readonly unknown[];
  /** About how many characters it had on the wire. */
  readonly size: number;
}

/** The tab stands at a cursor: an answer of `Cursor` or `Resume`. */
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

/** What an entry takes of the memory that is kept for entries. */
export function sizeOf(entry: Entry): number {
  return entry.id.length + 64 + (entry.kind === "notification" ? entry.size : 0);
}
