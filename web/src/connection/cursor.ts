/**
 * Which position of the event stream this tab has, and from which it has to catch up.
 *
 * Cursors are opaque, so the tab cannot compare two of them. While it has to catch up, newer
 * notifications already arrive live: their cursors must not replace the one to resume from, or a
 * second drop before the end of the replay would lose what lies between.
 */
export class CursorTracker {
  #last: string | undefined;
  #resumeFrom: string | undefined;

  /** `saved` is what an earlier load of this tab left behind. */
  constructor(saved?: string) {
    this.#resumeFrom = saved;
  }

  /** The position to resume from, while the tab has to catch up. */
  get resumeFrom(): string | undefined {
    return this.#resumeFrom;
  }

  /** The position to keep for a reload: everything up to it has been received. */
  get position(): string | undefined {
    return this.#resumeFrom ?? this.#last;
  }

  received(cursor: string | undefined): void {
    this.#last = cursor ?? this.#last;
  }

  /** The connection is gone: what comes next may leave a gap. */
  lost(): void {
    this.#resumeFrom ??= this.#last;
  }

  /** The replay is done. Whatever arrived last, live or replayed, has nothing missing before it. */
  resumed(): void {
    this.#last ??= this.#resumeFrom;
    this.#resumeFrom = undefined;
  }

  /** The server does not know the position; start again from what arrives. */
  forgotten(): void {
    this.#resumeFrom = undefined;
  }
}
