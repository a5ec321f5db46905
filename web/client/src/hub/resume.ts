/** The answer to `Resume`. */
export interface Resumed {
  /** Whether everything missed has been sent. */
  readonly complete: boolean;
  /** Whether there is more after the cursor. */
  readonly more: boolean;
  readonly cursor: string | undefined;
}

export function readResumed(answer: unknown): Resumed {
  const { complete, more, cursor } = (typeof answer === "object" && answer !== null ? answer : {}) as {
    complete?: unknown;
    more?: unknown;
    cursor?: unknown;
  };
  const place = readCursor(cursor);
  return { complete: complete === true, more: more === true && place !== undefined, cursor: place };
}

export function readCursor(answer: unknown): string | undefined {
  return typeof answer === "string" && answer !== "" ? answer : undefined;
}
