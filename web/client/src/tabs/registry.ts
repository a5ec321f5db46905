import type { Group } from "./message.ts";

/** Far more than one connection may join. */
const MOST = 1_000;

/** A group and the tabs that need it. */
export interface Held extends Group {
  readonly tabs: readonly string[];
}

/** Which tab has joined which groups. The tab with the connection maintains it, the others keep a copy. */
export class Registry {
  #held = new Map<string, Held>();

  all(): Held[] {
    return [...this.#held.values()];
  }

  replace(groups: readonly Held[]): void {
    this.#held = new Map(groups.map((held) => [held.key, held]));
  }

  has(tab: string, key: string): boolean {
    return this.#held.get(key)?.tabs.includes(tab) ?? false;
  }

  add(tab: string, { key, method, args, leave }: Group): void {
    const known = this.#held.get(key);
    if (known === undefined && this.#held.size >= MOST) {
      throw new Error(`the tabs of this browser have joined ${MOST} groups, and no more are kept`);
    }
    const others = known?.tabs.filter((one) => one !== tab) ?? [];
    this.#held.set(key, { key, method, args, leave: leave ?? known?.leave, tabs: [...others, tab] });
  }

  /** Returns the group if no tab needs it any more. */
  remove(tab: string, key: string): Group | undefined {
    const known = this.#held.get(key);
    if (known === undefined || !known.tabs.includes(tab)) {
      return undefined;
    }
    const tabs = known.tabs.filter((one) => one !== tab);
    if (tabs.length > 0) {
      this.#held.set(key, { ...known, tabs });
      return undefined;
    }
    this.#held.delete(key);
    return known;
  }

  /** The group is refused to all tabs. */
  drop(key: string): void {
    this.#held.delete(key);
  }

  keysOf(tab: string): string[] {
    return this.all().flatMap((held) => (held.tabs.includes(tab) ? [held.key] : []));
  }

  tabs(): Set<string> {
    return new Set(this.all().flatMap((held) => held.tabs));
  }
}

export function groupKey(method: string, args: readonly unknown[]): string {
  return JSON.stringify([method.toLowerCase(), ...args]);
}
