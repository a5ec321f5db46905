import { HubConnectionBuilder, HubConnectionState, LogLevel, type HubConnection } from "@microsoft/signalr";
import { CursorTracker } from "./cursor.ts";
import * as read from "./notification.ts";
import { isForbidden, isRefused, retryDelay } from "./retry.ts";
import { Seen } from "./seen.ts";

export type HubState = "connecting" | "connected" | "reconnecting" | "disconnected";

/** The page's handlers for the hub's events. */
export interface HubEvents {
  state(state: HubState): void;
  toast(toast: read.Toast): void;
  /** `news` is false if the same notification was seen before. */
  featureFlag(flag: read.FeatureFlag, catchingUp: boolean, news: boolean): void;
  exportProgress(progress: read.ExportProgress): void;
  logout(logout: read.Logout): void;
  /** The replay after a reconnect or a reload is complete. */
  caughtUp(replayed: number): void;
  /** Not everything that was missed can be sent again: refetch. */
  missed(): void;
  /** The server refuses the token (401) or the org (403): not tried again. */
  refused(why: "token" | "org"): void;
}

/** Where the tab stores its cursor over a reload. */
export interface CursorShelf {
  load(): string | undefined;
  save(cursor: string): void;
}

/** The connection of this tab to the hub, with the official client. */
export class Hub {
  readonly #connection: HubConnection;
  readonly #events: HubEvents;
  readonly #shelf: CursorShelf;
  readonly #cursor: CursorTracker;
  readonly #seen = new Seen();
  #stopped = false;
  #refusal: unknown;

  constructor(url: string, token: string, shelf: CursorShelf, events: HubEvents) {
    this.#events = events;
    this.#shelf = shelf;
    this.#cursor = new CursorTracker(shelf.load());
    this.#connection = new HubConnectionBuilder()
      .withUrl(url, { accessTokenFactory: () => token })
      .withAutomaticReconnect({
        nextRetryDelayInMilliseconds: ({ previousRetryCount, retryReason }) => {
          this.#refusal = isRefused(retryReason) || isForbidden(retryReason) ? retryReason : undefined;
          return this.#refusal === undefined ? retryDelay(previousRetryCount) : null;
        },
      })
      .configureLogging(LogLevel.Error)
      .build();
    this.#receive();
    this.#follow();
  }

  /** Connects, and keeps trying until it is connected, refused or stopped. */
  async start(): Promise<void> {
    this.#stopped = false;
    this.#events.state("connecting");
    for (let attempt = 0; !this.#stopped; attempt += 1) {
      try {
        await this.#connection.start();
        await this.#joined();
        return;
      } catch (error) {
        if (this.#refuse(error)) {
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, retryDelay(attempt)));
      }
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#connection.stop();
  }

  #receive(): void {
    this.#on("toast", read.readToast, (toast, news) => news && this.#events.toast(toast));
    this.#on("featureFlag", read.readFeatureFlag, (flag, news) => {
      this.#events.featureFlag(flag, this.#cursor.resumeFrom !== undefined, news);
    });
    this.#on("exportProgress", read.readExportProgress, (step) => this.#events.exportProgress(step));
    this.#on("logout", read.readLogout, (logout) => {
      this.#stopped = true;
      this.#events.logout(logout);
    });
  }

  #on<N extends { id: string; cursor: string | undefined }>(
    target: string,
    parse: (argument: unknown, now: number) => N | undefined,
    handle: (notification: N, news: boolean) => void,
  ): void {
    this.#connection.on(target, (argument: unknown) => {
      const notification = parse(argument, Date.now());
      if (notification === undefined || this.#stopped) {
        return;
      }
      this.#cursor.received(notification.cursor);
      this.#saveCursor();
      handle(notification, this.#seen.first(notification.id));
    });
  }

  #follow(): void {
    this.#connection.onreconnecting(() => {
      this.#cursor.lost();
      this.#events.state("reconnecting");
    });
    this.#connection.onreconnected(() => void this.#joined());
    this.#connection.onclose((error) => {
      this.#cursor.lost();
      if (!this.#stopped && !this.#refuse(this.#refusal ?? error)) {
        this.#events.state("disconnected");
      }
    });
  }

  /** Connected and in its groups: now resume, or ask for the current cursor. */
  async #joined(): Promise<void> {
    this.#events.state("connected");
    const from = this.#cursor.resumeFrom;
    try {
      if (from !== undefined) {
        await this.#resume(from);
      } else if (this.#cursor.position === undefined) {
        const position = await this.#connection.invoke<unknown>("Cursor");
        this.#cursor.received(typeof position === "string" ? position : undefined);
      }
    } catch {
      // A drop during the call is retried after the reconnect; an error answer means an unknown cursor.
      if (from !== undefined && this.#connection.state === HubConnectionState.Connected) {
        this.#cursor.forgotten();
        this.#events.missed();
      }
    }
    this.#saveCursor();
  }

  /** One call sends no more than the hub allows: it is repeated while there is more. */
  async #resume(from: string): Promise<void> {
    let replayed = 0;
    let answer = read.readResumed(await this.#connection.invoke<unknown>("Resume", from));
    while (answer.goOnFrom !== undefined) {
      replayed += answer.replayed;
      answer = read.readResumed(await this.#connection.invoke<unknown>("Resume", answer.goOnFrom));
    }
    this.#cursor.resumed();
    if (answer.complete) {
      this.#events.caughtUp(replayed + answer.replayed);
    } else {
      this.#events.missed();
    }
  }

  #refuse(error: unknown): boolean {
    const why = isRefused(error) ? "token" : isForbidden(error) ? "org" : undefined;
    if (why !== undefined && !this.#stopped) {
      this.#stopped = true;
      this.#events.state("disconnected");
      this.#events.refused(why);
    }
    return why !== undefined;
  }

  #saveCursor(): void {
    const position = this.#cursor.position;
    if (position !== undefined) {
      this.#shelf.save(position);
    }
  }
}
