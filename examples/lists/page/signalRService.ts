// The platform's one connection: a class with a method for each call of the hub. The token is read once, at connect.

import {
  HttpTransportType,
  type HubConnection,
  HubConnectionBuilder,
  HubConnectionState,
} from "@microsoft/signalr";

/** Five attempts; after them the user is asked. */
const RETRIES_MS = [1_000, 2_000, 5_000, 10_000, 30_000];

/** The client has the status of an answer only in its text, also after a failed start. */
function isUnauthorized(error: Error | undefined): boolean {
  return error !== undefined && /\b401\b/.test(error.message);
}

type State = "connected" | "connecting" | "disconnected";
type Handler = (...args: any[]) => void;

class SignalRService {
  #connection: HubConnection | null = null;
  #lists = new Set<string>();
  onState: (state: State) => void = () => undefined;
  onUnauthorized: () => void = () => undefined;

  async connect(token: string | null): Promise<void> {
    if (this.#connection?.state === HubConnectionState.Connected) {
      return;
    }
    if (token === null) {
      throw new Error("Nobody is signed in");
    }
    const connection = new HubConnectionBuilder()
      .withUrl("/hubs/shopping-list", {
        accessTokenFactory: () => token,
        transport: HttpTransportType.WebSockets | HttpTransportType.ServerSentEvents | HttpTransportType.LongPolling,
      })
      .withAutomaticReconnect({
        nextRetryDelayInMilliseconds: ({ previousRetryCount, retryReason }) => {
          // The token was read once: no further attempt helps.
          if (isUnauthorized(retryReason)) {
            this.onUnauthorized();
            return null;
          }
          return RETRIES_MS[previousRetryCount] ?? null;
        },
      })
      .build();
    connection.onreconnecting(() => this.onState("connecting"));
    connection.onreconnected(async () => {
      // Groups belong to a connection, and this is a new one. Access may have been withdrawn meanwhile.
      await Promise.allSettled([...this.#lists].map((list) => connection.invoke("JoinList", list)));
      this.onState("connected");
    });
    connection.onclose(() => this.onState("disconnected"));
    this.#connection = connection;
    this.onState("connecting");
  }

  /** Opens it, once the handlers are registered. */
  async start(): Promise<void> {
    try {
      await this.#connection?.start();
      this.onState("connected");
    } catch (error) {
      this.onState("disconnected");
      if (isUnauthorized(error as Error)) {
        this.onUnauthorized();
        return;
      }
      throw error;
    }
  }

  async disconnect(): Promise<void> {
    const connection = this.#connection;
    this.#connection = null;
    this.#lists.clear();
    await connection?.stop();
  }

  async joinList(listId: string): Promise<void> {
    if (this.getState() !== HubConnectionState.Connected) {
      throw new Error("Not connected");
    }
    await this.#connection?.invoke("JoinList", listId);
    this.#lists.add(listId);
  }

  async leaveList(listId: string): Promise<void> {
    this.#lists.delete(listId);
    if (this.getState() === HubConnectionState.Connected) {
      await this.#connection?.invoke("LeaveList", listId);
    }
  }

  async updatePresence(listId: string): Promise<void> {
    if (this.getState() === HubConnectionState.Connected) {
      await this.#connection?.invoke("UpdatePresence", listId);
    }
  }

  on(name: string, handler: Handler): void {
    this.#connection?.on(name, handler);
  }

  off(name: string, handler: Handler): void {
    this.#connection?.off(name, handler);
  }

  getState(): HubConnectionState {
    return this.#connection?.state ?? HubConnectionState.Disconnected;
  }
}

export const signalRService = new SignalRService();
