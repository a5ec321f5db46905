import { LogLevel, type IHttpConnectionOptions, type IHubProtocol, type ILogger } from "@microsoft/signalr";
import { envelopeOf, type Envelope } from "./inbox/envelope.ts";
import type { Shelf } from "./inbox/place.ts";

/** The key of the value in a target's notification; undefined if this one has none. */
export type KeyOf = (...args: any[]) => string | undefined;

/** The options of a client. */
export interface ClientOptions {
  /** The hub's address, such as `/hubs/notifications`. Without a token: that is what `accessToken` is for. */
  readonly hub: string;
  /** The current user's bearer token, called for each connection. Left out if a cookie authenticates. */
  readonly accessToken?: () => string | Promise<string>;
  /**
   * The user of this tab. Tabs of one browser with the same user and hub share one connection; without it this tab has
   * its own. If sessions of one user end independently in one browser, include the session.
   */
  readonly user?: string;
  /**
   * Targets whose newest value of each key a node sends to later connections (routes with `retain`), and their keys: `{
   * featureFlag: (flag) => flag.flag }`. A tab that shares another's connection gets them too.
   */
  readonly retained?: Readonly<Record<string, KeyOf>>;
  /** Reads id and cursor of a notification, if they are not the fields `id` and `cursor` of its first argument. */
  readonly envelope?: (target: string, args: readonly unknown[]) => Envelope;
  /** Further options of the official client's `withUrl`. */
  readonly connection?: Omit<IHttpConnectionOptions, "accessTokenFactory" | "logger">;
  /** JSON if left out; `new MessagePackHubProtocol()` is another. */
  readonly protocol?: IHubProtocol;
  /** The storage of the cursor over a reload: `sessionStorage` if left out. */
  readonly storage?: Shelf;
  readonly logger?: ILogger | LogLevel;
}

/** Checked options. */
export interface Settings {
  readonly url: string;
  /** The name for the locks, the channel and the position of this hub and user. */
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

/** Refuses impossible options at construction instead of at `start`. */
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

/** `base` resolves a relative address: the page's address, which does not exist when a server renders it. */
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

/**
 * The address is part of the names of locks and channels, which every script of the origin may list: it must contain no
 * secret.
 */
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

/** Browsers throw on access to the name if storage is off. */
function sessionShelf(): Shelf | undefined {
  try {
    return globalThis.sessionStorage;
  } catch {
    return undefined;
  }
}
