// The platform's notification client. Compared with Azure SignalR Service it differs in two lines: the URL, and that
// the token is the user's own and not one of the service.

import { type HubConnection, HubConnectionBuilder, HubConnectionState } from "@microsoft/signalr";
import { resuming } from "./resume.ts";

export interface Toast {
  id: string;
  cursor: string;
  severity: "info" | "success" | "warning" | "error";
  title: string;
  message: string;
  link?: string;
  at: string;
}

export interface FeatureFlag {
  id: string;
  cursor: string;
  flag: string;
  enabled: boolean;
  at: string;
}

export interface Logout {
  reason: string;
}

export interface Handlers {
  toast(toast: Toast): void;
  featureFlag(flag: FeatureFlag): void;
  logout(logout: Logout): void;
  /** Something was missed that cannot be sent any more. */
  refetch(): void;
  state(state: "connected" | "connecting" | "disconnected"): void;
}

/** Ten attempts: the first at once, then with growing pauses. */
const RETRIES_MS = [0, 1_000, 2_000, 3_000, 5_000, 8_000, 13_000, 21_000, 34_000, 55_000];

export class NotificationService {
  #hub: HubConnection | undefined;

  async start(token: () => string, handlers: Handlers): Promise<void> {
    const hub = new HubConnectionBuilder()
      .withUrl("/hubs/notifications", { accessTokenFactory: token })
      .withAutomaticReconnect(RETRIES_MS)
      .build();
    this.#hub = hub;
    hub.on("toast", handlers.toast);
    hub.on("featureFlag", handlers.featureFlag);
    hub.on("logout", handlers.logout);
    hub.onreconnecting(() => handlers.state("connecting"));
    hub.onreconnected(() => handlers.state("connected"));
    hub.onclose(() => handlers.state("disconnected"));
    const started = resuming(hub, handlers.refetch);
    handlers.state("connecting");
    try {
      await hub.start();
      await started();
      handlers.state("connected");
    } catch (error) {
      handlers.state("disconnected");
      throw error;
    }
  }

  async stop(): Promise<void> {
    if (this.#hub !== undefined && this.#hub.state !== HubConnectionState.Disconnected) {
      await this.#hub.stop();
    }
  }
}
