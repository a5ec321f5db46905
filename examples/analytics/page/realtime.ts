// The platform's service for the dashboard: it connects with the session's token, and passes on notifications.

import { type HubConnection, HubConnectionBuilder } from "@microsoft/signalr";

export interface Dashboard {
  metrics: Record<string, number>;
  trends: unknown;
}

/** The events of the live feed; each has one object with the fields of its report. */
export const FEED = ["SessionStarted", "SessionEnded", "AIDetected", "ExportCompleted", "Alert", "UserJoined"] as const;

export interface Handlers {
  dashboard(update: Dashboard): void;
  feed(event: (typeof FEED)[number], report: Record<string, unknown>): void;
  closed(reason: string): void;
  state(state: "connected" | "connecting" | "disconnected"): void;
}

export class RealtimeService {
  #hub: HubConnection | undefined;

  async connect(token: () => string, handlers: Handlers): Promise<void> {
    const hub = new HubConnectionBuilder()
      .withUrl("/hubs/analytics", { accessTokenFactory: token })
      .withAutomaticReconnect()
      .build();
    this.#hub = hub;
    hub.on("DashboardUpdate", handlers.dashboard);
    for (const event of FEED) {
      hub.on(event, (report) => handlers.feed(event, report));
    }
    hub.on("SubscriptionExpired", () => handlers.closed("The subscription has expired."));
    hub.on("RolesChanged", () => undefined);
    hub.on("logout", () => handlers.closed("You were signed out."));
    hub.onreconnecting(() => handlers.state("connecting"));
    hub.onreconnected(() => handlers.state("connected"));
    hub.onclose((error) => {
      handlers.state("disconnected");
      if (error !== undefined) {
        handlers.closed(error.message);
      }
    });
    handlers.state("connecting");
    await hub.start();
    handlers.state("connected");
    await hub.invoke("JoinOrganizationGroup");
  }

  async watch(org: string): Promise<void> {
    await this.#hub?.invoke("WatchOrganization", org);
  }

  async stop(): Promise<void> {
    await this.#hub?.stop();
  }
}
