import type { ConnectionState, End } from "../hub/end.ts";
import type { Inbox } from "../inbox/inbox.ts";
import type { Settings } from "../options.ts";
import type { Calls } from "./calls.ts";
import type { Channel } from "./channel.ts";
import type { Memberships } from "./memberships.ts";
import type { Message } from "./message.ts";
import type { Registry } from "./registry.ts";

/** What a tab does about the connection: it leads, or it follows. */
export interface Role {
  receive(message: Message): void;
  stop(): void;
}

/** What a role works with. */
export interface TabParts {
  readonly id: string;
  readonly settings: Settings;
  readonly channel: Channel;
  readonly inbox: Inbox;
  readonly calls: Calls;
  readonly memberships: Memberships;
  readonly registry: Registry;
  readonly isShared: boolean;
  /** The name of the lock that says that a tab is there. */
  presenceOf(tab: string): string;
  state(state: ConnectionState): void;
  ended(end: End): void;
}
