/** When to try again after the connection is lost. */

const FIRST_MS = 1_000;
const LONGEST_MS = 15_000;

/**
 * The wait before an attempt, in milliseconds: doubling up to 15 s, and never the same for two tabs. The first one is
 * spread as well, because a stopping node closes all its tabs at once.
 */
export function retryDelay(attempt: number, random: () => number = Math.random): number {
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(attempt, 10));
  return attempt === 0 ? random() * longest : longest / 2 + (random() * longest) / 2;
}

/** True if the server refused the token: trying again cannot help. */
export function isRefused(error: unknown): boolean {
  return error instanceof Error && /Status code '401'/.test(error.message);
}

/** True if the server refused the org: only another choice can help. */
export function isForbidden(error: unknown): boolean {
  return error instanceof Error && /Status code '403'/.test(error.message);
}
