import { sameSession, sessionOf, type Session } from "./session.ts";

const KEY = "fanfare.session";

/** The part of `Storage` that is used here. */
export type Shelf = Pick<Storage, "getItem" | "setItem" | "removeItem">;

/**
 * Keeps the session of this tab, and the one that a new tab of this browser starts with.
 *
 * Both have the same session after a sign-in, so further tabs are signed in at once; a tab that signs in on its own
 * (`alone`) leaves the others' session in place, so alice and bob fit in one browser.
 */
export class SessionStore {
  readonly #tab: Shelf;
  readonly #browser: Shelf;
  readonly #now: () => number;

  constructor(tab: Shelf, browser: Shelf, now: () => number = Date.now) {
    this.#tab = tab;
    this.#browser = browser;
    this.#now = now;
  }

  /** The session of this tab; a tab without one adopts the browser's. */
  current(): Session | undefined {
    const own = this.#read(this.#tab);
    if (own !== undefined) {
      return own;
    }
    const shared = this.#read(this.#browser);
    if (shared !== undefined) {
      this.#tab.setItem(KEY, shared.token);
    }
    return shared;
  }

  /** Stores a session in this tab and, unless it signs in alone, for future tabs. */
  signedIn(session: Session, alone = false): void {
    this.#tab.setItem(KEY, session.token);
    if (!alone) {
      this.#browser.setItem(KEY, session.token);
    }
  }

  /** Deletes an ended session: here, and for future tabs only if theirs is the same one. */
  ended(session: Session): void {
    for (const shelf of [this.#tab, this.#browser]) {
      const held = sessionOf(shelf.getItem(KEY));
      if (held !== undefined && sameSession(held, session)) {
        shelf.removeItem(KEY);
      }
    }
  }

  #read(shelf: Shelf): Session | undefined {
    const token = shelf.getItem(KEY);
    if (token === null) {
      return undefined;
    }
    const session = sessionOf(token);
    if (session === undefined || session.expiresAt <= this.#now()) {
      shelf.removeItem(KEY);
      return undefined;
    }
    return session;
  }
}
