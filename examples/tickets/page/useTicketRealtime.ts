// The platform's own hook. Nothing in it is specific to Fanfare: the session is the cookie, and the URL is the hub's.

import { HubConnectionBuilder } from "@microsoft/signalr";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { ticketQueryKeys } from "./queryKeys.ts";

/** Fetches a ticket again whenever the hub says that it has changed. */
export function useTicketRealtime() {
  const queries = useQueryClient();

  useEffect(() => {
    const hub = new HubConnectionBuilder().withUrl("/hubs/tickets").withAutomaticReconnect().build();
    hub.on("ticketChanged", (ticketId: string) => {
      void queries.invalidateQueries({ queryKey: ticketQueryKeys.byId(ticketId) });
    });
    void hub.start();
    return () => {
      void hub.stop();
    };
  }, [queries]);
}
