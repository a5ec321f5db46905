/**
 * The cursor of this tab, and the one from which it must catch up.
 *
 * Cursors are opaque, so the tab cannot compare two of them. While it catches up, newer notifications already arrive
 * live: their cursors must not replace the one to resume from, or a second drop before the end of the replay would lose
 * what is between them.
 */
export class CursorTracker {
  #last: string | undefined;
  #resumeFrom: string | undefined;

  /** `saved` is what an earlier load of this tab left behind. */
  constructor(saved?: string) {
    this.#resumeFrom = saved;
  }

  /** The cursor to resume from, while the tab must catch up. */
  get resumeFrom(): string | undefined {
    return this.#resumeFrom;
  }

  /** The cursor to keep for a reload: everything up to it has been received. */
  get position(): string | undefined {
    return this.#resumeFrom ?? this.#last;
  }

  received(cursor: string | undefined): void {
    this.#last = cursor ?? this.#last;
  }

  /** The connection is gone: later notifications may follow a gap. */
  lost(): void {
    this.#resumeFrom ??= this.#last;
  }

  /** The replay is done. Nothing is missing before the last notification, live or replayed. */
  resumed(): void {
    this.#last ??= this.#resumeFrom;
    this.#resumeFrom = undefined;
  }

  /** The server does not know the cursor; start again from what arrives. */
  forgotten(): void {
    this.#resumeFrom = undefined;
  }
}
