/** The signed-in user, from the token. The page reads claims only to show them; services verify them. */

export interface Session {
  readonly token: string;
  readonly user: string;
  readonly org: string;
  readonly roles: readonly string[];
  /** The `sid` claim: tabs that share it end together. */
  readonly id: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
}

/** Reads the claims of a token, or `undefined` if it is not a token with a user. */
export function sessionOf(token: unknown): Session | undefined {
  const claims = typeof token === "string" ? claimsOf(token) : undefined;
  if (claims === undefined || typeof claims["sub"] !== "string" || claims["sub"] === "") {
    return undefined;
  }
  return {
    token: token as string,
    user: claims["sub"],
    org: text(claims["org"]),
    roles: rolesOf(claims["roles"]),
    id: text(claims["sid"]),
    expiresAt: typeof claims["exp"] === "number" ? claims["exp"] * 1000 : Number.MAX_SAFE_INTEGER,
  };
}

/** True if both are the same session, in whatever tab. */
export function sameSession(a: Session, b: Session): boolean {
  return a.id === "" || b.id === "" ? a.token === b.token : a.user === b.user && a.id === b.id;
}

/** True if the session may administer its own org. */
export function isAdmin(session: Session): boolean {
  return session.roles.includes("admin") || isSuperadmin(session);
}

/** True if the session may act in every org. */
export function isSuperadmin(session: Session): boolean {
  return session.roles.includes("superadmin");
}

function claimsOf(token: string): Record<string, unknown> | undefined {
  const payload = token.split(".")[1];
  if (payload === undefined) {
    return undefined;
  }
  try {
    const binary = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
    const bytes = Uint8Array.from(binary, (char) => char.charCodeAt(0));
    const claims: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof claims === "object" && claims !== null ? (claims as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function rolesOf(claim: unknown): string[] {
  const list = Array.isArray(claim) ? claim : [claim];
  return list.filter((role): role is string => typeof role === "string" && role !== "");
}

function text(claim: unknown): string {
  return typeof claim === "string" ? claim : "";
}
