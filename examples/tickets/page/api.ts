// The API of the ticketing service.

import { ask } from "../../page/backend.ts";

export interface User {
  user: string;
  org: string;
  roles: string[];
  teams: string[];
}

export interface Ticket {
  ticketId: string;
  org: string;
  team: string | null;
  title: string;
  state: "open" | "closed";
  assignee: string | null;
  watchers: string[];
  revision: number;
}

export const api = {
  signIn: (user: string) => ask<User>("POST", "/login", { user, password: "demo" }),
  signOut: () => ask<void>("POST", "/logout"),
  me: () => ask<User>("GET", "/me"),
  tickets: () => ask<Ticket[]>("GET", "/tickets"),
  ticket: (id: string) => ask<Ticket>("GET", `/tickets/${encodeURIComponent(id)}`),
  take: (id: string) => ask<Ticket>("POST", `/tickets/${encodeURIComponent(id)}/assign`),
  close: (id: string) => ask<Ticket>("POST", `/tickets/${encodeURIComponent(id)}/close`),
  reopen: (id: string) => ask<Ticket>("POST", `/tickets/${encodeURIComponent(id)}/reopen`),
};
