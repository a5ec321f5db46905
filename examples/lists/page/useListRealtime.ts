// Joins a list while its page is open, says every 30 seconds that somebody is there, and hears what happens to it.

import { useEffect } from "react";
import { signalRService } from "./signalRService.ts";
import type { Handlers } from "./types.ts";

const HEARTBEAT_MS = 30_000;

export function useListRealtime(listId: string, connected: boolean, handlers: Handlers, refused: (error: Error) => void) {
  useEffect(() => {
    const entries = Object.entries(handlers);
    for (const [name, handler] of entries) {
      signalRService.on(name, handler);
    }
    return () => {
      for (const [name, handler] of entries) {
        signalRService.off(name, handler);
      }
    };
  }, [handlers]);

  useEffect(() => {
    if (!connected) {
      return;
    }
    signalRService.joinList(listId).catch(refused);
    const heartbeat = setInterval(() => {
      signalRService.updatePresence(listId).catch(refused);
    }, HEARTBEAT_MS);
    return () => {
      clearInterval(heartbeat);
      signalRService.leaveList(listId).catch(() => undefined);
    };
  }, [listId, connected, refused]);
}
