/** A tab's position: its cursor, and the newest ids that it has received. */
export interface Standing {
  readonly cursor: string;
  readonly ids: readonly string[];
}

/** Storage over a reload; `sessionStorage` is one. */
export interface Shelf {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

const SAVE_MS = 100;

/** Stores the position of one hub and tab. A page without storage, or with a full one, works without it. */
export class Place {
  readonly #shelf: Shelf | undefined;
  readonly #key: string;
  #unsaved: (() => Standing | undefined) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(shelf: Shelf | undefined, key: string) {
    this.#shelf = shelf;
    this.#key = key;
  }

  load(): Standing | undefined {
    try {
      return read(this.#shelf?.getItem(this.#key) ?? undefined);
    } catch {
      return undefined;
    }
  }

  /** Saves after a moment: a burst costs one write. */
  save(standing: () => Standing | undefined): void {
    this.#unsaved = standing;
    this.#timer ??= setTimeout(() => this.flush(), SAVE_MS);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const standing = this.#unsaved?.();
    this.#unsaved = undefined;
    if (standing !== undefined) {
      this.#attempt((shelf) => shelf.setItem(this.#key, JSON.stringify(standing)));
    }
  }

  /** Another user may sign in on this tab: nothing of this one may stay. */
  forget(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#unsaved = undefined;
    this.#attempt((shelf) => shelf.removeItem(this.#key));
  }

  #attempt(write: (shelf: Shelf) => void): void {
    try {
      if (this.#shelf !== undefined) {
        write(this.#shelf);
      }
    } catch {
      // No storage or a full one: a reload then starts over.
    }
  }
}

function read(text: string | undefined): Standing | undefined {
  if (text === undefined) {
    return undefined;
  }
  const { cursor, ids } = JSON.parse(text) as { cursor?: unknown; ids?: unknown };
  if (typeof cursor !== "string" || cursor === "" || !Array.isArray(ids)) {
    return undefined;
  }
  return { cursor, ids: ids.filter((id) => typeof id === "string") };
}
