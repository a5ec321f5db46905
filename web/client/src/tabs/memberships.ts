import type { Calls } from "./calls.ts";
import type { Group } from "./message.ts";
import { groupKey } from "./registry.ts";

/** How a group is left, and the callback for its end. */
export interface JoinOptions {
  /** The method that leaves the group, with the arguments that joined it. */
  readonly leave?: string;
  /** Rejoining was refused: the user may no longer be in the group. */
  readonly ended?: (error: Error) => void;
}

/** A group that this tab has joined. It is rejoined after each reconnect, by whichever tab has the connection. */
export interface Membership {
  /** The method's answer. */
  readonly answer: unknown;
  /** Leaves the group, once no other part of this tab and no other tab needs it. */
  leave(): Promise<void>;
}

interface Joined {
  readonly group: Group;
  readonly holders: Set<{ ended: ((error: Error) => void) | undefined }>;
}

/** The groups of this tab. */
export class Memberships {
  readonly #joined = new Map<string, Joined>();
  readonly #calls: Calls;
  readonly #present: { hold(): Promise<void>; release(): void };

  /** `present` shows the other tabs that this one exists. */
  constructor(calls: Calls, present: { hold(): Promise<void>; release(): void }) {
    this.#calls = calls;
    this.#present = present;
  }

  get isEmpty(): boolean {
    return this.#joined.size === 0;
  }

  async join(method: string, args: readonly unknown[], options: JoinOptions): Promise<Membership> {
    const group: Group = { key: groupKey(method, args), method, args, leave: options.leave };
    // This first, or the tab would count as gone.
    await this.#present.hold();
    const answer = await this.#calls.make({ do: "join", group });
    const joined = this.#joined.get(group.key) ?? { group, holders: new Set() };
    const holder = { ended: options.ended };
    joined.holders.add(holder);
    this.#joined.set(group.key, joined);
    return { answer, leave: () => this.#leave(joined, holder) };
  }

  /** Rejoins groups that the tab with the connection does not know; returns whether there were any. */
  rejoin(isKnown: (key: string) => boolean): boolean {
    const unknown = [...this.#joined.values()].filter(({ group }) => !isKnown(group.key));
    for (const { group } of unknown) {
      this.#calls.make({ do: "join", group }).catch((error: Error) => this.lost(group.key, error));
    }
    return unknown.length > 0;
  }

  /** The hub refuses the group. */
  lost(key: string, error: Error): void {
    const joined = this.#joined.get(key);
    this.#forget(key);
    joined?.holders.forEach(({ ended }) => ended?.(error));
  }

  async #leave(joined: Joined, holder: { ended: ((error: Error) => void) | undefined }): Promise<void> {
    const { key } = joined.group;
    if (!joined.holders.delete(holder) || joined.holders.size > 0 || this.#joined.get(key) !== joined) {
      return;
    }
    this.#forget(key);
    await this.#calls.make({ do: "leave", key });
  }

  #forget(key: string): void {
    this.#joined.delete(key);
    if (this.isEmpty) {
      this.#present.release();
    }
  }
}
