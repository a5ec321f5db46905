import type { FeatureFlag } from "../connection/notification.ts";
import type { FlagValue } from "../services/license.ts";
import { Changes } from "./changes.ts";

/** How a pushed flag changed the list. */
export type FlagChange = "added" | "changed" | "removed" | "same";

/** The flags of the org: refetched from the license service, kept current by the hub. */
export class Flags {
  readonly changes = new Changes();
  readonly #flags = new Map<string, { enabled: boolean; at: number }>();
  #pushed = new Set<string>();

  isOn(name: string): boolean {
    return this.#flags.get(name)?.enabled === true;
  }

  list(): FlagValue[] {
    return [...this.#flags]
      .map(([name, { enabled }]) => ({ name, enabled }))
      .sort((a, b) => a.name.localeCompare(b.name));
  }

  /**
   * Applies a pushed flag. While the tab catches up, a replayed older value can follow the retained newest one, so only
   * then the time decides; otherwise the stream's order does.
   */
  push(pushed: FeatureFlag, catchingUp: boolean): FlagChange {
    const known = this.#flags.get(pushed.flag);
    if (catchingUp && known !== undefined && pushed.at < known.at) {
      return "same";
    }
    this.#pushed.add(pushed.flag);
    if (pushed.removed) {
      this.#flags.delete(pushed.flag);
    } else {
      this.#flags.set(pushed.flag, { enabled: pushed.enabled, at: pushed.at });
    }
    const change = changeOf(known?.enabled, pushed);
    if (change !== "same") {
      this.changes.tell();
    }
    return change;
  }

  /** Call before refetching: flags pushed from now on are newer than the answer. */
  refetching(): void {
    this.#pushed = new Set();
  }

  /** Applies the refetched list; flags that were pushed meanwhile keep their pushed state. */
  refetched(values: readonly FlagValue[]): void {
    const named = new Map(values.map((value) => [value.name, value.enabled]));
    for (const name of [...this.#flags.keys()]) {
      if (!named.has(name) && !this.#pushed.has(name)) {
        this.#flags.delete(name);
      }
    }
    for (const [name, enabled] of named) {
      if (!this.#pushed.has(name)) {
        this.#flags.set(name, { enabled, at: this.#flags.get(name)?.at ?? 0 });
      }
    }
    this.changes.tell();
  }
}

function changeOf(known: boolean | undefined, pushed: FeatureFlag): FlagChange {
  if (pushed.removed) {
    return known === undefined ? "same" : "removed";
  }
  if (known === undefined) {
    return "added";
  }
  return known === pushed.enabled ? "same" : "changed";
}
