import type { ConnectionState, End } from "../hub/end.ts";
import type { Entry, NotificationEntry } from "../inbox/entry.ts";
import type { Held } from "./registry.ts";

/** A tab's request to the one with the connection. */
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

/** The result of a request. Errors are sent as text: objects of classes cannot be passed between tabs. */
export type Outcome =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: string; readonly isLost: boolean };

/** The state of the tab with the connection. */
export interface Report {
  /** How many entries it has sent to the others. */
  readonly told: number;
  readonly ids: readonly string[];
  readonly cursor: string | undefined;
  readonly state: ConnectionState;
  /** Whether it is in the background, where its timers may run once a minute. */
  readonly isHidden: boolean;
  readonly groups: readonly Held[];
  /** Only for a tab that starts here. */
  readonly retained?: readonly NotificationEntry[];
  readonly isWhole?: boolean;
}

interface From {
  /** The sender. */
  readonly from: string;
}

interface To {
  /** The receiver. */
  readonly to: string;
}

/** The messages between tabs of one user and hub. None contains a token. */
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
