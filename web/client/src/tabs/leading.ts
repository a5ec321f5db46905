import { Hub } from "../hub/connection.ts";
import { ConnectionLost, type ConnectionState, type End } from "../hub/end.ts";
import type { Entry } from "../inbox/entry.ts";
import { isHidden } from "./lifecycle.ts";
import { gone } from "./locks.ts";
import type { Group, Message, Outcome, Report, Request } from "./message.ts";
import type { Role, TabParts } from "./role.ts";

/** This tab has the connection: it sends its entries to the others, and runs their calls. */
export class Leading implements Role {
  readonly #tab: TabParts;
  readonly #hub: Hub;
  readonly #watched = new Set<string>();
  readonly #over = new AbortController();
  #state: ConnectionState = "connecting";
  /** Entries that were sent to the others. */
  #told = 0;
  #serial = 0;

  constructor(tab: TabParts) {
    this.#tab = tab;
    const place = {
      cursor: () => tab.inbox.cursor,
      isReturning: tab.inbox.hasBegun,
      rejoin: (call: Call) => this.#rejoin(call),
    };
    this.#hub = new Hub(tab.settings, place, {
      state: (state) => this.#become(state),
      notification: (target, args, size, isCatchingUp) => this.#notification(target, args, size, isCatchingUp),
      stands: (cursor) => this.#hear({ kind: "stands", id: this.#id(), cursor }),
      gap: () => this.#hear({ kind: "gap", id: this.#id() }),
      ended: (end, isRefused) => this.#ended(end, isRefused),
    });
    tab.channel.say({ type: "leads", report: this.#report() });
    tab.registry.tabs().forEach((one) => this.#watch(one));
    void this.#hub.start();
    tab.calls.carryBy((n, request) => void this.#carry(n, request));
    // Earlier leaders may not know what this tab joined.
    tab.memberships.rejoin((key) => tab.registry.has(tab.id, key));
  }

  receive(message: Message): void {
    const { channel } = this.#tab;
    switch (message.type) {
      case "hello":
        channel.say({ type: "leads", to: message.from, report: this.#report(message.begins) });
        break;
      case "want":
        channel.say({ type: "given", to: message.from, entries: this.#tab.inbox.find(message.ids) });
        break;
      case "probe":
        channel.say({ type: "alive", to: message.from, told: this.#told });
        break;
      case "call":
        void this.#answer(message.from, message.n, message.request);
        break;
      default:
        // The answering tab does not need its own answers.
        break;
    }
  }

  stop(): void {
    this.#over.abort();
    this.#hub.stop();
  }

  #report(begins = false): Report {
    const { inbox, registry } = this.#tab;
    const { entries, isWhole } = inbox.retained();
    return {
      told: this.#told,
      ids: inbox.ids(),
      cursor: inbox.cursor,
      state: this.#state,
      isHidden: isHidden(),
      groups: registry.all(),
      ...(begins ? { retained: entries, isWhole } : {}),
    };
  }

  #become(state: ConnectionState): void {
    this.#state = state;
    this.#tab.channel.say({ type: "state", state, isHidden: isHidden() });
    this.#tab.state(state);
  }

  #notification(target: string, args: readonly unknown[], size: number, isCatchingUp: boolean): string | undefined {
    const { settings } = this.#tab;
    const envelope = settings.envelope(target, args);
    const cursor = isCatchingUp ? undefined : envelope.cursor;
    const key = settings.keyOf(target, args);
    this.#hear({ kind: "notification", id: envelope.id ?? this.#id(), cursor, key, target, args, size });
    return cursor;
  }

  /** The others first: this page's handlers must not delay them. */
  #hear(entry: Entry): void {
    if (this.#tab.inbox.isNews(entry)) {
      this.#told += 1;
      this.#tab.channel.say({ type: "heard", told: this.#told, entry });
    }
    this.#tab.inbox.hear(entry);
  }

  #id(): string {
    this.#serial += 1;
    return `${this.#tab.id}/${this.#serial}`;
  }

  /** A token belongs to one tab, and another may have a good one; every other end ends all tabs. */
  #ended(end: End, isRefused: boolean): void {
    if (!isRefused) {
      this.#tab.channel.say({ type: "over", end });
    }
    this.#tab.ended(end);
  }

  async #carry(n: number, request: Request): Promise<void> {
    const { calls, id } = this.#tab;
    calls.taken(n);
    const outcome = await this.#execute(id, request);
    if (!this.#over.signal.aborted) {
      calls.answered(n, outcome);
    }
  }

  async #answer(from: string, n: number, request: Request): Promise<void> {
    const { channel } = this.#tab;
    // Before it runs: a call that this tab may have made must not be repeated by the next leader.
    channel.say({ type: "taken", to: from, n });
    const outcome = await this.#execute(from, request);
    if (!this.#over.signal.aborted) {
      channel.say({ type: "answer", to: from, n, outcome });
    }
  }

  async #execute(from: string, request: Request): Promise<Outcome> {
    try {
      switch (request.do) {
        case "invoke":
          return { ok: true, value: await this.#hub.invoke(request.method, request.args) };
        case "join":
          return { ok: true, value: await this.#join(from, request.group) };
        case "leave":
          return { ok: true, value: await this.#leave(from, request.key) };
      }
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      return { ok: false, error: text, isLost: error instanceof ConnectionLost };
    }
  }

  async #join(from: string, group: Group): Promise<unknown> {
    const { registry } = this.#tab;
    registry.add(from, group);
    this.#watch(from);
    try {
      return await this.#invokeAgain(group);
    } catch (error) {
      registry.remove(from, group.key);
      throw error;
    } finally {
      this.#sayGroups();
    }
  }

  /** Joining twice is harmless, so a lost connection is waited for. */
  async #invokeAgain({ method, args }: Group): Promise<unknown> {
    for (;;) {
      try {
        return await this.#hub.invoke(method, args);
      } catch (error) {
        if (!(error instanceof ConnectionLost) || this.#over.signal.aborted) {
          throw error;
        }
      }
    }
  }

  async #leave(from: string, key: string): Promise<void> {
    const left = this.#tab.registry.remove(from, key);
    this.#sayGroups();
    if (left?.leave !== undefined) {
      await this.#hub.invoke(left.leave, left.args);
    }
  }

  async #rejoin(call: Call): Promise<void> {
    const { registry, channel, memberships } = this.#tab;
    const joins = registry.all().map(async ({ key, method, args }) => {
      try {
        await call(method, args);
      } catch (error) {
        if (error instanceof ConnectionLost) {
          throw error;
        }
        registry.drop(key);
        channel.say({ type: "lost", key, error: (error as Error).message });
        memberships.lost(key, error as Error);
        this.#sayGroups();
      }
    });
    await Promise.all(joins);
  }

  #sayGroups(): void {
    if (!this.#over.signal.aborted) {
      this.#tab.channel.say({ type: "groups", groups: this.#tab.registry.all() });
    }
  }

  /** A tab that is gone, even by a crash, leaves its groups. */
  #watch(one: string): void {
    const { id, isShared } = this.#tab;
    if (one === id || !isShared || this.#watched.has(one)) {
      return;
    }
    this.#watched.add(one);
    gone(this.#tab.presenceOf(one), this.#over.signal).then(
      () => {
        this.#watched.delete(one);
        for (const key of this.#tab.registry.keysOf(one)) {
          this.#leave(one, key).catch(() => undefined); // a group that is left when the connection ends
        }
      },
      () => undefined,
    );
  }
}

type Call = (method: string, args: readonly unknown[]) => Promise<unknown>;
