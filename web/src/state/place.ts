import type { CursorShelf } from "../connection/hub.ts";
import type { Shelf } from "../session/store.ts";

const KEY = "fanfare.cursor";

/** Deletes the cursor: the session is over. */
export function forgetCursor(shelf: Shelf): void {
  shelf.removeItem(KEY);
}

/** Stores the tab's cursor over a reload; `place` is the owner of the stream. */
export function cursorShelf(shelf: Shelf, place: string): CursorShelf {
  return {
    load() {
      const saved = shelf.getItem(KEY);
      const [whose, cursor] = saved === null ? [] : saved.split("\n");
      return whose === place ? cursor : undefined;
    },
    save(cursor) {
      shelf.setItem(KEY, `${place}\n${cursor}`);
    },
  };
}
