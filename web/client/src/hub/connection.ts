import { HubConnectionBuilder, HubConnectionState, type HubConnection } from "@microsoft/signalr";
import type { Settings } from "../options.ts";
import { ConnectionLost, type ConnectionState, type End } from "./end.ts";
import { EVERYTHING, EveryTarget } from "./protocol.ts";
import { readCursor, readResumed } from "./resume.ts";
import { refusalOf, retryDelay } from "./retry.ts";

/** A negotiation without an answer is given up after this long; the official client's own limit is 100 s. */
const NEGOTIATE_MS = 10_000;
/** A cursor older than this is renewed: it would leave the replay window while nothing arrives. */
const FRESH_MS = 60_000;
/** More than this is not held before the resume. */
const MOST_EARLY = 1_000;

/**
 * The state of the connection. A busy page resumes late: the hub then takes it for quiet, and sends live notifications.
 * These are held until the call to resume is sent, because missed ones come before them.
 */
type Phase = "down" | "arriving" | "asking" | "caught up";

/** The connection's events, in the order in which they occurred. */
export interface HubEvents {
  state(state: ConnectionState): void;
  /** `cursor` is undefined while what was missed is being replayed. */
  notification(target: string, args: readonly unknown[], size: number, isCatchingUp: boolean): string | undefined;
  /** Everything up to this cursor has been received. */
  stands(cursor: string): void;
  /** Not everything that was missed could be sent. */
  gap(): void;
  /** It is closed for good; only for this tab if the hub refused its token. */
  ended(end: End, isRefused: boolean): void;
}

/** What the connection needs from its tab whenever it is up. */
export interface HubPlace {
  cursor(): string | undefined;
  /** Whether this tab or another one had a connection before this one. */
  isReturning: boolean;
  /** Rejoins the groups; it reports refused ones itself. */
  rejoin(call: (method: string, args: readonly unknown[]) => Promise<unknown>): Promise<unknown>;
}

/** The connection to a hub with the official client: it reconnects, rejoins and resumes. */
export class Hub {
  readonly #connection: HubConnection;
  readonly #events: HubEvents;
  readonly #place: HubPlace;
  readonly #waiting = new Set<() => void>();
  #generation = 0;
  #mayHaveMissed: boolean;
  #phase: Phase = "down";
  #early: (() => void)[] = [];
  #isStopped = false;
  #refusal: unknown;
  #cursorAt = 0;
  #fresher: ReturnType<typeof setInterval> | undefined;

  constructor(settings: Settings, place: HubPlace, events: HubEvents) {
    this.#events = events;
    this.#place = place;
    this.#mayHaveMissed = place.isReturning;
    this.#connection = new HubConnectionBuilder()
      .withUrl(settings.url, { timeout: NEGOTIATE_MS, ...settings.connection })
      .withHubProtocol(new EveryTarget(settings.protocol))
      .withAutomaticReconnect({
        nextRetryDelayInMilliseconds: ({ previousRetryCount, retryReason }) => {
          this.#refusal = refusalOf(retryReason) === undefined ? undefined : retryReason;
          return this.#refusal === undefined ? retryDelay(previousRetryCount) : null;
        },
      })
      .configureLogging(settings.logger)
      .build();
    this.#follow();
  }

  /** Connects, and keeps trying until it is connected, refused or stopped. */
  async start(): Promise<void> {
    this.#events.state("connecting");
    for (let attempt = 0; !this.#isStopped; attempt += 1) {
      try {
        await this.#connection.start();
        return this.#arrived();
      } catch (error) {
        if (this.#isStopped || this.#refused(error)) {
          return;
        }
        await new Promise((waited) => setTimeout(waited, retryDelay(attempt)));
      }
    }
  }

  stop(): void {
    this.#lost();
    this.#isStopped = true;
    // Only the official client's close is left; nothing waits for it.
    void this.#connection.stop().catch(() => undefined);
    this.#wake();
  }

  /** Calls a method once the connection has caught up. */
  async invoke(method: string, args: readonly unknown[]): Promise<unknown> {
    while (this.#phase !== "caught up") {
      if (this.#isStopped) {
        throw new ConnectionLost("The connection is closed.");
      }
      await new Promise<void>((up) => this.#waiting.add(up));
    }
    return this.#call(method, args);
  }

  async #call(method: string, args: readonly unknown[]): Promise<unknown> {
    const generation = this.#generation;
    try {
      return await this.#connection.invoke<unknown>(method, ...args);
    } catch (error) {
      // An answer of the hub means that the connection still exists.
      if (generation !== this.#generation || this.#connection.state !== HubConnectionState.Connected) {
        throw new ConnectionLost(`The connection was lost while ${method} ran.`, { cause: error });
      }
      throw error;
    }
  }

