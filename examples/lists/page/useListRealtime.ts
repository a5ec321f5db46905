// Joins a list while its page is open, sends heartbeats, and handles its notifications.

import { useEffect } from "react";
import { signalRService } from "./signalRService.ts";
import type { Handlers } from "./types.ts";

const HEARTBEAT_MS = 30_000;

/** A user who acts again after a pause of this length sends a heartbeat. */
const PAUSE_MS = 5_000;

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
    const isHere = () => void signalRService.updatePresence(listId).catch(refused);
    const heartbeat = setInterval(isHere, HEARTBEAT_MS);
    let pause: ReturnType<typeof setTimeout> | undefined;
    const isActive = () => {
      clearTimeout(pause);
      pause = setTimeout(isHere, PAUSE_MS);
    };
    document.addEventListener("pointerdown", isActive);
    document.addEventListener("keydown", isActive);
    return () => {
      document.removeEventListener("pointerdown", isActive);
      document.removeEventListener("keydown", isActive);
      clearTimeout(pause);
      clearInterval(heartbeat);
      signalRService.leaveList(listId).catch(() => undefined);
    };
  }, [listId, connected, refused]);
}
