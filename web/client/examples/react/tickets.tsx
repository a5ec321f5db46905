// How a page uses them: a list that is refetched when a ticket changed, and toasts.

import { useState } from "react";
import { useQuery } from "@tanstack/react-query";
import { Notifications, useConnectionState, useInvalidation, useNotifications } from "./notifications.tsx";

export function App({ user, signIn }: { readonly user: string; readonly signIn: () => void }) {
  return (
    <Notifications hub="/hubs/tickets" user={user} onEnd={({ reason }) => reason === "logged-out" && signIn()}>
      <Toasts />
      <Ticket id="42" />
    </Notifications>
  );
}

function Ticket({ id }: { readonly id: string }) {
  const { data } = useQuery({
    queryKey: ["tickets", id],
    queryFn: async () => (await (await fetch(`/api/tickets/${id}`)).json()) as { title: string },
  });
  useInvalidation("ticketChanged", (changed) => ["tickets", changed], ["tickets"]);
  return <h1>{data?.title}</h1>;
}

function Toasts() {
  const [titles, setTitles] = useState<string[]>([]);
  const state = useConnectionState();
  useNotifications("toast", ({ title }) => setTitles((shown) => [...shown, title].slice(-5)));
  return (
    <ul data-state={state}>
      {titles.map((title, at) => (
        <li key={at}>{title}</li>
      ))}
    </ul>
  );
}