  #tell(target: string, size: number, args: readonly unknown[]): void {
    const isCaughtUp = this.#phase === "caught up";
    if (!this.#isStopped && this.#events.notification(target, args, size, !isCaughtUp) !== undefined) {
      this.#cursorAt = Date.now();
    }
  }

  #tellEarly(): void {
    const early = this.#early;
    this.#early = [];
    early.forEach((tell) => tell());
  }

  #follow(): void {
    this.#connection.on(EVERYTHING, (target: string, size: number, ...args: unknown[]) => {
      const tell = () => this.#tell(target, size, args);
      const isEarly = this.#phase === "down" || this.#phase === "arriving";
      if (isEarly && this.#early.length < MOST_EARLY) {
        this.#early.push(tell);
      } else {
        tell();
      }
    });
    this.#connection.onreconnecting(() => {
      this.#lost();
      this.#events.state("reconnecting");
    });
    this.#connection.onreconnected(() => void this.#arrived());
    this.#connection.onclose((error) => {
      this.#lost();
      if (!this.#isStopped && !this.#refused(this.#refusal)) {
        // A Close without an error ends the session; the client has retried after everything else.
        this.#end(error === undefined ? { reason: "logged-out" } : { reason: "ended", error }, false);
      }
    });
  }

  /** Connected, but in no group that a method joins: join, then resume or ask for the current cursor. */
  async #arrived(): Promise<void> {
    const generation = ++this.#generation;
    this.#phase = "arriving";
    const isCurrent = () => generation === this.#generation && !this.#isStopped;
    try {
      await this.#place.rejoin((method, args) => this.#call(method, args));
      if (isCurrent()) {
        this.#phase = "asking";
        await this.#catchUp(isCurrent);
      }
    } catch {
      // Lost again: everything restarts with the next connection.
    }
    if (isCurrent() && this.#connection.state === HubConnectionState.Connected) {
      this.#tellEarly();
      this.#phase = "caught up";
      this.#cursorAt = Date.now();
      this.#fresher = setInterval(() => void this.#freshen(), FRESH_MS / 2);
      this.#events.state("connected");
      this.#wake();
    }
  }

  async #catchUp(isCurrent: () => boolean): Promise<void> {
    const from = this.#place.cursor();
    const isComplete = from === undefined ? !this.#mayHaveMissed : await this.#resume(from, isCurrent);
    this.#mayHaveMissed = true;
    if (from === undefined || isComplete === undefined) {
      await this.#begin(isCurrent);
    }
    if (!isComplete && isCurrent()) {
      this.#events.gap();
    }
  }

  /** Whether everything missed has been sent; undefined if the hub does not accept the cursor. */
  async #resume(from: string, isCurrent: () => boolean): Promise<boolean | undefined> {
    for (let cursor = from; ; ) {
      let answer: unknown;
      try {
        answer = await this.#call("Resume", [cursor]);
      } catch (error) {
        if (error instanceof ConnectionLost) {
          throw error;
        }
        return undefined;
      }
      const resumed = readResumed(answer);
      if (!isCurrent()) {
        throw new ConnectionLost("The connection was lost during a resume.");
      }
      this.#stands(resumed.cursor);
      if (!resumed.more || resumed.cursor === undefined) {
        return resumed.complete;
      }
      cursor = resumed.cursor;
    }
  }

  /**
   * Starts from the hub's current position. A hub without `Cursor` is not a Fanfare node: there each reconnect is a
   * gap.
   */
  async #begin(isCurrent: () => boolean): Promise<void> {
    try {
      const cursor = readCursor(await this.#call("Cursor", []));
      if (isCurrent()) {
        this.#stands(cursor);
      }
    } catch (error) {
      if (error instanceof ConnectionLost) {
        throw error;
      }
    }
  }

  async #freshen(): Promise<void> {
    const asked = this.#cursorAt;
    const generation = this.#generation;
    if (Date.now() - asked < FRESH_MS || this.#place.cursor() === undefined) {
      return;
    }
    const cursor = await this.#call("Cursor", []).then(readCursor, () => undefined);
    // Notifications received meanwhile have a newer cursor.
    if (cursor !== undefined && this.#cursorAt === asked && generation === this.#generation) {
      this.#stands(cursor);
    }
  }

  #stands(cursor: string | undefined): void {
    if (cursor !== undefined) {
      this.#cursorAt = Date.now();
      this.#events.stands(cursor);
    }
  }

  #lost(): void {
    this.#generation += 1;
    this.#tellEarly();
    this.#phase = "down";
    clearInterval(this.#fresher);
  }

  #refused(error: unknown): boolean {
    const reason = refusalOf(error);
    if (reason !== undefined) {
      this.#end({ reason, error: error as Error }, true);
    }
    return reason !== undefined;
  }

  #end(end: End, isRefused: boolean): void {
    this.#isStopped = true;
    this.#wake();
    this.#events.state("closed");
    this.#events.ended(end, isRefused);
  }

  #wake(): void {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    waiting.forEach((up) => up());
  }
}
