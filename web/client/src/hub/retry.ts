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

/** Why a server no longer admits a tab, if the official client's error shows that. */
export function refusalOf(error: unknown): "logged-out" | "forbidden" | undefined {
  const [, status] = (error instanceof Error ? error.message : String(error)).match(/Status code '(401|403)'/) ?? [];
  return status === "401" ? "logged-out" : status === "403" ? "forbidden" : undefined;
}
