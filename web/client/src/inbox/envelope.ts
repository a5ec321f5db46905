/** What a notification says of itself: its id and the cursor behind it. */
export interface Envelope {
  readonly id?: string | undefined;
  readonly cursor?: string | undefined;
}

/** A node makes the id of a notification of 15 bytes; no ticket or list is likely to be called so. */
const NOTIFICATION_ID = /^[A-Za-z0-9_-]{20}$/;
const CURSOR = /^[A-Za-z0-9_.~-]{32,512}$/;

/**
 * Reads the fields `id` and `cursor` of the first argument, which `toast`, `featureFlag` and `logout` have.
 *
 * A payload of one's own may call something else `id`. What does not look like the id of a notification is not taken for
 * one: it would make the second change of a ticket a duplicate of the first.
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
