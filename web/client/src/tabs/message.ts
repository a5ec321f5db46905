import type { ConnectionState, End } from "../hub/end.ts";
import type { Entry, NotificationEntry } from "../inbox/entry.ts";
import type { Held } from "./registry.ts";

/** What a tab asks of the one that holds the connection. */
export type Request =
  | { readonly do: "invoke"; readonly method: string; readonly args: readonly unknown[] }
  | { readonly do: "join"; readonly group: Group }
  | { readonly do: "leave"; readonly key: string };

/** A group that a tab has joined, by the call that joins it. */
export interface Group {
  readonly key: string;
  readonly method: string;
  readonly args: readonly unknown[];
  /** The method that leaves it, with the same arguments. */
  readonly leave: string | undefined;
}

/** How a request ended. Errors are told by their text: objects of classes do not pass between tabs. */
export type Outcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: string; readonly isLost: boolean };

/** Where the tab that holds the connection stands. */
export interface Report {
  /** How many entries it has told the others. */
  readonly told: number;
  readonly ids: readonly string[];
  readonly cursor: string | undefined;
  readonly state: ConnectionState;
  /** Whether it is in the background, where its timers may run once a minute. */
  readonly isHidden: boolean;
  readonly groups: readonly Held[];
  /** Only for a tab that begins here. */
  readonly retained?: readonly NotificationEntry[];
  readonly isWhole?: boolean;
}

interface From {
  /** The tab that says it. */
  readonly from: string;
}

interface To {
  /** The tab that it is said to. */
  readonly to: string;
}

/** What tabs of one user and hub say to each other. No token is among it. */
export type Message = From &
  (
    | { readonly type: "hello"; readonly begins: boolean }
    | { readonly type: "leads"; readonly to?: string; readonly report: Report }
    | ({ readonly type: "want"; readonly ids: readonly string[] } & To)
    | ({ readonly type: "given"; readonly entries: readonly Entry[] } & To)
    | { readonly type: "heard"; readonly told: number; readonly entry: Entry }
    | { readonly type: "state"; readonly state: ConnectionState; readonly isHidden: boolean }
    | { readonly type: "groups"; readonly groups: readonly Held[] }
    | { readonly type: "lost"; readonly key: string; readonly error: string }
    | ({ readonly type: "probe" } & To)
    | ({ readonly type: "alive"; readonly told: number } & To)
    | ({ readonly type: "call"; readonly n: number; readonly request: Request } & To)
    | ({ readonly type: "taken"; readonly n: number } & To)
    | ({ readonly type: "answer"; readonly n: number; readonly outcome: Outcome } & To)
    | { readonly type: "over"; readonly end: End }
  );

/** Without the sender, which the channel adds. */
export type Saying = Message extends infer M ? (M extends From ? Omit<M, "from"> : never) : never;
