import type { ConnectionState, End } from "../hub/end.ts";
import { Inbox, type Listener } from "../inbox/inbox.ts";
import { Place } from "../inbox/place.ts";
import type { Settings } from "../options.ts";
import { Calls } from "./calls.ts";
import { alone, openChannel, type Channel } from "./channel.ts";
import { Following } from "./following.ts";
import { Leading } from "./leading.ts";
import { followLifecycle } from "./lifecycle.ts";
import { canShare, Candidacy, Presence } from "./locks.ts";
import { Memberships } from "./memberships.ts";
import { Registry } from "./registry.ts";
import type { Role, TabParts } from "./role.ts";

/** A tab's events for its page. */
export interface TabEvents {
  deliver(target: string, args: readonly unknown[]): void;
  gap(): void;
  state(state: ConnectionState): void;
  ended(end: End): void;
}

/**
 * This tab among those of its user and hub. The tabs queue for one lock; the one that has it has the connection, and
 * the browser passes it on when that tab closes, freezes or crashes.
 */
export class Tab {
  readonly calls = new Calls();
  readonly memberships: Memberships;
  readonly #id = newId();
  readonly #settings: Settings;
  readonly #events: TabEvents;
  readonly #inbox: Inbox;
  readonly #place: Place;
  readonly #presence: Presence | undefined;
  readonly #registry = new Registry();
  readonly #unfollow: () => void;
  #isShared: boolean;
  #role: Role | undefined;
  #channel: Channel = alone;
  #candidacy: Candidacy | undefined;
  #state: ConnectionState = "connecting";
  #wasConnected = false;
  #isOver = false;

  constructor(settings: Settings, events: TabEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#place = new Place(settings.shelf, `fanfare.place:${settings.key}`);
    this.#inbox = new Inbox(this.#listener(), this.#place.load());
    this.#isShared = settings.isShared && canShare();
    this.#presence = this.#isShared ? new Presence(this.#presenceOf(this.#id)) : undefined;
    this.memberships = new Memberships(this.calls, {
      hold: async () => this.#presence?.hold(),
      release: () => this.#presence?.release(),
    });
    this.#unfollow = followLifecycle({ sleep: () => this.#sleep(), wake: () => this.#wake() });
    this.#wake();
  }

  /** Closes the tab's part for good. */
  close(end: End): void {
    if (this.#isOver) {
      return;
    }
    this.#isOver = true;
    this.#sleep();
    this.#unfollow();
    this.calls.close();
    if (end.reason === "logged-out") {
      this.#place.forget();
    }
    this.#show("closed");
    this.#events.ended(end);
  }

  #listener(): Listener {
    return {
      deliver: (target, args) => this.#events.deliver(target, args),
      gap: () => this.#events.gap(),
      moved: () => this.#place.save(() => this.#inbox.standing),
    };
  }

  /** Releases everything that the other tabs wait for, at once: the page may not run again. */
  #sleep(): void {
    this.#role?.stop();
    this.#role = undefined;
    this.calls.carryBy(undefined);
    this.#candidacy?.release();
    this.#candidacy = undefined;
    this.#channel.close();
    this.#channel = alone;
    this.#place.flush();
    this.#presence?.release();
    this.#show("connecting");
  }

  #wake(): void {
    if (this.#isOver || this.#role !== undefined) {
      return;
    }
    if (!this.#isShared) {
      this.#role = new Leading(this.#parts());
      return;
    }
    try {
      this.#channel = openChannel(this.#name("channel"), this.#id, (message) => this.#role?.receive(message));
    } catch {
      this.#beAlone();
      return;
    }
    if (!this.memberships.isEmpty) {
      void this.#presence?.hold();
    }
    this.#follow();
    this.#candidate();
  }

  #candidate(): void {
    this.#candidacy = new Candidacy(this.#name("lead"), {
      granted: () => this.#lead(),
      // Another tab has taken over the connection, because this one did not answer.
      lost: () => {
        this.#follow();
        this.#candidate();
      },
      denied: () => this.#beAlone(),
    });
  }

  /** The browser has locks and channels, but not for this page: same as without them. */
  #beAlone(): void {
    this.#sleep();
    this.#isShared = false;
    this.#wake();
  }

  #lead(): void {
    this.#role?.stop();
    this.#role = new Leading(this.#parts());
  }

  #follow(): void {
    this.#role?.stop();
    this.#role = new Following(this.#parts(), () => this.#candidacy?.steal());
  }

  #parts(): TabParts {
    return {
      id: this.#id,
      settings: this.#settings,
      channel: this.#channel,
      inbox: this.#inbox,
      calls: this.calls,
      memberships: this.memberships,
      isShared: this.#isShared,
      registry: this.#registry,
      presenceOf: (tab) => this.#presenceOf(tab),
      state: (state) => this.#show(state),
      ended: (end) => this.close(end),
    };
  }

  #show(state: ConnectionState): void {
    const shown = state === "connecting" && this.#wasConnected ? "reconnecting" : state;
    this.#wasConnected ||= state === "connected";
    if (shown !== this.#state && !(this.#isOver && shown !== "closed")) {
      this.#state = shown;
      this.#events.state(shown);
    }
  }

  #presenceOf(tab: string): string {
    return this.#name(`tab:${tab}`);
  }

  #name(what: string): string {
    return `fanfare:${what}:${this.#settings.key}`;
  }
}

/** `crypto.randomUUID` exists only in secure contexts. */
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
