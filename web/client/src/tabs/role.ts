import type { ConnectionState, End } from "../hub/end.ts";
import type { Inbox } from "../inbox/inbox.ts";
import type { Settings } from "../options.ts";
import type { Calls } from "./calls.ts";
import type { Channel } from "./channel.ts";
import type { Memberships } from "./memberships.ts";
import type { Message } from "./message.ts";
import type { Registry } from "./registry.ts";

/** A tab's role: it leads, or it follows. */
export interface Role {
  receive(message: Message): void;
  stop(): void;
}

/** What a role needs. */
export interface TabParts {
  readonly id: string;
  readonly settings: Settings;
  readonly channel: Channel;
  readonly inbox: Inbox;
  readonly calls: Calls;
  readonly memberships: Memberships;
  readonly registry: Registry;
  readonly isShared: boolean;
  /** The name of the lock that shows that a tab exists. */
  presenceOf(tab: string): string;
  state(state: ConnectionState): void;
  ended(end: End): void;
}
