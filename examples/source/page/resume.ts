// New for the platform: a tab that was disconnected gets what it missed.

import type { HubConnection } from "@microsoft/signalr";

interface Resumed {
  cursor: string;
  complete: boolean;
  more?: boolean;
}

/** Stores the tab's cursor; returns a function to call after the start. `refetch` is for what cannot be sent again. */
export function resuming(hub: HubConnection, refetch: () => void): () => Promise<void> {
  let cursor: string | undefined;
  const keep = (notification: { cursor: string }) => {
    cursor = notification.cursor;
  };
  hub.on("toast", keep);
  hub.on("featureFlag", keep);
  hub.onreconnected(async () => {
    let answer: Resumed;
    do {
      answer = await hub.invoke<Resumed>("Resume", cursor);
      cursor = answer.cursor;
    } while (answer.more);
    if (!answer.complete) {
      refetch();
    }
  });
  return async () => {
    cursor = await hub.invoke<string>("Cursor");
  };
}
