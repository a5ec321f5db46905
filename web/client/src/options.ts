import { LogLevel, type IHttpConnectionOptions, type IHubProtocol, type ILogger } from "@microsoft/signalr";
import { envelopeOf, type Envelope } from "./inbox/envelope.ts";
import type { Shelf } from "./inbox/place.ts";

/** What a target's newest notification is the value of; undefined if this one is no value. */
export type KeyOf = (...args: any[]) => string | undefined;

/** What a client is made of. */
export interface ClientOptions {
  /** The hub's address, such as `/hubs/notifications`. Without a token: that is what `accessToken` is for. */
  readonly hub: string;
  /** The bearer of whoever uses this tab, fresh each time that it is asked for. Left out where a cookie says it. */
  readonly accessToken?: () => string | Promise<string>;
  /**
   * Who uses this tab. Tabs of one browser with the same user and hub share one connection; without it this tab has its
   * own. If sessions of one user end apart in one browser, let it name the session too.
   */
  readonly user?: string;
  /**
   * Targets of which a node tells the newest value of each key to who connects later (routes with `retain`), and which
   * argument is the key: `{ featureFlag: (flag) => flag.flag }`. A tab that shares another's connection is told them too.
   */
  readonly retained?: Readonly<Record<string, KeyOf>>;
  /** Reads id and cursor of a notification, if they are not the fields `id` and `cursor` of its first argument. */
  readonly envelope?: (target: string, args: readonly unknown[]) => Envelope;
  /** Further options of the official client's `withUrl`. */
  readonly connection?: Omit<IHttpConnectionOptions, "accessTokenFactory" | "logger">;
  /** JSON if left out; `new MessagePackHubProtocol()` is another. */
  readonly protocol?: IHubProtocol;
  /** Where the cursor is kept over a reload: `sessionStorage` if left out. */
  readonly storage?: Shelf;
  readonly logger?: ILogger | LogLevel;
}

/** Options that were checked. */
export interface Settings {
  readonly url: string;
  /** What names the locks, the channel and the place of this hub and user. */
  readonly key: string;
  readonly isShared: boolean;
  readonly connection: IHttpConnectionOptions;
  readonly protocol: IHubProtocol | undefined;
  readonly logger: ILogger | LogLevel;
  readonly shelf: Shelf | undefined;
  readonly envelope: (target: string, args: readonly unknown[]) => Envelope;
  readonly keyOf: (target: string, args: readonly unknown[]) => string | undefined;
}

const OPTIONS = [
  "hub",
  "accessToken",
  "user",
  "retained",
  "envelope",
  "connection",
  "protocol",
  "storage",
  "logger",
];

/** Refuses what no client can be made of, where it is written and not where it starts. */
export function checkOptions(options: ClientOptions): void {
  const unknown = Object.keys(options).find((name) => !OPTIONS.includes(name));
  if (unknown !== undefined) {
    throw new TypeError(`${unknown} is no option of a client; they are ${OPTIONS.join(", ")}`);
  }
  const { user } = options;
  if (user !== undefined && (typeof user !== "string" || user === "")) {
    throw new TypeError("user must be a text that says who uses this tab; leave it out for a connection of its own");
  }
}

/** `base` is what a relative address belongs to: the page's, which a server that renders it does not have. */
export function settingsOf(options: ClientOptions, base = globalThis.location?.href): Settings {
  const { user, connection, protocol, logger = LogLevel.Warning, accessToken } = options;
  const url = addressOf(options.hub, base);
  return {
    url,
    key: JSON.stringify(user === undefined ? [url] : [url, user]),
    isShared: user !== undefined,
    connection: { ...connection, ...(accessToken === undefined ? {} : { accessTokenFactory: accessToken }) },
    protocol,
    logger,
    shelf: options.storage ?? sessionShelf(),
    envelope: options.envelope ?? ((_, args) => envelopeOf(args)),
    keyOf: keyReader(options.retained ?? {}),
  };
}

/** The address names locks and channels, which every script of the origin may list: it must hold no secret. */
function addressOf(hub: unknown, base: string | undefined): string {
  let url: URL;
  try {
    url = new URL(String(hub), base);
  } catch {
    throw new TypeError(`hub must be the address of a hub, such as "/hubs/notifications", and not ${JSON.stringify(hub)}`);
  }
  if ([...url.searchParams.keys()].some((name) => name.toLowerCase() === "access_token")) {
    throw new TypeError("hub must not hold a token: pass it as accessToken, which is asked for whenever one is needed");
  }
  url.hash = "";
  return url.href;
}

function keyReader(retained: Readonly<Record<string, KeyOf>>): Settings["keyOf"] {
  // The official client compares targets case-insensitively.
  const byTarget = new Map(Object.entries(retained).map(([target, read]) => [target.toLowerCase(), read]));
  return (target, args) => {
    const key: unknown = byTarget.get(target.toLowerCase())?.(...args);
    return key === undefined || key === null ? undefined : String(key);
  };
}

/** Browsers throw on the mere name where storage is off. */
function sessionShelf(): Shelf | undefined {
  try {
    return globalThis.sessionStorage;
  } catch {
    return undefined;
  }
}
