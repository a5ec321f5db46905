/** A notification's envelope: its id and the cursor after it. */
export interface Envelope {
  readonly id?: string | undefined;
  readonly cursor?: string | undefined;
}

/** A node generates ids of notifications from 15 bytes; no ticket or list is likely to have such an id. */
const NOTIFICATION_ID = /^[A-Za-z0-9_-]{20}$/;
const CURSOR = /^[A-Za-z0-9_.~-]{32,512}$/;

/**
 * Reads the fields `id` and `cursor` of the first argument, which `toast`, `featureFlag` and `logout` have.
 *
 * A custom payload may use `id` for something else. A value that does not look like a notification's id is ignored:
 * otherwise the second change of a ticket would be a duplicate of the first.
 */
export function envelopeOf(args: readonly unknown[]): Envelope {
  const [first] = args;
  if (typeof first !== "object" || first === null) {
    return {};
  }
  const { id, cursor } = first as { id?: unknown; cursor?: unknown };
  return {
    id: typeof id === "string" && NOTIFICATION_ID.test(id) ? id : undefined,
    cursor: typeof cursor === "string" && CURSOR.test(cursor) ? cursor : undefined,
  };
}
